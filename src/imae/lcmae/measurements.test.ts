import { describe, expect, it } from 'vitest';
import { random } from '../../../kernels-test/allclose';
import { attentionDistance, uniformDistance } from './attentionDistance';
import { centred, effectiveRank, linearCka } from './consistency';
import { windowBias } from './windowedEncoder';
import { eigenvalues } from './eigenvalues';
import { localContrastiveIdentity } from './identity';
import { maskInvariance, meanOfPatches } from './invariance';
import { cosine, distanceBetween, radii } from './gridDistance';
import { positionOrContent } from './positionContent';
import { summarise, uniformField } from './receptiveField';

/* Each measurement on a case whose answer is known. */

const numbers = (count: number, seed: number): Float32Array => Float32Array.from(random([count], seed).data);

describe('1, the local contrastive identity', () => {
  const orderA = Uint32Array.of(0, 1, 2, 3);
  const orderB = Uint32Array.of(0, 2, 1, 3);
  const target = numbers(4 * 5, 1);
  const make = (a: Float32Array, b: Float32Array) => localContrastiveIdentity([{ a, b, orderA, orderB, target }], 2);

  it('holds to rounding, at the places that both masks hide and no others', () => {
    const { worst, patches, perPlace } = make(numbers(20, 2), numbers(20, 3));
    expect(worst).toBeLessThan(1e-14);
    expect(patches).toBe(1); // of 4, masks that show 0, 1 and 0, 2 both hide 3
    expect(perPlace.map(Number.isNaN)).toEqual([true, true, true, false]);
  });

  it('is 0 where both predictions agree, 1 where their mean is right', () => {
    const u = numbers(20, 2);
    expect(make(u, u).share).toBe(0);
    const off = numbers(20, 4);
    const plus = target.map((value, i) => value + (off[i] as number));
    const minus = target.map((value, i) => value - (off[i] as number));
    expect(make(plus, minus).share).toBeCloseTo(1, 6);
  });

  it('is a half where their errors are uncorrelated', () => {
    const many = Array.from({ length: 400 }, (_, index) => {
      const noise = (seed: number): Float32Array =>
        target.map((value, i) => value + (numbers(20, 1000 + 2 * index + seed)[i] as number));
      return { a: noise(0), b: noise(1), orderA, orderB, target };
    });
    // 2,000 elements: the share's deviation is about ½/√2000 = 0.011.
    expect(Math.abs(localContrastiveIdentity(many, 2).share - 0.5)).toBeLessThan(0.05);
  });
});

describe('2, mask invariance', () => {
  it('of features that say the image and nothing else is 1 less the images’ own cosine', () => {
    const features = [
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
    ].map((image) => [image, image, image]);
    expect(maskInvariance(features)).toEqual({ same: 1, different: 0 });
  });

  it('of features that say nothing of the image has no gap', () => {
    const features = Array.from({ length: 4 }, () => [
      [1, 2],
      [1, 2],
    ]);
    const { same, different } = maskInvariance(features);
    expect(same - different).toBe(0);
    expect(same).toBeCloseTo(1, 12);
  });

  it('takes the mean of the patches, without the class token', () => {
    expect([...meanOfPatches(Float32Array.of(9, 9, 1, 2, 3, 6), 2)]).toEqual([2, 4]);
  });
});

describe('3, attention distance', () => {
  const length = 16;
  const heads = 2;
  const places = Uint32Array.of(0, 5, 15);

  it('of queries and keys that are all 0 is that of uniform attention', () => {
    const qkv = numbers((1 + length) * 3 * heads * 4, 5).map((value, i) => (i % 24 < 16 ? 0 : value));
    const uniform = uniformDistance(length, places);
    for (const distance of attentionDistance(qkv, length, heads, places)) expect(distance).toBeCloseTo(uniform, 12);
  });

  it('of places that look at themselves alone is 0', () => {
    // Queries and keys of a place are a unit vector of its own, times 100.
    const d = 17;
    const qkv = new Float32Array(17 * 3 * d);
    for (let token = 0; token < 17; token++) qkv[token * 3 * d + token] = qkv[token * 3 * d + d + token] = 100;
    expect(attentionDistance(qkv, length, 1, places)[0]).toBeLessThan(1e-12);
  });

  it('is Euclidean, in patches', () => {
    expect(distanceBetween(16, 0, 15)).toBeCloseTo(3 * Math.SQRT2, 12);
    expect(distanceBetween(16, 1, 2)).toBe(1);
    // Of 2 × 2: itself, two neighbours, the diagonal.
    expect(uniformDistance(4, Uint32Array.of(0))).toBeCloseTo((2 + Math.SQRT2) / 4, 12);
    expect(radii(16)).toEqual([1, 2, 3, 4, 5]);
  });
});

