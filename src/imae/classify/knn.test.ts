import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { random } from '../../../kernels-test/allclose';
import type { Engine } from '../../engine/engine';
import { testEngine } from '../../testing/testEngine';
import { classificationOf } from './classification';
import { KNN_DEFAULTS, knnVotes, runKnn } from './knn';
import { COLOURED, shuffledLabels, untrainedModel } from '../../testing/pointClassifier';

describe('nearest neighbours', () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await testEngine();
  });
  afterAll(() => {
    expect(engine.pool.liveBuffers).toBe(0);
    engine.dispose();
  });

  it.each(['pixels', 'random', 'trained'] as const)('tell separable features apart: %s', async (probed) => {
    const model = await untrainedModel(engine);
    const result = await runKnn(engine, { model, probed, data: COLOURED, settings: { ...KNN_DEFAULTS, pool: 'mean' } });
    expect(result).toMatchObject({ top1: 1, perClass: [1, 1, 1], count: 33 });
  });

  it('are at chance where labels mean nothing', async () => {
    const model = await untrainedModel(engine);
    const { top1 } = await runKnn(engine, {
      model,
      probed: 'pixels',
      data: shuffledLabels(COLOURED),
      settings: KNN_DEFAULTS,
    });
    // Three deviations of 33 images' share by chance.
    expect(Math.abs(top1 - 1 / 3)).toBeLessThan(0.25);
  });

  it.each([1, 5, 17, 1000])('vote as a plain search of all has the %d nearest vote', async (k) => {
    const [count, asked, width, classes] = [33, 17, 5, 4];
    const features = Float32Array.from(random([count, width], 1).data);
    const questions = Float32Array.from(random([asked, width], 2).data, (x) => 3 * x);
    const labels = Array.from({ length: count }, (_, i) => (i * 7) % classes);
    const row = (of: Float32Array, i: number): number[] => [...of.subarray(i * width, (i + 1) * width)];
    const dot = (a: number[], b: number[]): number => a.reduce((sum, x, i) => sum + x * (b[i] as number), 0);
    const expected = Array.from({ length: asked }, (_, question) => {
      const a = row(questions, question);
      const near = labels
        .map((label, i) => ({
          label,
          cosine: dot(a, row(features, i)) / Math.sqrt(dot(a, a) * dot(row(features, i), row(features, i))),
        }))
        .sort((x, y) => y.cosine - x.cosine)
        .slice(0, k);
      return Array.from({ length: classes }, (__, label) =>
        near.reduce((sum, each) => sum + (each.label === label ? Math.exp(each.cosine / 0.07) : 0), 0),
      );
    }).flat();
    const votes = await knnVotes(engine, { features, labels }, questions, { width, classes, k });
    // A cosine's rounding of about 1e-7 is 14 times as much in the exponent.
    for (const [i, vote] of votes.entries())
      expect(Math.abs(vote - (expected[i] as number))).toBeLessThanOrEqual(1e-5 * (expected[i] as number));
  });
});

describe('judging', () => {
  it('counts calls by class, the first and the five likeliest', () => {
    const scores = Float32Array.of(
      ...[9, 1, 2, 3, 4, 5, 6], // called 0
      ...[9, 8, 2, 3, 4, 5, 6], // called 0, 1 is second
      ...[9, 8, 1, 7, 6, 5, 4], // called 0, 2 is last
      ...[0, 0, 0, 0, 0, 0, 0], // a tie: called 0
    );
    const { top1, top5, perClass, confusion } = classificationOf(scores, [0, 1, 2, 0], 7);
    expect([top1, top5]).toEqual([0.5, 0.75]);
    expect(perClass).toEqual([1, 0, 0, null, null, null, null]);
    expect(confusion.slice(0, 3).map(([calls]) => calls)).toEqual([2, 1, 1]);
  });

  it('never takes what is no number for the likeliest', () => {
    expect(classificationOf(Float32Array.of(NaN, 1, NaN, 0), [1, 0], 2).top1).toBe(0.5);
  });
});
