import type { Engine } from '../src/gpu/engine';
import { drawMasks, invertPermutation } from '../src/ops/mask';
import { Graph } from '../src/tensor/graph';
import { expectClose } from './compare';
import * as reference from './mask.reference';
import type { MaskCounter, Orders } from './mask.reference';
import { suite, type KernelTest } from './suite';

const SHAPES = [[1, 1], [2, 3], [3, 17], [5, 64], [2, 65], [3, 196], [1, 1023], [1, 4096]] as const;

/** Words past 2^31: the order is that of unsigned numbers. */
const COUNTER: MaskCounter = [0xdeadbeef, 0x1fffff, 6, 12345, 67];

/** Step at which two of the 4096 words of sample 0 are the same; about one sample in 500 has such a pair. */
const TIE_STEP = 67;

async function draw(engine: Engine, batch: number, length: number, counter: MaskCounter): Promise<Orders> {
  const graph = new Graph(engine);
  const input = graph.input('counter', [5], 'u32', Uint32Array.from(counter));
  const { idsShuffle, idsRestore } = drawMasks(graph, { batch, length, keep: 1, counter: input });
  graph.output(idsShuffle, idsRestore);
  const program = await graph.compile();
  try {
    program.run();
    return {
      idsShuffle: Uint32Array.from(await program.read(idsShuffle)),
      idsRestore: Uint32Array.from(await program.read(idsRestore)),
    };
  } finally {
    program.dispose();
  }
}

async function expectTwin(engine: Engine, batch: number, length: number, counter: MaskCounter): Promise<void> {
  const expected = reference.drawMasks(batch, length, counter);
  const actual = await draw(engine, batch, length, counter);
  expectClose('idsShuffle', actual.idsShuffle, expected.idsShuffle, 0);
  expectClose('idsRestore', actual.idsRestore, expected.idsRestore, 0);
}

const twins = SHAPES.map(([batch, length]): KernelTest => ({
  name: `the twin's order ${batch}×${length}`,
  run: (engine) => expectTwin(engine, batch, length, COUNTER),
}));

const ties: KernelTest = {
  name: 'ties by index',
  run: async (engine) => {
    const counter: MaskCounter = [1, 0, 6, TIE_STEP, 0];
    if (new Set(reference.noise(counter, 0, 4096)).size === 4096) throw new Error('these words have no tie');
    await expectTwin(engine, 1, 4096, counter);
  },
};

const uniform: KernelTest = {
  name: 'each patch is kept equally often',
  run: async (engine) => {
    const [draws, length, keep] = [4096, 49, 12];
    const { idsRestore } = await draw(engine, draws, length, [2024, 0, 6, 3, 0]);
    const kept = new Float64Array(length);
    idsRestore.forEach((rank, at) => (kept[at % length] = (kept[at % length] as number) + Number(rank < keep)));
    // Counts of a choice without replacement: Σ (n − pN)² / (p (1 − p) N) · (L − 1)/L is χ² of L − 1 = 48 degrees. Its
    // quantiles at 0.0005 and 0.9995:
    const [low, high] = [22.1, 86.9];
    const p = keep / length;
    const square = kept.reduce((sum, n) => sum + (n - p * draws) ** 2, 0);
    const statistic = ((square / (p * (1 - p) * draws)) * (length - 1)) / length;
    if (!(statistic > low && statistic < high)) throw new Error(`χ² is ${statistic}, not between ${low} and ${high}`);
  },
};

const inverses = SHAPES.map(([rows, length]): KernelTest => ({
  name: `inverse ${rows}×${length}`,
  run: async (engine) => {
    const { idsShuffle, idsRestore } = reference.randomOrders(rows, length);
    const graph = new Graph(engine);
    const restored = invertPermutation(graph, graph.input('ids', [rows, length], 'u32', idsShuffle));
    graph.output(restored);
    const program = await graph.compile();
    try {
      program.run();
      expectClose('idsRestore', await program.read(restored), idsRestore, 0);
    } finally {
      program.dispose();
    }
  },
}));

export default suite('mask', [...twins, ties, uniform, ...inverses]);
