import { describe, expect, it } from 'vitest';
import { UserError } from '../common/userError';
import { BatchOrder, batchIndices, ClassIndex, CROP_VALUES, drawCrops, partnerIndices, stepsPerEpoch } from './sampler';

const range = (n: number): number[] => Array.from({ length: n }, (_, index) => index);
const sorted = (values: Iterable<number>): number[] => [...values].sort((a, b) => a - b);

describe('BatchOrder', () => {
  it.each([
    [4, 12],
    [5, 17],
    [1, 3],
    [33, 33],
  ])('visits no image twice in an epoch: batches of %i from %i', (batch, count) => {
    const order = new BatchOrder(7, batch, count);
    expect(order.stepsPerEpoch).toBe(Math.floor(count / batch));
    for (const epoch of [0, 1, 5]) {
      const seen = range(order.stepsPerEpoch).flatMap((step) => [...order.indices(epoch * order.stepsPerEpoch + step)]);
      expect(new Set(seen).size).toBe(order.stepsPerEpoch * batch);
      expect(Math.max(...seen)).toBeLessThan(count);
    }
  });

  it('visits every image over the epochs, though the short batch is dropped', () => {
    const order = new BatchOrder(1, 5, 9);
    expect(sorted(new Set(range(40).flatMap((step) => [...order.indices(step)])))).toEqual(range(9));
  });

  it('resumes at any step and jumps back', () => {
    const order = new BatchOrder(3, 8, 100);
    const run = range(50).map((step) => order.indices(step));
    expect(new BatchOrder(3, 8, 100).indices(37)).toEqual(run[37]);
    expect(batchIndices(3, 25, 8, 100)).toEqual(run[25]);
    expect(order.indices(0)).toEqual(run[0]);
    expect(run[0]).not.toEqual(run[12]); // the same place in the next epoch
    expect(batchIndices(4, 0, 8, 100)).not.toEqual(run[0]);
  });

  it('refuses a batch larger than the set', () => {
    expect(() => new BatchOrder(0, 65, 64)).toThrow(UserError);
    expect(() => batchIndices(0, 0, 65, 64)).toThrow(/batch of 65 .* 64 images/);
    expect(() => stepsPerEpoch(0, 64)).toThrow(/batch size/);
  });
});

describe('partnerIndices', () => {
  // Class of image i; class 3 is missing, class 4 has a single image (6).
  const labels = [0, 1, 2, 0, 1, 2, 4, 0, 1, 2, 0, 1];
  const classes = new ClassIndex(labels);
  const anchors = Uint32Array.from(range(labels.length));

  it('sorts images by class', () => {
    expect([...classes.starts]).toEqual([0, 4, 8, 11, 11, 12]);
    expect([...classes.sorted].map((image) => labels[image])).toEqual(sorted(labels));
    expect([...anchors].map((image) => classes.sorted[classes.places[image] as number])).toEqual([...anchors]);
  });

  it.each([2, 3, 17, 64])('random: each of %i images is the partner of one other', (batch) => {
    const images = Uint32Array.from(range(batch), (index) => 100 + 3 * index);
    for (const step of range(20)) {
      const partners = partnerIndices(2, step, images, { kind: 'random', count: 1000 });
      expect(sorted(partners)).toEqual([...images]);
      expect(partners.some((partner, index) => partner === images[index])).toBe(false);
    }
  });

  it('random: every other image is equally likely', () => {
    const counts = [0, 0, 0, 0, 0];
    for (const step of range(4000)) {
      const partner = partnerIndices(2, step, anchors.slice(0, 5), { kind: 'random', count: 12 })[1] as number;
      counts[partner] = (counts[partner] ?? 0) + 1;
    }
    expect(counts[1]).toBe(0);
    // 1000 each is expected; 137 is five standard deviations of a binomial.
    for (const other of [0, 2, 3, 4]) expect(Math.abs((counts[other] ?? 0) - 1000)).toBeLessThan(137);
  });

  it('random: a batch of one takes any other image of the set', () => {
    const anchor = Uint32Array.of(2);
    const partners = range(200).flatMap((step) => [...partnerIndices(0, step, anchor, { kind: 'random', count: 5 })]);
    expect(sorted(new Set(partners))).toEqual([0, 1, 3, 4]);
  });

  it.each([0, 1])('byClass: keeps to the class at sameProb %i', (sameProb) => {
    const seen = anchors.reduce((map, anchor) => map.set(anchor, new Set()), new Map<number, Set<number>>());
    for (const step of range(300)) {
      const partners = partnerIndices(5, step, anchors, { kind: 'byClass', sameProb, classes });
      for (const [index, partner] of partners.entries()) seen.get(index)?.add(partner);
    }
    for (const [anchor, partners] of seen) {
      const fellows = range(12).filter((image) => image !== anchor && labels[image] === labels[anchor]);
      const others = range(12).filter((image) => labels[image] !== labels[anchor]);
      // Image 6 is alone in its class: any other image stands in.
      expect(sorted(partners)).toEqual(sameProb === 1 && fellows.length > 0 ? fellows : others);
    }
  });

  it('byClass: a set of one class takes any other image', () => {
    const one = new ClassIndex([0, 0, 0]);
    for (const step of range(50)) {
      const partners = partnerIndices(5, step, Uint32Array.of(0, 1, 2), { kind: 'byClass', sameProb: 0, classes: one });
      expect(partners.every((partner, index) => partner !== index && partner < 3)).toBe(true);
    }
  });

  it('byClass: sameProb is the share of pairs within a class', () => {
    const large = new ClassIndex(range(1000).map((image) => image % 10));
    const images = Uint32Array.from(range(1000));
    let same = 0;
    for (const step of range(10)) {
      const partners = partnerIndices(8, step, images, { kind: 'byClass', sameProb: 0.25, classes: large });
      same += partners.filter((partner, index) => partner % 10 === index % 10).length;
    }
    // Five standard deviations of a binomial of 10,000.
    expect(Math.abs(same / 10_000 - 0.25)).toBeLessThan(0.022);
  });

  it('refuses what makes no pairs', () => {
    expect(() => partnerIndices(0, 0, Uint32Array.of(0), { kind: 'random', count: 1 })).toThrow(UserError);
    expect(() => partnerIndices(0, 0, anchors, { kind: 'byClass', sameProb: 1.5, classes })).toThrow(/same_prob.*1\.5/);
    expect(() => partnerIndices(0, 0, anchors, { kind: 'byClass', sameProb: NaN, classes })).toThrow(/same_prob/);
  });
});

