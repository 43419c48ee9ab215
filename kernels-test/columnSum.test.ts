import { recordColumnSum } from '../src/ops/columnSum';
import { Graph } from '../src/tensor/graph';
import { columnSum } from './columnSum.reference';
import { expectClose, random } from './compare';
import { suite, type KernelTest } from './suite';

function columnSumTest(rows: number, width: number): KernelTest {
  return {
    name: `${rows}×${width}`,
    run: async (engine) => {
      const x = random([rows, width], 1);
      const y = random([rows, width], 2);
      const graph = new Graph(engine);
      const out = graph.empty('out', [width]);
      // What is there before the first is overwritten; the second is added.
      for (const [accumulate, { shape, data }] of [[false, y], [false, x], [true, y]] as const) {
        const input = graph.input('x', shape, 'f32', Float32Array.from(data));
        recordColumnSum(graph, input, { rows, width }, { out, accumulate });
      }
      graph.output(out);
      const program = await graph.compile();
      try {
        program.run();
        const [ofX, ofY] = [columnSum(x).data, columnSum(y).data];
        // Blocks of 64 rows, then the blocks: √rows roundings of 6e-8 at random.
        expectClose('sum', await program.read(out), ofX.map((sum, i) => sum + (ofY[i] as number)), 2e-6);
      } finally {
        program.dispose();
      }
    },
  };
}

const SHAPES = [[1, 1], [3, 65], [17, 33], [64, 3], [65, 33], [129, 7], [1040, 192]] as const;

export default suite('columnSum', SHAPES.map(([rows, width]) => columnSumTest(rows, width)));
