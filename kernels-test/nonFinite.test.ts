import { Graph } from '../src/tensor/graph';
import type { Engine } from '../src/engine/engine';
import { attempt } from './captureFailure';
import { random } from './allclose';
import { suite, type KernelTest } from './suite';

/** What stands where, beside numbers that are finite, the largest and the smallest among them. */
const ODD: readonly (readonly [at: number, value: number])[] = [
  [0, NaN],
  [16, Infinity],
  [2, -Infinity],
];

function countTest(count: number, odd: number): KernelTest {
  return {
    name: `${odd} of ${count} elements`,
    run: async (engine: Engine) => {
      const data = Float32Array.from(random([count], 1).data);
      data.set([3.4028234663852886e38, -3.4028234663852886e38, 1e-45].slice(0, count), Math.max(0, count - 3));
      for (const [at, value] of ODD.slice(0, odd)) data[at % count] = value;
      const graph = new Graph(engine, { debug: true });
      graph.input('x', [count], 'f32', data);
      const program = await graph.compile();
      try {
        program.run();
        const message = `Run 1: 'x' [${count}], an input, is the first tensor with a number that is not finite: ${odd} of them.`;
        const outcome = await attempt(engine, () => program.assertRight(1));
        const failure = 'failure' in outcome ? outcome.failure : undefined;
        if (odd > 0 ? !failure?.startsWith(message) : failure !== undefined)
          throw new Error(`found: ${failure ?? 'nothing'}`);
      } finally {
        program.dispose();
      }
    },
  };
}

export default suite(
  'nonFinite',
  [1, 3, 17, 33, 65, 4097].flatMap((count) =>
    [0, 1, 3].flatMap((odd) => (odd <= (count + 2) / 3 ? [countTest(count, odd)] : [])),
  ),
);
