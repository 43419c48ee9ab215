import { zeros, type Reference } from './allclose';

export interface Crop {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly flip: boolean;
}

/** Keys' kernel with a = −½. */
function cubic(distance: number): number {
  const x = Math.abs(distance);
  if (x < 1) return 1.5 * x ** 3 - 2.5 * x ** 2 + 1;
  return x < 2 ? -0.5 * x ** 3 + 2.5 * x ** 2 - 4 * x + 2 : 0;
}

/** Resizes the part start … start + extent of a line of bytes to `size` values. */
function resizeLine(line: readonly number[], start: number, extent: number, size: number): number[] {
  const scale = extent / size;
  const stretch = Math.max(scale, 1);
  return Array.from({ length: size }, (_, at) => {
    const centre = start + (at + 0.5) * scale;
    const weights = line.map((_, i) => cubic((i + 0.5 - centre) / stretch));
    const sum = line.reduce((total, value, i) => total + value * (weights[i] as number), 0);
    return Math.min(255, Math.max(0, sum / weights.reduce((total, weight) => total + weight, 0)));
  });
}

/** One image's plane H×W, cropped, resized to size×size and flipped; on the scale of bytes. */
function resizePlane(plane: readonly number[][], { x, y, width, height, flip }: Crop, size: number): number[][] {
  const rows = plane.map((row) => resizeLine(row, x, width, size));
  const columns = Array.from({ length: size }, (_, at) => {
    const column = flip ? size - 1 - at : at;
    return resizeLine(
      rows.map((row) => row[column] as number),
      y,
      height,
      size,
    );
  });
  return Array.from({ length: size }, (_, row) => columns.map((column) => column[row] as number));
}

/** The images of a set [n, C, H, W] that `indices` names, augmented: [B, C, size, size]. */
export function augment(
  set: { readonly shape: readonly [number, number, number, number]; readonly data: Uint8Array },
  indices: readonly number[],
  crops: readonly Crop[],
  { mean, std, size }: { readonly mean: readonly number[]; readonly std: readonly number[]; readonly size: number },
): Reference {
  const [, channels, height, width] = set.shape;
  const out = zeros([indices.length, channels, size, size]);
  indices.forEach((index, sample) => {
    for (let c = 0; c < channels; c++) {
      const plane = Array.from({ length: height }, (_, y) => {
        const start = ((index * channels + c) * height + y) * width;
        return Array.from(set.data.subarray(start, start + width));
      });
      const pixels = resizePlane(plane, crops[sample] as Crop, size).flat();
      const normal = pixels.map((value) => (value / 255 - (mean[c] as number)) / (std[c] as number));
      out.data.set(normal, (sample * channels + c) * size * size);
    }
  });
  return out;
}
