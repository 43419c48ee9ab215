import { mean, recordRowSums, sum } from '../src/ops/reduce';
import { Graph } from '../src/tensor/graph';
import { expectClose, operationTest, random, type Reference } from './allclose';
import * as reference from './reduce.reference';
import { suite, thorough, type KernelTest } from './suite';

// One element, less than a workgroup, the ends of a block of 4096, several blocks.
const SHAPES = [[1], [3, 17], [33, 65], [4095], [4096], [4097], [5, 7, 33, 65]] as const;

/** The sum of terms of either sign is smaller than they are: its error is measured against a small number. */
const CANCELLING = 1e-5;

const operations = SHAPES.flatMap((shape) => {
  const x = random(shape, 1);
  return [
    operationTest<{ x: Reference }>({
      name: `sum ${shape.join('×')}`,
      inputs: { x },
      operation: (inputs) => ({ y: sum(inputs.x) }),
      forward: (inputs) => ({ y: reference.sum(inputs.x) }),
      backward: (inputs, { y }) => ({ x: reference.sumBackward(inputs.x, y, 1) }),
      tolerance: CANCELLING,
    }),
    operationTest<{ x: Reference }>({
      name: `mean ${shape.join('×')}`,
      inputs: { x },
      operation: (inputs) => ({ y: mean(inputs.x) }),
      forward: (inputs) => ({ y: reference.mean(inputs.x) }),
      backward: (inputs, { y }) => ({ x: reference.sumBackward(inputs.x, y, 1 / x.data.length) }),
      tolerance: CANCELLING,
    }),
  ];
});

/** Whole numbers whose every partial sum f32 holds: nothing may be lost, however many stages. */
function exactTest(rows: number, width: number): KernelTest {
  return {
    name: `row sums ${rows}×${width}, exact`,
    run: async (engine) => {
      const valueAt = (i: number): number => (((i * 7919) % 13) & 1) + Math.floor(i / width);
      const data = new Float32Array(rows * width).map((_, i) => valueAt(i));
      const graph = new Graph(engine);
      const sums = graph.empty('sums', [rows]);
      recordRowSums(graph, graph.input('x', [rows, width], 'f32', data), { rows, width, scale: 0.5 }, sums);
      graph.output(sums);
      const program = await graph.compile();
      try {
        program.run();
        const expected = Array.from({ length: rows }, (_, row) =>
          data.subarray(row * width, (row + 1) * width).reduce((total, value) => total + value / 2, 0),
        );
        expectClose('sums', await program.read(sums), expected, 0);
      } finally {
        program.dispose();
      }
    },
  };
}

/** The sum of a row in f32 as the head of reduce.wgsl says it: 64 lanes a block of 4096, a tree, and so on over the blocks. */
function sumInOrder(row: Float32Array): number {
  const blocks = Array.from({ length: Math.ceil(row.length / 4096) }, (_, block) => {
    const lanes = new Float32Array(64);
    for (const [i, value] of row.subarray(block * 4096, (block + 1) * 4096).entries())
      lanes[i % 64] = (lanes[i % 64] as number) + value; // a Float32Array rounds
    for (let span = 32; span >= 1; span /= 2) {
      for (let lane = 0; lane < span; lane++) lanes[lane] = (lanes[lane] as number) + (lanes[lane + span] as number);
    }
    return lanes[0] as number;
  });
  return blocks.length === 1 ? (blocks[0] as number) : sumInOrder(Float32Array.from(blocks));
}

/** Whole cells or not, the kernel adds in one order: to the bit. */
function orderTest(rows: number, width: number): KernelTest {
  return {
    name: `row sums ${rows}×${width}, in order`,
    run: async (engine) => {
      const data = Float32Array.from(random([rows, width], 7).data);
      const graph = new Graph(engine);
      const sums = graph.empty('sums', [rows]);
      recordRowSums(graph, graph.input('x', [rows, width], 'f32', data), { rows, width, scale: 1 }, sums);
      graph.output(sums);
      const program = await graph.compile();
      try {
        program.run();
        const wanted = Array.from({ length: rows }, (_, row) => sumInOrder(data.slice(row * width, (row + 1) * width)));
        expectClose('sums', await program.read(sums), wanted, 0);
      } finally {
        program.dispose();
      }
    },
  };
}

const repeated: KernelTest = {
  name: 'the same bits every run',
  run: async (engine) => {
    const graph = new Graph(engine);
    const total = sum(graph.input('x', [100_003], 'f32', Float32Array.from(random([100_003], 5).data)));
    graph.output(total);
    const program = await graph.compile();
    try {
      program.run();
      const first = await program.read(total);
      for (let run = 0; run < 3; run++) {
        program.run();
        expectClose('sum', await program.read(total), first, 0);
      }
    } finally {
      program.dispose();
    }
  },
};

export default suite('reduce', [
  ...operations,
  exactTest(1, 1),
  exactTest(3, 33),
  exactTest(33, 4097),
  exactTest(2, 100_003),
  exactTest(5, 36),
  exactTest(2, 100_004),
  ...[1, 33, 68, 4095, 4100, 100_000].map((width) => orderTest(3, width)),
  repeated,
  // Three stages; more workgroups than one dimension holds.
  ...thorough([exactTest(1, 4096 * 4096 + 1), exactTest(65_537, 3)]),
]);
