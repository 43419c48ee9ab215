import { adamwStep } from '../kernels-test/adamw.reference';
import { random, zeros } from '../kernels-test/allclose';
import { AdamW } from '../src/optim/adamw';
import type { BenchCase, BenchSuite } from './bench';
import { trainedModel } from './trainedModel';

const OPTIONS = { betas: [0.9, 0.95], eps: 1e-8, weightDecay: 0.05 } as const;
const LEARNING_RATE = 1e-3;

function adamwCase(count: number): BenchCase {
  const shape = [count / 64, 64];
  const gradient = random(shape, 1);
  const stateOf = trainedModel(gradient, (model) => new AdamW(model, OPTIONS));
  return {
    name: `${count} elements`,
    inputs: {},
    operation: (_, graph) => {
      const { parameters, optimizer } = stateOf(graph);
      const hyper = graph.input('hyper', [8], 'f32', optimizer.hyper(LEARNING_RATE, 1));
      optimizer.record(graph, hyper, graph.input('norm', [2], 'f32', Float32Array.of(1, 1)));
      return { weight: parameters.get('weight') };
    },
    forward: () => {
      const [weight, m, v] = [zeros(shape), zeros(shape), zeros(shape)];
      const parameter = { value: weight.data, m: m.data, v: v.data, decayed: true };
      adamwStep([parameter], [gradient.data], { ...OPTIONS, learningRate: LEARNING_RATE, step: 1, factor: 1 });
      return { weight };
    },
    flops: 16 * count,
    bytes: count * 4 * 7,
  };
}

export default {
  kernel: 'adamw',
  cases: [adamwCase(1 << 18), adamwCase(1 << 22), adamwCase(1 << 24)],
} satisfies BenchSuite;
