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
  repeated,
  // Three stages; more workgroups than one dimension holds.
  ...thorough([exactTest(1, 4096 * 4096 + 1), exactTest(65_537, 3)]),
]);
