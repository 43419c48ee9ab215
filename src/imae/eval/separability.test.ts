import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RandomStream } from '../../data/philox';
import * as purposes from '../../data/purposes';
import { readSafetensors, storedTensor, writeSafetensors, type StoredTensor } from '../../formats/safetensors';
import type { Engine } from '../../engine/engine';
import { testEngine } from '../../testing/testEngine';
import { PerPositionMean } from './perPositionMean';
import type { NamedFile } from '../checkpoint/namedFile';
import { evaluateSeparability, nearestOf } from './separability';
import { type SeparabilityResult, type SeparabilityRow, type Side } from './separabilityResult';
import { MemoryStore, TINY_DATA, tinyConfig, tinyRun } from '../../testing/tinyRun';

let engine: Engine;
let teacher: NamedFile;
let imae: NamedFile;
/** Rows under random masks. */
let masked: readonly SeparabilityRow[];

beforeAll(async () => {
  engine = await testEngine();
  const store = new MemoryStore();
  await tinyRun(engine, tinyConfig(), { store });
  [teacher, imae] = [store.finished('teacher') as NamedFile, store.finished('imae') as NamedFile];
});
afterAll(() => engine.dispose());

/** An i-MAE as it starts from a teacher: its encoder, and its `decoder_embed` twice. */
function untrained({ file }: NamedFile): NamedFile {
  const tensors = new Map<string, StoredTensor>();
  for (const [name, tensor] of file.tensors) {
    if (!name.startsWith('decoder_embed')) tensors.set(name, tensor);
    else for (const branch of [1, 2]) tensors.set(name.replace('decoder_embed', `decoder_embed${branch}`), tensor);
  }
  return { name: 'untrained', file: readSafetensors(writeSafetensors(tensors, { ...file.metadata, phase: 'imae' })) };
}

const SETTINGS = { fitImages: 48, images: 24, alphas: [0.2], mask: 'random', maskRatio: 0.5, seed: 0 } as const;

function rowOf(
  { fitted }: SeparabilityResult,
  id: string,
  target: Side,
  tokens: SeparabilityRow['tokens'] = 'patches',
): SeparabilityRow {
  return fitted.find(
    (row) => row.source.id === id && row.target === target && row.tokens === tokens,
  ) as SeparabilityRow;
}

