import { moduleOf } from '../kernels-test/moduleOf';
import type { Reference } from '../kernels-test/allclose';
import { Slice } from '../src/gpu/storage';
import { Parameters } from '../src/nn/parameters';
import type { Optimizer } from '../src/optim/optimizer';
import type { Graph } from '../src/tensor/graph';

/** A model of one matrix that begins at zero, with its gradient in place, and what trains it. */
interface TrainedModel<O extends Optimizer> {
  readonly graph: Graph;
  readonly parameters: Parameters;
  readonly optimizer: O;
}

/** What a graph trains; that of the graph before is not used any more. */
export function trainedModel<O extends Optimizer>(
  { shape, data }: Reference,
  make: (model: Parameters) => O,
): (graph: Graph) => TrainedModel<O> {
  let state: TrainedModel<O> | undefined;
  return (graph) => {
    if (state?.graph === graph) return state;
    state?.optimizer.dispose();
    state?.parameters.dispose();
    const { engine } = graph;
    const parameters = new Parameters(
      engine,
      'model',
      moduleOf([{ name: 'weight', shape, initialize: () => new Float32Array(data.length) }]),
    );
    for (const { gradients, size } of parameters.arenas) {
      engine.write(new Slice(gradients, 0, size), Float32Array.from(data));
    }
    return (state = { graph, parameters, optimizer: make(parameters) });
  };
}
