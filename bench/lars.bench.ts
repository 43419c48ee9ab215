import { moduleOf } from '../kernels-test/moduleOf';
import { random } from '../kernels-test/allclose';
import { larsStep } from '../kernels-test/lars.reference';
import { Slice } from '../src/gpu/storage';
import { Parameters } from '../src/nn/parameters';
import { Lars, LARS_DEFAULTS } from '../src/optim/lars';
import type { Graph } from '../src/tensor/graph';
import type { BenchCase, BenchSuite } from './bench';

const LEARNING_RATE = 1;

interface State {
  readonly graph: Graph;
  readonly parameters: Parameters;
  readonly optimizer: Lars;
}

function larsCase(classes: number, dim: number): BenchCase {
  const shape = [classes, dim];
  const [weight, gradient] = [random(shape, 1), random(shape, 2)];
  let state: State | undefined;
  /** What a graph trains; that of the graph before is not used any more. */
  const stateOf = (graph: Graph): State => {
    if (state?.graph === graph) return state;
    state?.optimizer.dispose();
    state?.parameters.dispose();
    const { engine } = graph;
    const parameters = new Parameters(
      engine,
      'probe',
      moduleOf([{ name: 'weight', shape, initialize: () => Float32Array.from(weight.data) }]),
    );
    parameters.write('weight', Float32Array.from(weight.data));
    for (const { gradients, size } of parameters.arenas) {
      engine.write(new Slice(gradients, 0, size), Float32Array.from(gradient.data));
    }
    return (state = { graph, parameters, optimizer: new Lars(parameters) });
  };
  return {
    name: shape.join('×'),
    inputs: {},
    operation: (_, graph) => {
      const { parameters, optimizer } = stateOf(graph);
      optimizer.record(graph, graph.input('rate', [1], 'f32', Float32Array.of(LEARNING_RATE)));
      return { weight: parameters.get('weight') };
    },
    forward: () => {
      const value = weight.data.slice();
      const parameter = { value, mu: new Float64Array(value.length), scaled: true };
      larsStep([parameter], [gradient.data], { ...LARS_DEFAULTS, learningRate: LEARNING_RATE });
      return { weight: { shape, data: value } };
    },
    flops: 11 * classes * dim,
    bytes: classes * dim * 4 * 7,
  };
}

export default { kernel: 'lars', cases: [larsCase(10, 192), larsCase(1000, 768)] } satisfies BenchSuite;