describe('evaluateSeparability', () => {
  it('finds what a mixture that is one image alone must give', async () => {
    // With α = 0 the teacher sees the dominant itself: its map is the identity, its nearest latent its own.
    const result = await evaluateSeparability(engine, {
      imae: untrained(teacher),
      teacher,
      baselines: [{ title: 'the same again', model: teacher }],
      data: TINY_DATA,
      settings: { ...SETTINGS, alphas: [0] },
    });
    for (const id of ['imae', 'teacher', 'baseline0']) {
      expect(rowOf(result, id, 'dominant').r2.value).toBeGreaterThan(1 - 1e-6);
      expect(rowOf(result, id, 'dominant').distance.value).toBeLessThan(1e-5);
      expect(rowOf(result, id, 'subordinate').r2.value).toBeLessThan(0.5);
    }
    expect(rowOf(result, 'baseline0', 'subordinate').r2).toEqual(rowOf(result, 'teacher', 'subordinate').r2);
    for (const row of result.branches.filter(({ model }) => model !== 'random')) {
      expect(row.to.dominant.value).toBeLessThan(1e-9);
      expect(row.to.subordinate.value).toBeCloseTo(1, 6);
      expect(row.nearest.dominant).toEqual({ value: 1, low: 1, high: 1 });
    }
  });

  it('gives the mean at each place exactly nothing, and every form of a trained model a row', async () => {
    const result = await evaluateSeparability(engine, {
      imae,
      teacher,
      baselines: [],
      data: TINY_DATA,
      settings: SETTINGS,
    });
    for (const side of ['subordinate', 'dominant'] as const) {
      for (const tokens of ['patches', 'class'] as const) {
        expect(rowOf(result, 'mean', side, tokens).r2).toEqual({ value: 0, low: 0, high: 0 });
        for (const id of ['imae', 'teacher', 'random', `z-${side}`]) {
          const { r2, distance } = rowOf(result, id, side, tokens);
          expect(r2.low).toBeLessThanOrEqual(r2.value);
          expect(r2.value).toBeCloseTo(1 - distance.value / rowOf(result, 'mean', side, tokens).distance.value, 12);
        }
      }
      // The decoder is as wide as the encoder here: what is linear in z is linear in h.
      expect(rowOf(result, `z-${side}`, side).r2.value).toBeCloseTo(rowOf(result, 'imae', side).r2.value, 1);
    }
    expect(result.branches).toHaveLength(6);
    // Bit for bit.
    masked = result.fitted;
    const again = await evaluateSeparability(engine, {
      imae,
      teacher,
      baselines: [],
      data: TINY_DATA,
      settings: SETTINGS,
    });
    expect(again).toEqual(result);
  });

  it.each(['block', 'grid', 'variance', 'attention'] as const)('hides by %s, too', async (mask) => {
    const { fitted } = await evaluateSeparability(engine, {
      imae,
      teacher,
      baselines: [],
      data: TINY_DATA,
      settings: { ...SETTINGS, mask },
    });
    const [result, random] = [fitted, masked].map((rows) =>
      rowOf({ fitted: rows } as SeparabilityResult, 'imae', 'dominant'),
    );
    expect(result?.r2.value).toBeGreaterThan(0.1); // the dominant is plain to see
    expect(result).not.toEqual(random);
  });

  it('refuses models that do not agree', async () => {
    const run = (other: NamedFile): Promise<SeparabilityResult> =>
      evaluateSeparability(engine, { imae, teacher: other, baselines: [], data: TINY_DATA, settings: SETTINGS });
    await expect(run(imae)).rejects.toThrow('is an i-MAE');
    const metadata = { ...teacher.file.metadata, mean: '[0,0,0]' };
    await expect(run({ name: 'other', file: { ...teacher.file, metadata } })).rejects.toThrow(
      'another mean and deviation',
    );
    const tensors = new Map(
      [...teacher.file.tensors].map(([name, tensor]) => [
        name,
        name === 'mask_token' ? storedTensor([1, 1, 8], new Float32Array(8)) : tensor,
      ]),
    );
    await expect(run({ name: 'other', file: { ...teacher.file, tensors } })).rejects.toThrow(/other/);
  });
});

describe('nearestOf', () => {
  const random = (step: number): Float32Array => {
    const draws = RandomStream.at(9, purposes.evaluation, step);
    return Float32Array.from({ length: 20 }, () => draws.normal());
  };
  const candidates = Array.from({ length: 50 }, (_, at) => random(at));

  it('finds what is identical, always', () => {
    expect(candidates.map((z) => nearestOf(z, candidates).nearest)).toEqual(candidates.map((_, at) => at));
  });

  it('is right by chance where there is nothing to find', () => {
    const trials = 2000;
    let right = 0;
    for (let trial = 0; trial < trials; trial++)
      if (nearestOf(random(1000 + trial), candidates).nearest === trial % 50) right++;
    // Binomial: 1/50 of 2,000 is 40, with a deviation of 6.3.
    expect(Math.abs(right - trials / 50)).toBeLessThan(4 * Math.sqrt((trials / 50) * 0.98));
  });
});

describe('PlaceMeans', () => {
  it('knows each place by itself', () => {
    const means = new PerPositionMean(4, 1);
    const orders = [Uint32Array.of(3, 0, 1, 2), Uint32Array.of(0, 3, 1, 2)];
    // Class tokens 10 and 20; place 3: 1 and 5, place 0: 2 and 4; places 1 and 2 were never seen: 3 over all.
    means.add(Float32Array.of(10, 1, 2, 20, 4, 5), orders, 3);
    const { patches, class: ofClass } = means.squaredErrors(
      Float32Array.of(15, 3, 3, 16, 3, 0),
      [orders[0] as Uint32Array, Uint32Array.of(1, 2, 0, 3)],
      3,
    );
    expect([...ofClass]).toEqual([0, 1]);
    expect([...patches]).toEqual([0, 0, 0, 9]);
  });
});
