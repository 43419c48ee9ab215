import { sameBits } from '../src/ops/sameBits';
import { Graph } from '../src/tensor/graph';
import { refusalTest } from './expectBadShape';
import { suite, type KernelTest } from './suite';

/** Words of two tensors, of which those at `changed` differ by a bit. */
function differencesTest(size: number, changed: readonly number[]): KernelTest {
  return {
    name: `${size} words, ${changed.length} of them differ`,
    run: async (engine) => {
      const a = Uint32Array.from({ length: size }, (_, i) => Math.imul(i, 2654435761));
      const b = a.slice();
      for (const index of changed) b[index] = (a[index] as number) ^ 0x80000000;
      const found = await count(engine, a, b);
      if (found !== changed.length) throw new Error(`${found} differences were found, not ${changed.length}`);
    },
  };
}

async function count(engine: Graph['engine'], a: Uint32Array, b: Uint32Array): Promise<number> {
  const graph = new Graph(engine);
  const counts = sameBits(graph.input('a', [a.length], 'u32', a), graph.input('b', [b.length], 'u32', b));
  graph.output(counts);
  const program = await graph.compile();
  try {
    program.run();
    return Array.from(await program.read(counts)).reduce((sum, value) => sum + value, 0);
  } finally {
    program.dispose();
  }
}

export default suite('sameBits', [
  differencesTest(1, []),
  differencesTest(1, [0]),
  differencesTest(3, [0, 2]),
  differencesTest(65, [64]),
  // More words than invocations: the first and last of a stride, and the last word.
  differencesTest(40001, []),
  differencesTest(40001, [0, 16383, 16384, 32768, 40000]),
  {
    name: 'a NaN is the same as itself, and 0 is not −0',
    run: async (engine) => {
      const bits = (...values: number[]): Uint32Array => new Uint32Array(Float32Array.from(values).buffer);
      const found = await count(engine, bits(NaN, 0, 1), bits(NaN, -0, 1));
      if (found !== 1) throw new Error(`${found} differences were found, not 1`);
    },
  },
  refusalTest('tensors of two shapes', 'sameBits: b has shape [3], not [2]', (graph) =>
    sameBits(graph.input('a', [2], 'u32'), graph.input('b', [3], 'u32')),
  ),
]);
