import { exactExp, exactLog } from '../tensor/exactMath';
import type * as purposes from './purposes';

/*
 * Philox4x32-10, the counter-based generator of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as
 * 1, 2, 3" (SC 2011): a keyed bijection of 128-bit counters, so any draw is had without the draws before it.
 * `shaders/philox.wgsl` is the same function on the GPU. This is the only source of chance in the project.
 */

type Words<N extends number> = readonly number[] & { readonly length: N };

export type Purpose = (typeof purposes)[keyof typeof purposes];

const ROUNDS = 10;
const MULTIPLIER_0 = 0xd2511f53;
const MULTIPLIER_1 = 0xcd9e8d57;
const WEYL_0 = 0x9e3779b9;
const WEYL_1 = 0xbb67ae85;
const TWO_32 = 2 ** 32;

/** Upper 32 bits of the product of two u32, by 16-bit halves: no partial sum passes 32 bits. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const middle = (Math.imul(aHigh, bLow) + (Math.imul(aLow, bLow) >>> 16)) >>> 0;
  const carry = (Math.imul(aLow, bHigh) + (middle & 0xffff)) >>> 16;
  return (Math.imul(aHigh, bHigh) + (middle >>> 16) + carry) >>> 0;
}

/** Puts the random words of the counter in `block` in its place. */
function philoxInPlace(block: Uint32Array, k0: number, k1: number): void {
  let c0 = block[0] as number;
  let c1 = block[1] as number;
  let c2 = block[2] as number;
  let c3 = block[3] as number;
  for (let round = 0; round < ROUNDS; round++) {
    const high0 = multiplyHigh(MULTIPLIER_0, c0);
    const low0 = Math.imul(MULTIPLIER_0, c0);
    const high1 = multiplyHigh(MULTIPLIER_1, c2);
    const low1 = Math.imul(MULTIPLIER_1, c2);
    c0 = high1 ^ c1 ^ k0;
    c1 = low1;
    c2 = high0 ^ c3 ^ k1;
    c3 = low0;
    k0 = (k0 + WEYL_0) | 0;
    k1 = (k1 + WEYL_1) | 0;
  }
  block[0] = c0;
  block[1] = c1;
  block[2] = c2;
  block[3] = c3;
}

/** The four random u32 at a counter (four u32) under a key (two u32). */
export function philox4x32(counter: Words<4>, key: Words<2>): [number, number, number, number] {
  const [k0 = 0, k1 = 0] = key;
  const block = Uint32Array.from(counter);
  philoxInPlace(block, k0, k1);
  return [...block] as [number, number, number, number];
}

/** The key that stands for a seed: its low and its high 32 bits. */
export function philoxKey(seed: number): [number, number] {
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new RangeError(`A seed is an integer from 0 to 2^53 - 1, not ${seed}.`);
  }
  return [seed >>> 0, Math.floor(seed / TWO_32)];
}

/**
 * The draws for one purpose at one step: word n is word n mod 4 of philox((n div 4, step, purpose, 0), seed), which is
 * what the kernel `philoxFill` writes at element n. The next step's draws don't depend on how many this one took.
 */
export class RandomStream {
  private readonly block = new Uint32Array(4);
  private drawn = 0;

  private constructor(
    private readonly k0: number,
    private readonly k1: number,
    private readonly purpose: Purpose,
    private readonly step: number,
  ) {}

  /** @throws RangeError unless `seed` is an integer in [0, 2^53) and `step` one in [0, 2^32) */
  static at(seed: number, purpose: Purpose, step: number): RandomStream {
    if (!Number.isInteger(step) || step < 0 || step >= TWO_32) {
      throw new RangeError(`A step is an integer from 0 to 2^32 - 1, not ${step}.`);
    }
    return new RandomStream(...philoxKey(seed), purpose, step);
  }

  uint32(): number {
    const word = this.drawn & 3;
    if (word === 0) {
      this.block.set([Math.floor(this.drawn / 4), this.step, this.purpose, 0]);
      philoxInPlace(this.block, this.k0, this.k1);
    }
    this.drawn++;
    return this.block[word] as number;
  }

  /** Uniform on [0, 1) in steps of 2^-24: every value is an exact f32. */
  uniform(): number {
    return (this.uint32() >>> 8) * 2 ** -24;
  }

  /**
   * Standard normal, by Marsaglia's polar method: it needs no sine, whose last bits differ between JavaScript engines.
   * The pair's second value is dropped, so that a stream's state is its number of drawn words.
   */
  normal(): number {
    for (;;) {
      const x = 2 * this.uniform() - 1;
      const y = 2 * this.uniform() - 1;
      const square = x * x + y * y;
      if (square > 0 && square < 1) return x * Math.sqrt((-2 * exactLog(square)) / square);
    }
  }
}

// Functions, not methods: a bundle has those that it calls.

/** Uniform on 0 … n-1 without bias: words past the last whole multiple of n are drawn again. */
export function integer(stream: RandomStream, n: number): number {
  if (!Number.isInteger(n) || n < 1 || n > TWO_32) {
    throw new RangeError(`integer needs n from 1 to 2^32, not ${n}.`);
  }
  const limit = TWO_32 - (TWO_32 % n);
  let word = stream.uint32();
  while (word >= limit) word = stream.uint32();
  return word % n;
}

/** 0 … n-1 in random order (Fisher-Yates). */
export function permutation(stream: RandomStream, n: number): Uint32Array {
  const order = Uint32Array.from({ length: n }, (_, index) => index);
  for (let last = n - 1; last > 0; last--) {
    const other = integer(stream, last + 1);
    const value = order[last] as number;
    order[last] = order[other] as number;
    order[other] = value;
  }
  return order;
}

/** Gamma of the given shape > 0 and scale 1. */
export function gamma(stream: RandomStream, shape: number): number {
  return exactExp(logGamma(stream, shape));
}

/** Beta(a, b) on [0, 1], a and b > 0: X / (X + Y) of two gammas, by logarithms so that a tiny a or b gives no 0/0. */
export function beta(stream: RandomStream, a: number, b: number): number {
  const logX = logGamma(stream, a);
  const logY = logGamma(stream, b);
  return 1 / (1 + exactExp(logY - logX));
}

/** Logarithm of a gamma draw (Marsaglia and Tsang, 2000; a shape < 1 is had from shape + 1 and a uniform). */
function logGamma(stream: RandomStream, shape: number): number {
  if (!(shape > 0) || shape === Infinity) throw new RangeError(`A gamma's shape is a number above 0, not ${shape}.`);
  if (shape < 1) return logGamma(stream, shape + 1) + exactLog(1 - stream.uniform()) / shape;
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = stream.normal();
    const root = 1 + c * x;
    if (root <= 0) continue;
    const v = root * root * root;
    const u = 1 - stream.uniform();
    if (exactLog(u) < 0.5 * x * x + d * (1 - v + exactLog(v))) return exactLog(d * v);
  }
}
