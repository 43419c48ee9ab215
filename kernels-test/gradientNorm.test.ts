import { gradientNorm } from '../src/optim/gradientNorm';
import type { Engine } from '../src/engine/engine';
import { Graph } from '../src/tensor/graph';
import { readTensor } from '../src/tensor/tensor';
import { expectClose, random } from './allclose';
import { suite, type KernelTest } from './suite';

/** Elements of each arena: less than a block of 4096, whole blocks, one more; more than 64 blocks, so that they add up. */
const ARENAS = [[64], [4096], [4160, 64, 8192], [65 * 4096 + 64, 192]] as const;

/** The norm and clip factor of arenas that hold `scale` times random numbers. */
function normTest(counts: readonly number[], scale: number, limit: number): KernelTest {
  return {
    name: `${counts.join(' + ')} elements of size ${scale}, limit ${limit}`,
    run: async (engine: Engine) => {
      const data = counts.map((count, index) => random([count], index + 1).data.map((x) => Math.fround(x * scale)));
      const arenas = data.map((values) => ({
        gradients: engine.allocate(values.length * 4, 'gradients', Float32Array.from(values)),
        size: values.length * 4,
      }));
      const norm = Math.sqrt(data.reduce((sum, values) => sum + values.reduce((s, x) => s + x * x, 0), 0));
      const clip = limit > 0 ? Math.min(1, limit / (norm + 1e-6)) : 1;
      const graph = new Graph(engine);
      const result = await readTensor(engine, gradientNorm(graph, arenas, limit));
      // Sums of up to 4096 squares in runs of 64: random errors of 6e-8 grow to about √64 of it, and the root halves them.
      expectClose('norm', result.subarray(0, 1), [norm], 1e-6);
      expectClose('clip', result.subarray(1), [clip], 1e-6);
      for (const { gradients } of arenas) engine.pool.release(gradients);
    },
  };
}

export default suite('gradientNorm', [
  ...ARENAS.flatMap((counts) => [0, 0.5, 1e6].map((limit) => normTest(counts, 1, limit))),
  normTest([64], 0, 1),
  normTest([4160], 1e-12, 1),
  normTest([4160], 1e12, 1),
]);
