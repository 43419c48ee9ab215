import { random, zeros } from '../kernels-test/allclose';
import { lion, sgd, type Rule } from '../kernels-test/optimizer.reference';
import type { Parameters } from '../src/nn/parameters';
import { Lion, Sgd } from '../src/optim/momentum';
import type { Optimizer } from '../src/optim/optimizer';
import type { BenchCase, BenchSuite } from './bench';
import { trainedModel } from './trainedModel';

const LEARNING_RATE = 1e-3;

function optimizerCase(name: string, count: number, make: (model: Parameters) => Optimizer, rule: Rule): BenchCase {
  const shape = [count / 64, 64];
  const gradient = random(shape, 1);
  const stateOf = trainedModel(gradient, make);
  return {
    name: `${name}, ${count} elements`,
    inputs: {},
    operation: (_, graph) => {
      const { parameters, optimizer } = stateOf(graph);
      const rate = graph.input('rate', [1], 'f32', Float32Array.of(LEARNING_RATE));
      optimizer.record(graph, rate, graph.input('norm', [2], 'f32', Float32Array.of(1, 1)));
      return { weight: parameters.get('weight') };
    },
    forward: () => {
      const weight = zeros(shape);
      const parameter = { value: weight.data, m: zeros(shape).data, v: zeros(shape).data, decayed: true };
      rule([parameter], { gradients: [gradient.data], learningRate: LEARNING_RATE, step: 1 });
      return { weight };
    },
    flops: 8 * count,
    bytes: count * 4 * 5,
  };
}

export default {
  kernel: 'optimizer',
  cases: [1 << 20, 1 << 24].flatMap((count) => [
    optimizerCase('Sgd', count, (model) => new Sgd(model, { momentum: 0.9 }), sgd(0.9, false, 0)),
    optimizerCase('Lion', count, (model) => new Lion(model), lion([0.9, 0.99], 0)),
  ]),
} satisfies BenchSuite;
