/*
 * Half precision on the host: IEEE 754 binary16, as sign, five bits of exponent and ten of fraction, rounded to the nearest,
 * ties to even. JavaScript has no type of it everywhere yet.
 */

const word = new Float32Array(1);
const bits = new Uint32Array(word.buffer);

/** Rounds each element to f16. What is too large becomes an infinity. */
export function toHalf(values: ArrayLike<number>): Uint16Array {
  return Uint16Array.from(values, half);
}

/** f16 elements as f32, which holds each of them exactly. */
export function fromHalf(halves: Uint16Array): Float32Array {
  return Float32Array.from(halves, single);
}

/** The f16 nearest to a number that is one of f32. */
export function roundToHalf(value: number): number {
  return single(half(value));
}

function half(value: number): number {
  word[0] = value;
  const pattern = bits[0] as number;
  const sign = (pattern >>> 16) & 0x8000;
  const size = Math.abs(word[0]);
  if (Number.isNaN(value)) return 0x7e00;
  if (size >= 65520) return sign | 0x7c00; // halfway from the largest to what would be next
  if (size < 2 ** -14) return sign | roundToEven(size * 2 ** 24); // subnormal: multiples of 2⁻²⁴
  const exponent = ((pattern >>> 23) & 0xff) - 127;
  // A fraction that rounds up to 1 carries into the exponent, as it should.
  return sign | (((exponent + 15) << 10) + roundToEven((size / 2 ** exponent - 1) * 1024));
}

function single(pattern: number): number {
  const sign = pattern & 0x8000 ? -1 : 1;
  const exponent = (pattern >>> 10) & 0x1f;
  const fraction = pattern & 0x3ff;
  if (exponent === 0x1f) return fraction ? NaN : sign * Infinity;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
}

function roundToEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}
