import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ResidentImages } from '../../data/upload/residentImages';
import { random } from '../../../kernels-test/allclose';
import type { GridImage } from '../../report/imageGrid';
import type { Engine } from '../../engine/engine';
import { testEngine } from '../../testing/testEngine';
import { studentSize, type Phase } from '../config/config';
import { completionSheet, HATCH, shownPairs, unmixingSheet } from './pictures';
import { TINY_DATA, tinyConfig } from '../../testing/tinyRun';
import { initializeModel, makeModel } from '../train/models';
import { unmixingScore, type Unmixed, compileUnmixer, type Unmixer } from './unmixing';
import { meanImage, meanTarget } from './meanImage';
import { imageToPatches } from './patches';
import { heldOutPairs, type Pair } from './heldOutPairs';

const SIZE = studentSize(tinyConfig());
const LENGTH = 16;
const PIXELS = 3 * SIZE.image ** 2;
const WIDTH = 48;

const image = (seed: number): Float32Array => Float32Array.from(random([PIXELS], seed).data);
const patches = (pixels: Float32Array): Float32Array => imageToPatches(SIZE, pixels);

describe('imageToPatches', () => {
  it('goes patch by patch in rows, and in a patch by row, column, channel', () => {
    const size = { image: 4, patch: 2, channels: 3 };
    // The pixel of channel c at (y, x) holds c·100 + y·10 + x.
    const pixels = Float32Array.from(
      { length: 48 },
      (_, i) => Math.floor(i / 16) * 100 + Math.floor((i % 16) / 4) * 10 + (i % 4),
    );
    const found = imageToPatches(size, pixels);
    expect([...found.slice(0, 12)]).toEqual([0, 100, 200, 1, 101, 201, 10, 110, 210, 11, 111, 211]);
    expect([...found.slice(12, 15)]).toEqual([2, 102, 202]); // the patch to the right
    expect([...found.slice(24, 27)]).toEqual([20, 120, 220]); // the one below
  });
});

describe('meanImage', () => {
  it('is the mean at each place, normalised by channel', () => {
    const images = Uint8Array.of(0, 51, 102, 153, 255, 51, 0, 51); // two images of two channels, 2 × 1 pixels
    const set = { ...TINY_DATA.train, width: 2, height: 1, channels: 2, count: 2, images };
    const mean = meanImage(set, { mean: [0.5, 0], std: [0.25, 0.5] });
    expect([...mean].map((value) => Math.round(value * 1e6) / 1e6)).toEqual([0, -1.2, 0.4, 0.8]);
  });
});

describe('meanTarget', () => {
  it('is the mean image in patches, or with normPix the mean of patches that are each normalised', async () => {
    const { train } = TINY_DATA;
    const size = { ...SIZE, image: train.width, patch: 4, channels: 3 };
    const statistics = { mean: [0, 0, 0], std: [1, 1, 1] };
    expect(await meanTarget(size, train, statistics, { normPix: false })).toEqual(
      imageToPatches(size, meanImage(train, statistics)),
    );
    const found = await meanTarget(size, train, statistics, { normPix: true });
    const width = found.length / 16;
    for (let place = 0; place < 16; place++) {
      const patch = found.subarray(place * width, (place + 1) * width);
      expect(patch.reduce((sum, x) => sum + x, 0) / width).toBeCloseTo(0, 4);
      expect(patch.reduce((sum, x) => sum + x ** 2, 0) / (width - 1)).toBeLessThan(1);
    }
    expect(found.some((value) => Math.abs(value) > 0.05)).toBe(true);
  });
});