describe('4, effective receptive field', () => {
  it('of a gradient in one place reaches just there', () => {
    const { within, half, most } = summarise([{ norms: [0, 3, 0], distances: [1, 2, 4] }], 16);
    expect([half, most]).toEqual([2, 2]);
    expect(within).toEqual([0, 1, 1, 1, 1]);
  });

  it('holds its shares', () => {
    const field = { norms: [5, 4, 1], distances: [3, 1, 2] };
    expect(summarise([field], 16)).toEqual({ within: [0.4, 0.5, 1, 1, 1], half: 2, most: 3 });
    expect(summarise([uniformField(field)], 16).within[0]).toBeCloseTo(1 / 3, 12);
  });

  it('a model that looks at nothing has none, and is left out', () => {
    expect(
      summarise(
        [
          { norms: [0, 0], distances: [1, 2] },
          { norms: [1, 0], distances: [1, 2] },
        ],
        4,
      ).half,
    ).toBe(1);
  });
});

describe('5, position or content', () => {
  const byPlace = [
    [1, 0, 0],
    [0, 1, 0],
  ];

  it('by position, a place has one map in all images', () => {
    const images = [0, 1, 2].map(() => byPlace.map((map) => [map]));
    expect(positionOrContent(images)).toEqual({ samePlace: 1, sameImage: 0 });
  });

  it('by content, an image has one map at all places', () => {
    const images = [
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
    ].map((map) => [[map], [map]]);
    expect(positionOrContent(images)).toEqual({ samePlace: 0, sameImage: 1 });
  });

  it('a cosine is that of the angle', () => {
    expect(cosine([1, 0], [1, 1])).toBeCloseTo(Math.SQRT1_2, 12);
    expect(cosine([0, 0], [1, 1])).toBe(0);
  });
});

describe('6, distribution consistency', () => {
  const [rows, width] = [50, 4];
  const x = centred(numbers(rows * width, 6), width);

  it('linear CKA of X with X turned, scaled and moved is 1', () => {
    const [c, s] = [0.6, 0.8];
    const turned = Float64Array.from({ length: rows * width }, (_, i) => {
      const [row, column] = [Math.floor(i / width), i % width];
      const at = (j: number): number => x.data[row * width + j] as number;
      const turn = [c * at(0) - s * at(1), s * at(0) + c * at(1), at(3), -at(2)];
      return 3 * (turn[column] as number) + 7;
    });
    expect(linearCka(x, centred(turned, width))).toBeCloseTo(1, 12);
  });

  it('of what has nothing in common is 0', () => {
    const a = centred([1, -1, 1, -1], 1);
    const b = centred([1, 1, -1, -1], 1);
    expect(linearCka(a, b)).toBe(0);
    expect(linearCka(a, a)).toBeCloseTo(1, 12);
  });

  it('the effective rank of r equal directions is r', () => {
    // Two orthogonal columns of equal length, spread over 3 by copies: rank 2 with unequal shares; and a plain rank 2.
    const plain = centred([1, 0, 0, -1, 0, 0, 0, 1, 0, 0, -1, 0], 3);
    expect(effectiveRank(plain)).toBeCloseTo(2, 10);
    expect(effectiveRank(centred([1, 2, -1, -2, 2, 4, -2, -4], 2))).toBeCloseTo(1, 10);
    expect(effectiveRank(centred([5, 5, 5, 5], 2))).toBe(0);
  });

  it.each([1, 2, 3, 17, 40])('eigenvalues of a matrix of side %i are those that it was made of', (n) => {
    const values = Float64Array.from({ length: n }, (_, i) => i * i - 3 * i + 0.25);
    // Q·Λ·Q with a reflection Q = 1 − 2·v·vᵀ, which is its own inverse.
    const v = numbers(n, 8);
    const square = v.reduce((sum, value) => sum + value * value, 0);
    const q = (i: number, j: number): number => Number(i === j) - (2 * (v[i] as number) * (v[j] as number)) / square;
    const matrix = new Float64Array(n * n);
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++) {
        let sum = 0;
        for (let k = 0; k < n; k++) sum += q(i, k) * (values[k] as number) * q(k, j);
        matrix[i * n + j] = sum;
      }
    }
    const found = eigenvalues(matrix, n).sort((a, b) => a - b);
    [...values].sort((a, b) => a - b).forEach((value, i) => expect(found[i]).toBeCloseTo(value, 8));
  });

  it('eigenvalues of a diagonal matrix and of zeros are what stands there', () => {
    expect(eigenvalues(Float64Array.of(3, 0, 0, 0, -1, 0, 0, 0, 2), 3).sort()).toEqual([-1, 2, 3]);
    expect(eigenvalues(new Float64Array(9), 3)).toEqual([0, 0, 0]);
  });
});

describe('7, the dual role', () => {
  it('a window lets a patch see patches within it and nothing else, the class token all', () => {
    const bias = windowBias(9, 1);
    const seen = (query: number): number[] =>
      Array.from({ length: 10 }, (_, key) => key).filter((key) => bias[query * 10 + key] === 0);
    expect(seen(0)).toHaveLength(10);
    expect(seen(1)).toEqual([1, 2, 4]);
    expect(seen(5)).toEqual([2, 4, 5, 6, 8]);
    expect(windowBias(9, Infinity).every((value) => value === 0)).toBe(true);
  });
});
