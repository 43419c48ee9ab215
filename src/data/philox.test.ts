import { describe, expect, it } from 'vitest';
import { beta, gamma, integer, permutation, philox4x32, philoxKey, RandomStream } from './philox';
import * as purposes from './purposes';

const hex = (words: readonly number[]): string[] => words.map((word) => word.toString(16).padStart(8, '0'));

function moments(draw: () => number, count = 40_000): { mean: number; variance: number } {
  let sum = 0;
  let squares = 0;
  for (let i = 0; i < count; i++) {
    const value = draw();
    sum += value;
    squares += value * value;
  }
  return { mean: sum / count, variance: squares / count - (sum / count) ** 2 };
}

describe('philox4x32', () => {
  // The known answers of Random123 for philox4x32-10.
  it.each([
    [
      [0, 0, 0, 0],
      [0, 0],
      ['6627e8d5', 'e169c58d', 'bc57ac4c', '9b00dbd8'],
    ],
    [
      [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
      [0xffffffff, 0xffffffff],
      ['408f276d', '41c83b0e', 'a20bc7c6', '6d5451fd'],
    ],
    [
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      [0xa4093822, 0x299f31d0],
      ['d16cfe09', '94fdcceb', '5001e420', '24126ea1'],
    ],
  ] as const)('gives the published answer at counter %j, key %j', (counter, key, answer) => {
    expect(hex(philox4x32(counter, key))).toEqual(answer);
  });
});

describe('RandomStream', () => {
  it('is words of philox at (block, step, purpose, 0), whatever was drawn elsewhere', () => {
    const seed = 7 * 2 ** 32 + 5;
    const stream = RandomStream.at(seed, purposes.mask, 123);
    const words = Array.from({ length: 10 }, () => stream.uint32());
    const blocks = [0, 1, 2].flatMap((block) => philox4x32([block, 123, purposes.mask, 0], [5, 7]));
    expect(words).toEqual(blocks.slice(0, 10));
    expect(philoxKey(seed)).toEqual([5, 7]);
  });

  it('differs by seed, purpose and step', () => {
    const first = [
      RandomStream.at(1, purposes.order, 0),
      RandomStream.at(2, purposes.order, 0),
      RandomStream.at(1 + 2 ** 32, purposes.order, 0),
      RandomStream.at(1, purposes.alpha, 0),
      RandomStream.at(1, purposes.order, 1),
    ].map((stream) => stream.uint32());
    expect(new Set(first).size).toBe(first.length);
    expect(new Set(Object.values(purposes)).size).toBe(Object.keys(purposes).length);
  });

  it('draws uniforms that are f32 in [0, 1)', () => {
    const stream = RandomStream.at(3, purposes.evaluation, 0);
    for (let i = 0; i < 1000; i++) {
      const value = stream.uniform();
      expect(value).toBe(Math.fround(value));
      expect(value >= 0 && value < 1).toBe(true);
    }
  });

  // Bands are five standard errors of the estimate from 40,000 draws.
  it.each([
    ['uniform', (s: RandomStream) => s.uniform(), [1 / 2, 0.0073], [1 / 12, 0.0019]],
    ['normal', (s: RandomStream) => s.normal(), [0, 0.025], [1, 0.036]],
    ['gamma 2.5', (s: RandomStream) => gamma(s, 2.5), [2.5, 0.04], [2.5, 0.14]],
    ['gamma 0.4', (s: RandomStream) => gamma(s, 0.4), [0.4, 0.016], [0.4, 0.042]],
    ['beta 1, 1', (s: RandomStream) => beta(s, 1, 1), [1 / 2, 0.0073], [1 / 12, 0.0019]],
    ['beta 2, 5', (s: RandomStream) => beta(s, 2, 5), [2 / 7, 0.004], [10 / 392, 0.0009]],
    ['beta 0.3, 0.6', (s: RandomStream) => beta(s, 0.3, 0.6), [1 / 3, 0.0086], [0.18 / (0.81 * 1.9), 0.0024]],
  ] as const)('has the moments of %s', (_, draw, [mean, meanBand], [variance, varianceBand]) => {
    const stream = RandomStream.at(11, purposes.evaluation, 1);
    const found = moments(() => draw(stream));
    expect(Math.abs(found.mean - mean)).toBeLessThan(meanBand);
    expect(Math.abs(found.variance - variance)).toBeLessThan(varianceBand);
  });

  it('draws a beta with tiny parameters in [0, 1]', () => {
    const stream = RandomStream.at(5, purposes.alpha, 0);
    const draws = Array.from({ length: 1000 }, () => beta(stream, 1e-3, 1e-3));
    expect(draws.every((draw) => draw >= 0 && draw <= 1)).toBe(true);
    // Nearly a coin: five standard errors of a fair one.
    expect(Math.abs(draws.filter((draw) => draw > 0.5).length - 500)).toBeLessThan(80);
  });

  it('draws integers evenly', () => {
    const stream = RandomStream.at(9, purposes.order, 4);
    const counts = new Array<number>(7).fill(0);
    for (let i = 0; i < 70_000; i++) {
      const drawn = integer(stream, 7);
      counts[drawn] = (counts[drawn] ?? 0) + 1;
    }
    // Chi-square with 6 degrees of freedom passes 27.9 once in 10,000 seeds.
    expect(counts.reduce((sum, count) => sum + (count - 10_000) ** 2 / 10_000, 0)).toBeLessThan(27.9);
  });

  // A range of 3·2^30 makes plain `word % n` give the lower third twice: a quarter of 4096 against a third.
  it('draws integers without the bias of a remainder', () => {
    const stream = RandomStream.at(9, purposes.order, 5);
    const n = 3 * 2 ** 30;
    const low = Array.from({ length: 4096 }, () => integer(stream, n)).filter((value) => value < n / 3).length;
    expect(Math.abs(low / 4096 - 1 / 3)).toBeLessThan(0.037);
  });

  it.each([0, 1, 3, 65, 1000])('permutes %i', (n) => {
    const order = permutation(RandomStream.at(1, purposes.order, n), n);
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: n }, (_, index) => index));
    if (n > 3) expect([...order]).not.toEqual([...order].sort((a, b) => a - b));
  });

  it('permutes three evenly', () => {
    const counts = new Map<string, number>();
    const stream = RandomStream.at(21, purposes.order, 0);
    for (let i = 0; i < 6000; i++) {
      const key = permutation(stream, 3).join();
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    expect(counts.size).toBe(6);
    // Chi-square with 5 degrees of freedom passes 25.7 once in 10,000 seeds.
    expect([...counts.values()].reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0)).toBeLessThan(25.7);
  });

  it('refuses what it cannot address', () => {
    expect(() => RandomStream.at(-1, purposes.order, 0)).toThrow(/seed/);
    expect(() => RandomStream.at(1.5, purposes.order, 0)).toThrow(/seed/);
    expect(() => RandomStream.at(1, purposes.order, 2 ** 32)).toThrow(/step/);
    expect(() => integer(RandomStream.at(1, purposes.order, 0), 0)).toThrow(/integer/);
    expect(() => gamma(RandomStream.at(1, purposes.order, 0), 0)).toThrow(/shape/);
  });
});
