import type { Engine } from '../src/engine/engine';
import { classAttention, drawMasks, invertPermutation, patchVariance } from '../src/ops/mask';
import { Graph } from '../src/tensor/graph';
import type { Tensor } from '../src/tensor/tensor';
import { expectClose, random } from './allclose';
import * as reference from './mask.reference';
import type { MaskCounter, Orders } from './mask.reference';
import { refusalTest } from './expectBadShape';
import { suite, thorough, type KernelTest } from './suite';

const SHAPES = [
  [1, 1],
  [2, 3],
  [3, 17],
  [5, 64],
  [2, 65],
  [3, 196],
  [1, 1023],
] as const;
/** The longest that there may be. */
const LONGEST = [1, 4096] as const;

/** Words past 2^31: the order is that of unsigned numbers. */
const COUNTER: MaskCounter = [0xdeadbeef, 0x1fffff, 6, 12345, 67];

/** Step at which two of the 4096 words of sample 0 are the same; about one sample in 500 has such a pair. */
const TIE_STEP = 67;

interface Drawn {
  readonly keep?: number;
  readonly choice?: 'random' | 'block' | 'grid';
  /** [B, L] logarithms, in the place of a choice. */
  readonly logWeights?: Float32Array;
}

async function draw(
  engine: Engine,
  batch: number,
  length: number,
  counter: MaskCounter,
  { keep = 1, choice = 'random', logWeights }: Drawn = {},
): Promise<Orders> {
  const graph = new Graph(engine);
  const input = graph.input('counter', [5], 'u32', Uint32Array.from(counter));
  const weights = logWeights && { logWeights: graph.input('log weights', [batch, length], 'f32', logWeights) };
  const { idsShuffle, idsRestore } = drawMasks({
    batch,
    length,
    keep,
    counter: input,
    choice: weights ?? choice,
  });
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

const twinTest = ([batch, length]: readonly [number, number]): KernelTest => ({
  name: `the twin's order ${batch}×${length}`,
  run: (engine) => expectTwin(engine, batch, length, COUNTER),
});

const ties: KernelTest = {
  name: 'ties by index',
  run: async (engine) => {
    const counter: MaskCounter = [1, 0, 6, TIE_STEP, 0];
    if (new Set(reference.noise(counter, 0, 4096)).size === 4096) throw new Error('these words have no tie');
    await expectTwin(engine, 1, 4096, counter);
  },
};

/**
 * Counts of a choice without replacement: Σ (n − pN)² / (p (1 − p) N) · (L − 1)/L is χ² of L − 1 = 48 degrees.
 * Its quantiles at 0.0005 and 0.9995:
 */
const CHI_48 = [22.1, 86.9] as const;

function visibleCounts({ idsRestore }: Orders, length: number, keep: number): Float64Array {
  const kept = new Float64Array(length);
  idsRestore.forEach((rank, at) => (kept[at % length] = (kept[at % length] as number) + Number(rank < keep)));
  return kept;
}

const uniform: KernelTest = {
  name: 'each patch is kept equally often',
  run: async (engine) => {
    const [draws, length, keep] = [4096, 49, 12];
    const kept = visibleCounts(await draw(engine, draws, length, [2024, 0, 6, 3, 0]), length, keep);
    const p = keep / length;
    const square = kept.reduce((sum, n) => sum + (n - p * draws) ** 2, 0);
    expectWithin('χ²', ((square / (p * (1 - p) * draws)) * (length - 1)) / length, CHI_48);
  },
};

function expectWithin(what: string, value: number, [low, high]: readonly [number, number]): void {
  if (!(value > low && value < high)) throw new Error(`${what} is ${value}, not between ${low} and ${high}`);
}

// side, visible patches; one visible, one hidden
const SQUARES = [
  [2, 1],
  [8, 63],
  [7, 20],
  [14, 10],
] as const;
const LARGEST_SQUARE = [63, 1000] as const;
const CHOICES = ['block', 'grid'] as const;

const shapedTest = (choice: (typeof CHOICES)[number], [side, keep]: readonly [number, number]): KernelTest => ({
  name: `${choice}: the twin's order ${side}×${side}, ${keep} visible`,
  run: async (engine) => {
    const [batch, length] = [7, side * side];
    const expected =
      choice === 'block'
        ? reference.drawBlockMasks(batch, length, keep, COUNTER)
        : reference.drawGridMasks(batch, length, COUNTER);
    const actual = await draw(engine, batch, length, COUNTER, { keep, choice });
    expectClose('idsShuffle', actual.idsShuffle, expected.idsShuffle, 0);
    expectClose('idsRestore', actual.idsRestore, expected.idsRestore, 0);
  },
});

const grids: KernelTest = {
  name: 'grid: a quarter is one of every 2×2, each equally often, and a half a checkerboard',
  run: async (engine) => {
    const [draws, side] = [512, 6];
    const orders = await draw(engine, draws, side * side, [9, 0, 6, 1, 0], { choice: 'grid' });
    for (let sample = 0; sample < draws; sample++) {
      const order = orders.idsShuffle.subarray(sample * side * side, (sample + 1) * side * side);
      const places = (count: number): number[][] =>
        Array.from(order.subarray(0, count), (i) => [i % side, Math.floor(i / side)]);
      const quarters = new Set(places((side * side) / 4).map(([x = 0, y = 0]) => (x % 2) + 2 * (y % 2)));
      const halves = new Set(places((side * side) / 2).map(([x = 0, y = 0]) => (x + y) % 2));
      if (quarters.size !== 1 || halves.size !== 1) throw new Error(`sample ${sample} is no regular grid`);
    }
    // The four grids are the quarters of the patches: counts of a quarter are binomial, ±4 deviations of √(512·3/16).
    const kept = visibleCounts(orders, side * side, (side * side) / 4);
    for (const count of kept) expectWithin('times visible', count, [128 - 40, 128 + 40]);
  },
};

const blocks: KernelTest = {
  name: 'block: what is hidden lies together',
  run: async (engine) => {
    const [draws, side, keep] = [256, 8, 32];
    const together = async (choice: 'block' | 'random'): Promise<number> => {
      const { idsRestore } = await draw(engine, draws, side * side, [9, 0, 6, 1, 0], { keep, choice });
      let [pairs, same] = [0, 0];
      idsRestore.forEach((rank, at) => {
        if (at % side === side - 1) return;
        pairs++;
        same += Number(rank < keep === (idsRestore[at + 1] as number) < keep);
      });
      return same / pairs;
    };
    // Of random masks, neighbours are alike in 31/63 of all cases; their 14,336 pairs give a deviation below 0.01.
    expectWithin('alike neighbours, random', await together('random'), [0.46, 0.53]);
    expectWithin('alike neighbours, block', await together('block'), [0.75, 0.95]);
  },
};

const WEIGHTED = [
  [3, 17],
  [1, 1],
  [1, 1023],
] as const;

const weighted = WEIGHTED.map(([batch, length]): KernelTest => ({
  name: `weighted: sorted by the twin's scores ${batch}×${length}`,
  run: async (engine) => {
    const logWeights = Float32Array.from(random([batch * length], 5).data, (value) => 4 * value);
    const { idsShuffle, idsRestore } = await draw(engine, batch, length, COUNTER, { logWeights });
    expectClose('the inverse', idsRestore, reference.invertPermutation(idsShuffle, length), 0);
    for (let sample = 0; sample < batch; sample++) {
      const own = logWeights.subarray(sample * length, (sample + 1) * length);
      const scores = reference.weightedScores(own, COUNTER, sample);
      const sorted = Array.from(
        idsShuffle.subarray(sample * length, (sample + 1) * length),
        (i) => scores[i] as number,
      );
      // WGSL allows a logarithm an error of 2^-21 near 1, which the outer one passes on relatively to −log u, and there is
      // rounding of scores up to 20. A patch of another place would differ by 1 or so.
      const least = Math.min(...own);
      sorted.forEach((score, at) => {
        const next = sorted[at + 1] ?? Infinity;
        const slack = 4e-6 + 2 ** -20 * Math.exp(Math.max(0, score - least));
        if (next < score - slack) throw new Error(`sample ${sample}: ${score} stands before ${next}`);
      });
    }
  },
}));

const proportional: KernelTest = {
  name: 'weighted: what is hidden alone is hidden as often as its weight says',
  run: async (engine) => {
    const [draws, length] = [4096, 5];
    const weights = [0, 1, 2, 3, 4];
    const logs = Float32Array.from({ length: draws * length }, (_, i) =>
      Math.log((weights[i % length] as number) + 1e-30),
    );
    const kept = visibleCounts(
      await draw(engine, draws, length, [3, 0, 6, 3, 0], { logWeights: logs }),
      length,
      length - 1,
    );
    // Five standard deviations of a binomial.
    for (const [i, count] of kept.entries()) {
      const p = (weights[i] as number) / 10;
      const deviation = Math.sqrt(p * (1 - p) * draws);
      expectWithin(`times that ${i} is hidden`, draws - count, [
        p * draws - 5 * deviation - 1,
        p * draws + 5 * deviation + 1,
      ]);
    }
  },
};

const IMAGES = [
  [[2, 3, 6, 9], 3],
  [[1, 1, 5, 5], 1],
  [[3, 4, 32, 32], 8],
] as const;

const variances = IMAGES.map(([shape, patch]): KernelTest => ({
  name: `variance of patches ${shape.join('×')} by ${patch}`,
  run: async (engine) => {
    const pixels = Float32Array.from(random(shape, 3).data);
    const graph = new Graph(engine);
    const weights = patchVariance(graph.input('images', shape, 'f32', pixels), patch);
    await expectWeights(graph, weights, reference.patchVariance(pixels, shape, patch));
  },
}));

const QKV = [
  [[1, 2, 3], 1],
  [[3, 17, 36], 3],
  [[2, 65, 48], 4],
] as const;

const attentions = QKV.map(([shape, heads]): KernelTest => ({
  name: `attention of the class token ${shape.join('×')} in ${heads} heads`,
  run: async (engine) => {
    const values = Float32Array.from(random(shape, 4).data, (value) => 3 * value);
    const graph = new Graph(engine);
    const weights = classAttention(graph.input('qkv', shape, 'f32', values), heads);
    await expectWeights(graph, weights, reference.classAttention(values, shape, heads));
  },
}));

async function expectWeights(graph: Graph, weights: Tensor, expected: Float64Array): Promise<void> {
  graph.output(weights);
  const program = await graph.compile();
  try {
    program.run();
    expectClose('log weights', await program.read(weights), expected, 2e-6);
  } finally {
    program.dispose();
  }
}

const inverses = [...SHAPES, LONGEST].map(([rows, length]): KernelTest => ({
  name: `inverse ${rows}×${length}`,
  run: async (engine) => {
    const { idsShuffle, idsRestore } = reference.randomOrders(rows, length);
    const graph = new Graph(engine);
    const restored = invertPermutation(graph.input('ids', [rows, length], 'u32', idsShuffle));
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

const oddShape = (choice: 'block' | 'grid'): KernelTest =>
  refusalTest(`${choice} of what is no square`, 'square', (graph) =>
    drawMasks({ batch: 1, length: 12, keep: 3, counter: graph.input('counter', [5], 'u32'), choice }),
  );

export default suite('mask', [
  ...SHAPES.map(twinTest),
  ties,
  uniform,
  ...CHOICES.flatMap((choice) => SQUARES.map((square) => shapedTest(choice, square))),
  grids,
  blocks,
  ...weighted,
  proportional,
  ...variances,
  ...attentions,
  ...inverses,
  oddShape('block'),
  oddShape('grid'),
  ...thorough([twinTest(LONGEST), ...CHOICES.map((choice) => shapedTest(choice, LARGEST_SQUARE))]),
]);