describe('the unmixing score', () => {
  const mean = image(50);
  /** Pairs with predictions made of their images; every other patch is removed. */
  function unmixed(predict: (target: Float32Array, other: Float32Array) => Float32Array): Unmixed[] {
    return [0, 1, 2].map((pair) => {
      const [subordinate, dominant] = [image(3 * pair + 1), image(3 * pair + 2)];
      const predictions = [predict(subordinate, dominant), predict(dominant, subordinate)].map(patches);
      return {
        mixed: subordinate.map((value, i) => 0.3 * value + 0.7 * (dominant[i] as number)),
        targets: [subordinate, dominant],
        predictions,
        removed: Array.from({ length: LENGTH }, (_, place) => (place + pair) % 2 === 0),
      };
    });
  }

  it('of perfect predictions is 1', () => {
    const { subordinate, dominant, takenApart } = unmixingScore(
      SIZE,
      unmixed((target) => target),
      patches(mean),
    );
    expect(takenApart).toBe(true);
    expect([subordinate.score, dominant?.score, subordinate.own, dominant?.own]).toEqual([1, 1, 0, 0]);
    expect(subordinate.other).toBe(dominant?.other);
  });

  it('of the mean image is 0, which is not taken apart', () => {
    const { subordinate, dominant, takenApart } = unmixingScore(
      SIZE,
      unmixed(() => mean),
      patches(mean),
    );
    expect(takenApart).toBe(false);
    expect([subordinate.score, dominant?.score]).toEqual([0, 0]);
  });

  it('of the mixture is that of the mixture, which is not taken apart', () => {
    const blend = (own: Float32Array, other: Float32Array, weight: number): Float32Array =>
      own.map((value, i) => weight * value + (1 - weight) * (other[i] as number));
    const pairs = unmixed(() => mean).map((pair) => ({
      ...pair,
      predictions: [0, 1].map(() =>
        patches(blend(pair.targets[0] as Float32Array, pair.targets[1] as Float32Array, 0.3)),
      ),
    }));
    const { subordinate, dominant, takenApart } = unmixingScore(SIZE, pairs, patches(mean));
    expect(takenApart).toBe(false);
    expect(subordinate.own).toBeCloseTo(subordinate.mixture, 6);
    // α = 0.3: the mixture is 0.7 of the difference away from one image, 0.3 from the other.
    expect(subordinate.mixture / (dominant?.mixture ?? NaN)).toBeCloseTo(49 / 9, 4);
  });

  it('of exchanged branches is not taken apart, however good they are', () => {
    const { subordinate, takenApart } = unmixingScore(
      SIZE,
      unmixed((_, other) => other),
      patches(mean),
    );
    expect(takenApart).toBe(false);
    expect(subordinate.other).toBe(0);
    expect(subordinate.own).toBeGreaterThan(0.1);
  });

  it('asks every branch: one that fails is enough', () => {
    const perfect = unmixed((target) => target);
    const pairs = perfect.map((pair) => ({
      ...pair,
      predictions: [pair.predictions[0] as Float32Array, patches(mean)],
    }));
    expect(unmixingScore(SIZE, pairs, patches(mean)).takenApart).toBe(false);
    const alone = perfect.map((pair) => ({ ...pair, predictions: pair.predictions.slice(0, 1) }));
    expect(unmixingScore(SIZE, alone, patches(mean))).toMatchObject({ takenApart: true, subordinate: { score: 1 } });
    expect(unmixingScore(SIZE, alone, patches(mean)).dominant).toBeUndefined();
  });

  it('with normPix is given nothing by the statistics that predictions are put back by', () => {
    // A model that predicts nothing: put back, each of its patches has the target's mean.
    const flat = unmixed((target) => target).map((pair) => ({
      ...pair,
      predictions: pair.predictions.map((patch) =>
        patch.map((_, i) => {
          const from = i - (i % WIDTH);
          return patch.subarray(from, from + WIDTH).reduce((sum, x) => sum + x, 0) / WIDTH;
        }),
      ),
    }));
    const nothing = new Float32Array(LENGTH * WIDTH);
    const { subordinate, takenApart } = unmixingScore(SIZE, flat, nothing, { normPix: true });
    expect(takenApart).toBe(false);
    // Zero, to what has the variance 1 (n / (n − 1) over n values): the same to either image.
    expect(subordinate.own).toBeCloseTo((WIDTH - 1) / WIDTH, 3);
    expect(subordinate.own).toBeCloseTo(subordinate.other, 1);
    expect(subordinate.score).toBeCloseTo(0, 6);
    const perfect = unmixingScore(
      SIZE,
      unmixed((target) => target),
      nothing,
      { normPix: true },
    );
    expect(perfect).toMatchObject({ takenApart: true, subordinate: { score: 1, own: 0 } });
  });

  it('sees removed patches only, and each error is a mean over their values', () => {
    const pairs = unmixed((target) => target.map((value) => value + 0.5));
    for (const { predictions, removed } of pairs) {
      for (const prediction of predictions) {
        prediction.forEach(
          (_, i) => (prediction[i] = removed[Math.floor(i / WIDTH)] ? (prediction[i] as number) : 1e6),
        );
      }
    }
    expect(unmixingScore(SIZE, pairs, patches(mean)).subordinate.own).toBeCloseTo(0.25, 6);
  });
});

