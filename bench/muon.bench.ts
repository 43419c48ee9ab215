import { moduleOf } from '../kernels-test/moduleOf';
import { random } from '../kernels-test/allclose';
import { muonStep } from '../kernels-test/muon.reference';
import type { Slice } from '../src/gpu/storage';
import { Parameters } from '../src/nn/parameters';
import { Muon, MUON_ITERATIONS } from '../src/optim/muon';
import type { Graph } from '../src/tensor/graph';
import type { BenchCase, BenchSuite } from './bench';

const OPTIONS = { betas: [0.9, 0.95], eps: 1e-8, weightDecay: 0.05, rate: 10, matrices: () => 1 } as const;
const LEARNING_RATE = 1e-3;

interface State {
  readonly graph: Graph;
  readonly parameters: Parameters;
  readonly optimizer: Muon;
}

/** A step of `count` matrices of one shape, AdamW's pass over their moments included. */
function muonCase(count: number, outputs: number, inputs: number): BenchCase {
  const shape = [outputs, inputs];
  const weights = Array.from({ length: count }, (_, index) => random(shape, 2 * index + 1));
  const gradients = weights.map((_, index) => random(shape, 2 * index + 2));
  let state: State | undefined;
  /** What a graph trains; that of the graph before is not used any more. */
  const stateOf = (graph: Graph): State => {
    if (state?.graph === graph) return state;
    state?.optimizer.dispose();
    state?.parameters.dispose();
    const { engine } = graph;
    const specs = weights.map(({ data }, index) => ({
      name: `w${index}`,
      shape,
      initialize: () => Float32Array.from(data),
    }));
    const parameters = new Parameters(engine, 'model', moduleOf(specs));
    parameters.initialize(() => ({ uniform: () => 0, normal: () => 0 }));
    for (const { members } of parameters.arenas) {
      for (const { name, grad } of members)
        engine.write(grad.storage as Slice, Float32Array.from(gradients[Number(name.slice(1))]?.data ?? []));
    }
    return (state = { graph, parameters, optimizer: new Muon(parameters, OPTIONS) });
  };
  const [height, width] = [Math.max(outputs, inputs), Math.min(outputs, inputs)];
  const flops = 2 * count * MUON_ITERATIONS * (2 * height * width ** 2 + width ** 3);
  return {
    name: `${count} × ${shape.join('×')}`,
    inputs: {},
    operation: (_, graph) => {
      const { parameters, optimizer } = stateOf(graph);
      const hyper = graph.input('hyper', [8], 'f32', optimizer.hyper(LEARNING_RATE, 1));
      optimizer.record(graph, hyper, graph.input('norm', [2], 'f32', Float32Array.of(1, 1)));
      return Object.fromEntries(weights.map((_, index) => [`w${index}`, parameters.get(`w${index}`)]));
    },
    forward: () => {
      const parameters = weights.map(({ data }) => ({
        ...{ shape, matrices: 1, decayed: true },
        ...{ value: data.slice(), m: new Float64Array(data.length), v: new Float64Array(data.length) },
      }));
      muonStep(
        parameters,
        gradients.map(({ data }) => data),
        { ...OPTIONS, learningRate: LEARNING_RATE, step: 1, factor: 1 },
      );
      return Object.fromEntries(parameters.map(({ value }, index) => [`w${index}`, { shape, data: value }]));
    },
    flops,
    bytes: count * outputs * inputs * 4 * (7 + 5),
  };
}

export default {
  kernel: 'muon',
  cases: [muonCase(18, 48, 48), muonCase(10, 192, 48), muonCase(3, 65, 33), muonCase(4, 192, 768)],
} satisfies BenchSuite;