describe('drawCrops', () => {
  const rows = (crops: Float32Array): number[][] =>
    range(crops.length / CROP_VALUES).map((row) => [...crops.slice(row * CROP_VALUES, (row + 1) * CROP_VALUES)]);

  it.each([
    [32, 32],
    [33, 17],
    [3, 65],
    [1, 1],
  ])('stays inside %i × %i, in whole pixels', (width, height) => {
    for (const [x = -1, y = -1, w = 0, h = 0, flip = -1] of rows(
      drawCrops(1, 2, 500, { scale: [0.2, 1], flip: true }, { width, height }),
    )) {
      expect([x, y, w, h].every(Number.isInteger)).toBe(true);
      expect(x >= 0 && y >= 0 && w >= 1 && h >= 1 && x + w <= width && y + h <= height).toBe(true);
      expect([0, 1]).toContain(flip);
    }
  });

  it('draws areas, ratios, places and flips as stated', () => {
    const crops = rows(drawCrops(1, 0, 4000, { scale: [0.1, 0.3], flip: true }, { width: 256, height: 256 }));
    const areas = crops.map(([, , w = 0, h = 0]) => (w * h) / 65536);
    const ratios = crops.map(([, , w = 0, h = 0]) => Math.log(w / h) / Math.log(4 / 3));
    const mean = (values: number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
    // Half a pixel of rounding at sides of 70 and more is 1.5 % of an area, 0.05 of a log ratio.
    expect(Math.min(...areas)).toBeGreaterThan(0.0985);
    expect(Math.max(...areas)).toBeLessThan(0.3045);
    expect(Math.max(...ratios.map(Math.abs))).toBeLessThan(1.05);
    // Five standard errors of a mean of 4000, uniform over a width of 0.2 and of 2; a coin.
    expect(Math.abs(mean(areas) - 0.2)).toBeLessThan(0.0046);
    expect(Math.abs(mean(ratios))).toBeLessThan(0.046);
    expect(Math.abs(mean(crops.map(([, , , , flip = 0]) => flip)) - 0.5)).toBeLessThan(0.04);
    // A place is uniform over what the crop leaves free.
    expect(Math.abs(mean(crops.map(([x = 0, , w = 0]) => x / (256 - w))) - 0.5)).toBeLessThan(0.023);
  });

  it('is addressed by seed and step, and never flips unasked', () => {
    const law = { scale: [0.2, 1], flip: false } as const;
    const crops = drawCrops(1, 5, 64, law, { width: 32, height: 32 });
    expect(drawCrops(1, 5, 64, law, { width: 32, height: 32 })).toEqual(crops);
    expect(drawCrops(1, 6, 64, law, { width: 32, height: 32 })).not.toEqual(crops);
    expect(rows(crops).every(([, , , , flip]) => flip === 0)).toBe(true);
  });

  // A crop of the whole area fits only at ratio 1: everything else ends in the middle.
  it('falls back on the largest centred box', () => {
    const whole = { scale: [1, 1], flip: false } as const;
    expect(rows(drawCrops(0, 0, 50, whole, { width: 90, height: 30 }))).toEqual(new Array(50).fill([25, 0, 40, 30, 0]));
    expect(rows(drawCrops(0, 0, 50, whole, { width: 30, height: 90 }))).toEqual(new Array(50).fill([0, 25, 30, 40, 0]));
    for (const [, , w = 0, h = 0] of rows(drawCrops(0, 0, 50, whole, { width: 32, height: 32 })))
      expect(Math.min(w, h)).toBe(32);
  });

  it.each([
    [0, 1],
    [0.5, 0.4],
    [0.2, 1.1],
    [NaN, 1],
  ])('refuses the scale %f to %f', (low, high) => {
    expect(() => drawCrops(0, 0, 1, { scale: [low, high], flip: false }, { width: 32, height: 32 })).toThrow(UserError);
  });
});