describe('pictures', () => {
  const PAIRS: Pair[] = [0, 1, 2].map((first) => ({ first, second: first + 1, alpha: 0.3 }));

  /** An unmixer whose predictions say whether they were made while hidden: black then, else white. */
  function telltale(keep: number): { unmixer: Unmixer; seen: (readonly Uint32Array[])[] } {
    const seen: (readonly Uint32Array[])[] = [];
    const unmixer = {
      keep,
      normalisation: { mean: [0, 0, 0], std: [1, 1, 1] },
      orders: (pairs: readonly Pair[]) =>
        Promise.resolve(pairs.map((_, i) => Uint32Array.from({ length: LENGTH }, (__, at) => (at * 5 + i) % LENGTH))),
      unmix: (pairs: readonly Pair[], orders: readonly Uint32Array[]) => {
        seen.push(orders);
        return Promise.resolve(
          pairs.map((_, index) => {
            const removed = Array.from({ length: LENGTH }, () => true);
            for (const visible of (orders[index] as Uint32Array).subarray(0, keep)) removed[visible] = false;
            const prediction = Float32Array.from({ length: LENGTH * WIDTH }, (__, i) =>
              removed[Math.floor(i / WIDTH)] ? 0 : 1,
            );
            return { mixed: image(1), targets: [image(2), image(3)], predictions: [prediction, prediction], removed };
          }),
        );
      },
    };
    return { unmixer: unmixer as unknown as Unmixer, seen };
  }

  it.each([
    [0.25, 12, 4],
    [0.5, 8, 2],
    [0.75, 4, 2],
    [0.9, 1, 2],
  ])('at mask ratio %f the composite covers every patch by a prediction made while hidden', async (_, keep, rounds) => {
    const { unmixer, seen } = telltale(keep);
    const sheet = await unmixingSheet(unmixer, SIZE, PAIRS, 'title');
    const columns = sheet.columns.flatMap((name, column) => (name.includes('composite') ? [column] : []));
    expect(columns).toHaveLength(2);
    for (const { images } of sheet.rows) {
      for (const column of columns) {
        const colours = images[column]?.data.filter((__, i) => i % 4 !== 3);
        expect(colours?.every((value) => value === 0)).toBe(true);
      }
      // The raw reconstruction shows both kinds.
      const raw = images[sheet.columns.indexOf('subordinate, raw reconstruction')];
      expect(raw?.data.filter((value, i) => i % 4 === 0 && value === 255)).toHaveLength(keep * 16);
    }
    expect(seen).toHaveLength(1 + rounds);
  });

  it('a pasted panel has the clean subordinate where the model saw, and says so', async () => {
    const { unmixer } = telltale(8);
    const sheet = await unmixingSheet(unmixer, SIZE, PAIRS.slice(0, 1), 'title');
    const shown = (part: string): Uint8ClampedArray =>
      sheet.rows[0]?.images[sheet.columns.findIndex((name) => name.includes(part))]?.data ?? new Uint8ClampedArray();
    const [pasted, target, hatched] = [
      shown('contains ground truth'),
      shown('subordinate, target'),
      shown('patches hatched'),
    ];
    const order = (await unmixer.orders(PAIRS.slice(0, 1)))[0] as Uint32Array;
    for (const [at, place] of order.entries()) {
      const pixel = (Math.floor(place / 4) * 4 * 16 + (place % 4) * 4) * 4; // the patch's first
      const wanted = at < 8 ? target.slice(pixel, pixel + 3) : Uint8ClampedArray.of(0, 0, 0);
      expect(pasted.slice(pixel, pixel + 3)).toEqual(wanted);
      const isHatched = hatched.slice(pixel, pixel + 3).every((value) => value === HATCH.stripe);
      expect(isHatched).toBe(at >= 8);
    }
  });

  it('shows each pair at several α, and no pair of one class', () => {
    const shown = shownPairs({ labels: Uint16Array.of(0, 0, 1, 2) }, PAIRS);
    const alphas = [...new Set(shown.map(({ alpha }) => alpha))];
    expect(alphas.length).toBeGreaterThan(1);
    expect(alphas.every((alpha) => alpha > 0 && alpha < 0.5)).toBe(true);
    expect(shown).toEqual(PAIRS.slice(1).flatMap((pair) => alphas.map((alpha) => ({ ...pair, alpha }))));
  });

  describe('by a model', () => {
    let engine: Engine;
    beforeAll(async () => {
      engine = await testEngine();
    });
    afterEach(() => {
      const left = engine.pool.liveBuffers;
      engine.pool.dispose();
      expect(left).toBe(0);
    });
    afterAll(() => {
      engine.dispose();
    });

    /** Runs `work` with an unmixer of a random model, whose prediction is zero unless `speaks`. */
    async function withUnmixer<T>(
      phase: Phase,
      { normPix = false, speaks = true },
      work: (unmixer: Unmixer) => Promise<T>,
    ): Promise<T> {
      const config = tinyConfig({ model: { normPix }, masking: { maskRatio: 0.5 } });
      const model = makeModel(engine, config, phase);
      initializeModel(model, 1);
      if (!speaks)
        model.parameters.write(
          'decoder_pred.weight',
          new Float32Array(model.parameters.get('decoder_pred.weight').size),
        );
      const images = new ResidentImages(engine, TINY_DATA.test);
      const unmixer = await compileUnmixer(engine, config, { set: TINY_DATA.test, images, model, batch: 2 });
      try {
        return await work(unmixer);
      } finally {
        unmixer.dispose();
        images.dispose();
        model.parameters.dispose();
      }
    }

    it('a pair does not depend on what else is in its batch, nor on whether the last batch is full', async () => {
      await withUnmixer('imae', {}, async (unmixer) => {
        const orders = await unmixer.orders(PAIRS.slice(0, 3));
        const together = await unmixer.unmix(PAIRS, orders);
        expect(together).toHaveLength(3);
        const alone = await unmixer.unmix(PAIRS.slice(2), orders.slice(2));
        expect(alone).toEqual(together.slice(2));
      });
    });

    it('mixes, and names the image of smaller weight the subordinate', async () => {
      await withUnmixer('imae', {}, async (unmixer) => {
        const [pair] = PAIRS as [Pair];
        const orders = await unmixer.orders(PAIRS.slice(0, 2));
        const [low, high] = (await unmixer.unmix([pair, { ...pair, alpha: 0.7 }], orders)) as [Unmixed, Unmixed];
        expect(high.targets).toEqual([low.targets[1], low.targets[0]]);
        const [subordinate, dominant] = low.targets as [Float32Array, Float32Array];
        low.mixed.forEach((value, i) => {
          expect(Math.abs(value - 0.3 * (subordinate[i] as number) - 0.7 * (dominant[i] as number))).toBeLessThan(1e-5);
        });
        const { mean, std } = unmixer.normalisation;
        const first = (TINY_DATA.test.images[0] as number) / 255;
        expect(subordinate[0]).toBeCloseTo((first - (mean[0] as number)) / (std[0] as number), 4);
        expect(low.removed.filter((hidden) => hidden)).toHaveLength(8);
      });
    });

    it('normalised predictions are put back by the statistics of their own target', async () => {
      await withUnmixer('imae', { normPix: true, speaks: false }, async (unmixer) => {
        const [unmixed] = (await unmixer.unmix(PAIRS.slice(0, 1), await unmixer.orders(PAIRS.slice(0, 1)))) as [
          Unmixed,
        ];
        for (const [branch, prediction] of unmixed.predictions.entries())
          expectMeans(prediction, patches(unmixed.targets[branch] as Float32Array));
      });
    });

    it('a vanilla MAE that says nothing shows the means of the patches of its own image', async () => {
      await withUnmixer('teacher', { normPix: true, speaks: false }, async (unmixer) => {
        const { rows } = await completionSheet(unmixer, SIZE, PAIRS, 'title');
        const { mean, std } = unmixer.normalisation;
        for (const { images } of rows) {
          const [clean, completed] = [images[0], images[2]] as [GridImage, GridImage];
          for (let place = 0; place < LENGTH; place++) {
            const places = Array.from({ length: 16 }, (_, i) => {
              const [y, x] = [Math.floor(place / 4) * 4 + Math.floor(i / 4), (place % 4) * 4 + (i % 4)];
              return (y * 16 + x) * 4;
            });
            const level = average(
              Float32Array.from({ length: WIDTH }, (_, i) => {
                const byte = clean.data[(places[i % 16] as number) + Math.floor(i / 16)] as number;
                return (byte / 255 - (mean[Math.floor(i / 16)] as number)) / (std[Math.floor(i / 16)] as number);
              }),
            );
            for (let channel = 0; channel < 3; channel++) {
              const wanted = Math.min(
                255,
                Math.max(0, 255 * (level * (std[channel] as number) + (mean[channel] as number))),
              );
              for (const at of places)
                expect(Math.abs((completed.data[at + channel] as number) - wanted)).toBeLessThan(1);
            }
          }
        }
      });
    });
  });

  const average = (values: Float32Array): number => values.reduce((sum, value) => sum + value, 0) / values.length;

  /** Every patch of `prediction` is the mean of the same patch of `target`. */
  function expectMeans(prediction: Float32Array, target: Float32Array): void {
    for (let at = 0; at < target.length; at += WIDTH) {
      const mean = average(target.subarray(at, at + WIDTH));
      for (const value of prediction.subarray(at, at + WIDTH)) expect(Math.abs(value - mean)).toBeLessThan(1e-5);
    }
  }
});

describe('held-out pairs', () => {
  it('are of two images, and the same every time', () => {
    const pairs = heldOutPairs(TINY_DATA.test, 100, (index) => index / 100);
    expect(pairs.every(({ first, second }) => first !== second && Math.max(first, second) < TINY_DATA.test.count)).toBe(
      true,
    );
    expect(pairs).toEqual(heldOutPairs(TINY_DATA.test, 100, (index) => index / 100));
    expect(new Set(pairs.map(({ first, second }) => `${first} ${second}`)).size).toBeGreaterThan(80);
    expect(pairs.map(({ alpha }) => alpha)).toEqual(Array.from({ length: 100 }, (_, index) => index / 100));
  });
});
