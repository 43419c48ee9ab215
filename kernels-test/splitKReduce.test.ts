import { recordSplitKReduce, type PartialSums } from '../src/ops/splitKReduce';
import { Graph } from '../src/tensor/graph';
import { expectClose, random, type Reference } from './allclose';
import { suite, type KernelTest } from './suite';
import { rowsSum } from './splitKReduce.reference';

/** One pair, or two at once; the first dispatch overwrites what is there, the second adds to one of the two. */
function splitKReduceTest(splits: number, widths: readonly number[]): KernelTest {
  return {
    name: `${splits} splits of ${widths.join(' and ')}`,
    run: async (engine) => {
      const graph = new Graph(engine);
      const pairs = widths.map((width, index) => {
        const rounds = [random([splits, width], 1 + index), random([splits, width], 11 + index)];
        return { rounds, out: graph.empty('out', [width]), isSecond: index > 0 };
      });
      for (const round of [0, 1]) {
        const [first, second] = pairs.map(({ rounds, out, isSecond }): PartialSums => {
          const { shape, data } = rounds[round] as Reference;
          return {
            partials: graph.input('partials', shape, 'f32', Float32Array.from(data)),
            out,
            accumulate: round > 0 && !isSecond,
          };
        });
        recordSplitKReduce(splits, first as PartialSums, second);
      }
      graph.output(...pairs.map(({ out }) => out));
      const program = await graph.compile();
      try {
        program.run();
        for (const { rounds, out, isSecond } of pairs) {
          const [before, last] = rounds.map((partials) => rowsSum(partials).data) as [Float64Array, Float64Array];
          const wanted = isSecond ? last : last.map((sum, i) => sum + (before[i] as number));
          // √splits roundings of 6e-8 at random, and no more than 129 splits here.
          expectClose(isSecond ? 'second' : 'first', await program.read(out), wanted, 1e-6);
        }
      } finally {
        program.dispose();
      }
    },
  };
}

/** A sum that is stored in f16. */
function intoHalf(splits: number, width: number): KernelTest {
  return {
    name: `${splits} splits of ${width} into f16`,
    run: async (engine) => {
      if (!engine.hasHalf) return;
      const graph = new Graph(engine);
      const partials = random([splits, width], 1);
      const out = graph.empty('out', [width], 'f16');
      const input = graph.input('partials', partials.shape, 'f32', Float32Array.from(partials.data));
      recordSplitKReduce(splits, { partials: input, out, accumulate: false });
      graph.output(out);
      const program = await graph.compile();
      try {
        program.run();
        // f16 keeps 11 bits: half a unit in the last place is 2⁻¹¹ of a number, and sums are below 8.
        expectClose('out', await program.read(out), rowsSum(partials).data, 2 ** -11);
      } finally {
        program.dispose();
      }
    },
  };
}

export default suite('splitKReduce', [
  splitKReduceTest(1, [1]),
  splitKReduceTest(3, [65]),
  splitKReduceTest(17, [33]),
  splitKReduceTest(129, [7]),
  splitKReduceTest(1, [3, 1]),
  splitKReduceTest(3, [17, 65]),
  splitKReduceTest(33, [1000, 3]),
  splitKReduceTest(1, [4]),
  splitKReduceTest(7, [1000, 12]),
  splitKReduceTest(129, [4, 260]),
  intoHalf(3, 65),
  intoHalf(5, 68),
]);
