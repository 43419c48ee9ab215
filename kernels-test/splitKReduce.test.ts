import { recordSplitKReduce, type PartialSums } from '../src/ops/splitKReduce';
import { addInPlace } from '../src/tensor/accumulate';
import { Graph } from '../src/tensor/graph';
import { createTensor, disposeTensor, readTensor, type Tensor } from '../src/tensor/tensor';
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
        const sums = pairs.map(({ rounds, out, isSecond }): PartialSums => {
          const { shape, data } = rounds[round] as Reference;
          return {
            partials: graph.input('partials', shape, 'f32', Float32Array.from(data)),
            splits,
            out,
            accumulate: round > 0 && !isSecond,
          };
        });
        recordSplitKReduce(graph, ...sums);
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
      recordSplitKReduce(graph, { partials: input, splits, out, accumulate: false });
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

/** What the kernel adds in f32, in its order: lanes take every lanes-th split, and their sums meet as a tree. */
function sumsInOrder({ data }: Reference, splits: number, { first, count, lanes }: Part): Float32Array {
  const stride = data.length / splits;
  const at = Float32Array.from(data);
  return Float32Array.from({ length: count }, (_, i) => {
    const sums = new Float32Array(lanes);
    for (let s = 0; s < splits; s++) {
      sums[s % lanes] = (sums[s % lanes] as number) + (at[s * stride + first + i] as number); // a Float32Array rounds
    }
    for (let span = lanes / 2; span >= 1; span /= 2) {
      for (let lane = 0; lane < span; lane++) sums[lane] = (sums[lane] as number) + (sums[lane + span] as number);
    }
    return sums[0] as number;
  });
}

interface Part {
  readonly first: number;
  readonly count: number;
  readonly lanes: 1 | 16;
}

/** Sums to memory that outlives the program wait for others, up to eight pairs: to the bit what each is alone. */
const together: KernelTest = {
  name: 'many sums in few dispatches',
  run: async (engine) => {
    const graph = new Graph(engine);
    const rows = [3, 5, 33, 70, 129].map((splits, seed) => ({ splits, of: random([splits, 24], seed) }));
    const parts: readonly Part[] = [
      { first: 0, count: 24, lanes: 1 },
      { first: 8, count: 12, lanes: 16 },
      { first: 4, count: 20, lanes: 1 },
      { first: 3, count: 7, lanes: 16 },
    ];
    const sums = parts.flatMap((part) => rows.map((row) => ({ ...row, part })));
    const outs = sums.map(({ part }, index) => createTensor(engine, `sum ${index}`, [part.count], 'f32'));
    for (const [index, { splits, of, part }] of sums.entries()) {
      const partials = graph.input('partials', of.shape, 'f32', Float32Array.from(of.data));
      const { first, lanes } = part;
      const out = outs[index] as Tensor;
      recordSplitKReduce(graph, { partials, splits, out, accumulate: false, first, lanes });
    }
    const { dispatches } = graph.statistics;
    const most = Math.min(8, Math.floor(engine.device.limits.maxStorageBuffersPerShaderStage / 2));
    const wanted = Math.ceil(15 / most) + Math.ceil(5 / most); // the last five are no whole cells
    if (dispatches !== wanted) throw new Error(`${dispatches} dispatches, not ${wanted}`);
    const program = await graph.compile();
    try {
      program.run();
      for (const [index, { splits, of, part }] of sums.entries()) {
        const sum = await readTensor(engine, outs[index] as Tensor);
        expectClose(`sum ${index}`, sum, sumsInOrder(of, splits, part), 0);
      }
    } finally {
      program.dispose();
      for (const out of outs) disposeTensor(engine, out);
    }
  },
};

/** What reads a sum that waits, adds to it, or changes what it is made of, comes after it. */
const waiting: KernelTest = {
  name: 'a sum is there when it is read',
  run: async (engine) => {
    const graph = new Graph(engine);
    const of = random([5, 12], 1);
    const partials = graph.empty('partials', [5, 12]);
    const given = graph.input('given', of.shape, 'f32', Float32Array.from(of.data));
    const [sum, other] = [createTensor(engine, 'sum', [12], 'f32'), createTensor(engine, 'other', [12], 'f32')];
    const copy = graph.empty('copy', [12]);
    addInPlace(graph, partials, given, false);
    recordSplitKReduce(graph, { partials, splits: 5, out: sum, accumulate: false });
    addInPlace(graph, partials, given, true); // 2 · given, once it was summed
    recordSplitKReduce(graph, { partials, splits: 5, out: sum, accumulate: true });
    addInPlace(graph, copy, sum, false); // 3 sums
    recordSplitKReduce(graph, { partials, splits: 5, out: sum, accumulate: true });
    recordSplitKReduce(graph, { partials, splits: 5, out: other, accumulate: false });
    graph.output(copy);
    const program = await graph.compile();
    try {
      program.run();
      const once = rowsSum(of).data;
      // A few roundings of 6e-8.
      expectClose(
        'copy',
        await program.read(copy),
        once.map((x) => 3 * x),
        1e-6,
      );
      expectClose(
        'sum',
        await readTensor(engine, sum),
        once.map((x) => 5 * x),
        1e-6,
      );
      expectClose(
        'other',
        await readTensor(engine, other),
        once.map((x) => 2 * x),
        1e-6,
      );
    } finally {
      program.dispose();
      for (const tensor of [sum, other]) disposeTensor(engine, tensor);
    }
  },
};

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
  together,
  waiting,
  intoHalf(3, 65),
  intoHalf(5, 68),
]);
