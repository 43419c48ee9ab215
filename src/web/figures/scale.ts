import type { Axis } from '../../report/figures';
import { squared } from '../../tensor/exactMath';

/** From values to places on an axis: 0 at its beginning, 1 at its end. */
export interface Scale {
  readonly low: number;
  readonly high: number;
  /** Where the axis is to be labelled. */
  readonly ticks: readonly number[];
  at(value: number): number;
}

const STEPS = [1, 2, 5];

/** An axis that spans values and what it always spans; a logarithmic one only where all of them are above 0. */
export function scaleOf({ span, logarithmic }: Axis, values: readonly number[], { round = true } = {}): Scale {
  const all = [...values, ...(span ?? [])].filter(Number.isFinite);
  const [least, most] = all.length > 0 ? [Math.min(...all), Math.max(...all)] : [0, 1];
  if (logarithmic && least > 0) return logarithmicScale(least, most);
  const step = niceStep((most - least || Math.abs(most) || 1) / 4);
  const low = round ? Math.floor(least / step + 1e-9) * step : least;
  const high = round ? Math.ceil(most / step - 1e-9) * step : most;
  const extent = high - low || 1;
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  const ticks = Array.from({ length: last - first + 1 }, (_, at) => Number(((first + at) * step).toPrecision(12)));
  return { low, high, ticks, at: (value) => (value - low) / extent };
}

function logarithmicScale(least: number, most: number): Scale {
  const [first, last] = [
    Math.floor(Math.log10(least)),
    Math.max(Math.floor(Math.log10(least)) + 1, Math.ceil(Math.log10(most))),
  ];
  const ticks = Array.from({ length: last - first + 1 }, (_, at) => Number(`1e${first + at}`));
  return {
    low: ticks[0] ?? 1,
    high: ticks.at(-1) ?? 1,
    ticks,
    at: (value) => (Math.log10(value) - first) / (last - first),
  };
}

/** The smallest of 1, 2 and 5 times a power of ten that is no less. */
function niceStep(least: number): number {
  const power = Math.pow(10, Math.floor(Math.log10(least)));
  return (STEPS.find((step) => step * power >= least * (1 - 1e-9)) ?? 10) * power;
}

/*
 * Colours of a matrix: a straight line through OKLab from a dark blue to a light yellow. Steps of equal length in that
 * space look equally large, lightness alone already tells values apart, and blue and yellow differ for colour-blind eyes.
 */
const DARK = [0.27, -0.012, -0.105];
const LIGHT = [0.94, -0.02, 0.125];

/** The colour of a share of the scale, 0 to 1, as red, green and blue from 0 to 255. */
export function colourAt(share: number): readonly [number, number, number] {
  const place = Math.min(1, Math.max(0, share));
  const [L, a, b] = DARK.map((dark, i) => dark + place * ((LIGHT[i] ?? 0) - dark)) as [number, number, number];
  const cube = (x: number): number => x * squared(x);
  const l = cube(L + 0.3963377774 * a + 0.2158037573 * b);
  const m = cube(L - 0.1055613458 * a - 0.0638541728 * b);
  const s = cube(L - 0.0894841775 * a - 1.291485548 * b);
  const linear = [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ];
  return linear.map((value) => {
    const kept = Math.min(1, Math.max(0, value));
    return Math.round(255 * (kept <= 0.0031308 ? 12.92 * kept : 1.055 * Math.pow(kept, 1 / 2.4) - 0.055));
  }) as unknown as readonly [number, number, number];
}

/** Whether dark writing is to be read on the colour of a share. */
export function isLight(share: number): boolean {
  return share > 0.55;
}
