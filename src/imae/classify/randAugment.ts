import { integer, RandomStream } from '../../data/philox';
import * as purposes from '../../data/purposes';
import { OPERATION, OPERATION_VALUES } from '../../ops/randAugment';
import { exactCos, power, exactSin } from '../../tensor/exactMath';

/*
 * The law of RandAugment (Cubuk et al. 2020) that MAE was fine-tuned with, timm's `rand-m9-mstd0.5-inc1`: two operations an
 * image, each any of fifteen with like chance, done half of the time, of a magnitude ~ N(9, ½) held within 0 … 10, where
 * more is always a greater change. Geometry is resampled bilinearly (there: bicubically).
 */

const PROBABILITY = 0.5;
const MAGNITUDE = 9;
const DEVIATION = 0.5;
const GREATEST = 10;

/** What an operation does at a severity of 0 … 1; those that go either way take ± `severity`. */
interface Law {
  readonly signed: boolean;
  readonly row: (severity: number, side: number) => readonly number[];
}

/** A factor from 0.1 to 1.9: 1 changes nothing. */
const blend = (operation: number): Law => ({ signed: true, row: (severity) => [operation, 1 + 0.9 * severity] });
const affine = (map: (severity: number, side: number) => readonly number[]): Law => ({
  signed: true,
  row: (severity, side) => [OPERATION.affine, ...map(severity, side)],
});
const plain = (row: (severity: number) => readonly number[]): Law => ({ signed: false, row });

/** By the published names. */
export const LAWS: Readonly<Record<string, Law>> = {
  autoContrast: plain(() => [OPERATION.autoContrast]),
  equalize: plain(() => [OPERATION.equalize]),
  invert: plain(() => [OPERATION.solarize, 0]),
  rotate: affine((severity, side) => rotation((severity * Math.PI) / 6, side / 2)),
  // 4 bits are kept at severity 0, none at 1.
  posterize: plain((severity) => [OPERATION.posterize, power(2, 4 + Math.floor(4 * severity))]),
  solarize: plain((severity) => [OPERATION.solarize, 256 - Math.floor(256 * severity)]),
  solarizeAdd: plain((severity) => [OPERATION.solarizeAdd, Math.floor(110 * severity)]),
  colour: blend(OPERATION.colour),
  contrast: blend(OPERATION.contrast),
  brightness: blend(OPERATION.brightness),
  sharpness: blend(OPERATION.sharpness),
  shearX: affine((severity) => [1, 0.3 * severity, 0, 0, 1, 0]),
  shearY: affine((severity) => [1, 0, 0, 0.3 * severity, 1, 0]),
  translateX: affine((severity, side) => [1, 0, 0.45 * severity * side, 0, 1, 0]),
  translateY: affine((severity, side) => [1, 0, 0, 0, 1, 0.45 * severity * side]),
};

/** The map that turns by an angle in radians around (centre, centre). */
function rotation(angle: number, centre: number): number[] {
  const [c, s] = [exactCos(angle), exactSin(angle)];
  return [c, -s, centre * (1 - c + s), s, c, centre * (1 - s - c)];
}

/**
 * What a step does to its images: for each layer, batch × 8 as the kernel `randAugment` takes them.
 *
 * @param side of the square images, in pixels
 */
export function drawOperations(seed: number, step: number, batch: number, side: number): [Float32Array, Float32Array] {
  const stream = RandomStream.at(seed, purposes.randAugment, step);
  const laws = Object.values(LAWS);
  const layer = (): Float32Array => {
    const rows = new Float32Array(OPERATION_VALUES * batch);
    for (let sample = 0; sample < batch; sample++) {
      if (stream.uniform() >= PROBABILITY) continue;
      const { signed, row } = laws[integer(stream, laws.length)] as Law;
      const severity = Math.min(GREATEST, Math.max(0, MAGNITUDE + DEVIATION * stream.normal())) / GREATEST;
      const sign = signed && stream.uniform() < 0.5 ? -1 : 1;
      rows.set(row(sign * severity, side), OPERATION_VALUES * sample);
    }
    return rows;
  };
  return [layer(), layer()];
}
