import { describe, expect, it } from 'vitest';
import { constant, fanInUniform, normal, ones, xavierUniform, zeros, type RandomSource } from './initializers';

/** Goes through the given numbers, over and over. */
function cycle(...numbers: readonly number[]): RandomSource {
  let at = 0;
  const next = (): number => numbers[at++ % numbers.length] as number;
  return { uniform: next, normal: next };
}

const ALMOST_ONE = 1 - 2 ** -24;

describe('initializers', () => {
  it('fill', () => {
    expect(zeros([2, 2], cycle(1))).toEqual(new Float32Array(4));
    expect(ones([3], cycle(0))).toEqual(Float32Array.of(1, 1, 1));
  });

  it('scale a standard normal', () => {
    expect(normal(0.02)([3], cycle(1, -2, 0.5))).toEqual(Float32Array.of(0.02, -0.04, 0.01));
  });

  it.each([
    ['a matrix', [3, 5], Math.sqrt(6 / 8)],
    ['a convolution, as a matrix', [8, 3, 4, 4], Math.sqrt(6 / (8 + 48))],
  ])('xavierUniform spans ±√(6 / (inputs + outputs)) of %s', (_, shape, bound) => {
    const drawn = xavierUniform(shape, cycle(0, 0.5, ALMOST_ONE, 0.75));
    expect(drawn).toHaveLength(shape.reduce((a, b) => a * b));
    expect(drawn[0]).toBeCloseTo(-bound, 6);
    expect(drawn[1]).toBe(0);
    expect(drawn[2]).toBeCloseTo(bound, 6);
    expect(drawn[3]).toBeCloseTo(bound / 2, 6);
    expect(Math.max(...drawn.map(Math.abs))).toBeLessThanOrEqual(Math.fround(bound));
  });

  it('fanInUniform spans ±1/√fanIn', () => {
    const drawn = fanInUniform(48)([3], cycle(0, 0.5, ALMOST_ONE));
    expect(drawn[0]).toBeCloseTo(-1 / Math.sqrt(48), 7);
    expect(drawn[1]).toBe(0);
    expect(drawn[2]).toBeCloseTo(1 / Math.sqrt(48), 6);
  });

  it('constant hands out copies', () => {
    const values = Float32Array.of(1, 2);
    const initialize = constant(values);
    initialize([2], cycle(0))[0] = 9;
    expect(initialize([2], cycle(0))).toEqual(Float32Array.of(1, 2));
  });
});
