/*
 * A scale of one hue from the ground of the page to a strong red, its steps evenly spaced for the eye: straight in Oklab
 * (Björn Ottosson, "A perceptual color space for image processing", 2020).
 */

type Triple = readonly [number, number, number];

const STEPS = 256;

/** The distance, of black from white, that the scale ends at; what is farther off is drawn as that. */
export const FARTHEST = 0.5;

/** Distances of pixels → what a canvas takes. */
export function paintDistances(distances: Float32Array, scale: readonly Triple[]): ImageData {
  const side = Math.round(Math.sqrt(distances.length));
  const picture = new ImageData(side, side);
  for (const [pixel, distance] of distances.entries()) {
    const step = Math.round(Math.min(1, distance / FARTHEST) * (STEPS - 1));
    picture.data.set([...(scale[step] ?? [0, 0, 0]), 255], pixel * 4);
  }
  return picture;
}

/** @param from of no error, as #rrggbb, and `to` of the largest */
export function errorScale(from: string, to: string): Triple[] {
  const [none, most] = [toOklab(parse(from)), toOklab(parse(to))];
  return Array.from({ length: STEPS }, (_, step) => {
    const part = step / (STEPS - 1);
    return fromOklab(map(none, (value, i) => value + part * ((most[i] ?? 0) - value)));
  });
}

function parse(colour: string): Triple {
  const value = Number.parseInt(colour.replace('#', ''), 16);
  return [(value >> 16) & 255, (value >> 8) & 255, value & 255];
}

/** 0 … 255 with sRGB's curve ↔ light, 0 … 1. */
function toLight(value: number): number {
  const x = value / 255;
  return x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4;
}

function fromLight(light: number): number {
  const x = Math.min(1, Math.max(0, light));
  return Math.round(255 * (x <= 0.0031308 ? 12.92 * x : 1.055 * x ** (1 / 2.4) - 0.055));
}

function toOklab(colour: Triple): Triple {
  const cones = times(
    [
      [0.4122214708, 0.5363325363, 0.0514459929],
      [0.2119034982, 0.6806995451, 0.1073969566],
      [0.0883024619, 0.2817188376, 0.6299787005],
    ],
    map(colour, toLight),
  );
  return times(
    [
      [0.2104542553, 0.793617785, -0.0040720468],
      [1.9779984951, -2.428592205, 0.4505937099],
      [0.0259040371, 0.7827717662, -0.808675766],
    ],
    map(cones, Math.cbrt),
  );
}

function fromOklab(lab: Triple): Triple {
  const roots = times(
    [
      [1, 0.3963377774, 0.2158037573],
      [1, -0.1055613458, -0.0638541728],
      [1, -0.0894841775, -1.291485548],
    ],
    lab,
  );
  const light = times(
    [
      [4.0767416621, -3.3077115913, 0.2309699292],
      [-1.2684380046, 2.6097574011, -0.3413193965],
      [-0.0041960863, -0.7034186147, 1.707614701],
    ],
    map(roots, (root) => root ** 3),
  );
  return map(light, fromLight);
}

function times(rows: readonly [Triple, Triple, Triple], [x, y, z]: Triple): Triple {
  return map(rows, ([a, b, c]) => a * x + b * y + c * z);
}

function map<T>([a, b, c]: readonly [T, T, T], change: (value: T, index: number) => number): Triple {
  return [change(a, 0), change(b, 1), change(c, 2)];
}
