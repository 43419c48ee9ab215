import { zeros, type Reference, type References } from './allclose';

export type Inputs = { x: Reference };

/** All of both axes, lines then columns. */
export interface Windows {
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly padding: readonly [number, number];
  readonly dilation: readonly [number, number];
  /** Undefined for the largest element; for the mean, whether it is over the padding, too. */
  readonly countIncludePad?: boolean;
}

/** One output: the elements of x that it is made of, and by how much each counts. */
type Share = readonly (readonly [at: number, weight: number])[];

/** Of each output, in order. */
function sharesOf({ shape, data }: Reference, windows: Windows): { shape: number[]; shares: Share[] } {
  const { kernel, stride, padding, dilation, countIncludePad } = windows;
  const [B = 1, C = 1, H = 1, W = 1] = shape;
  const along = (axis: 0 | 1, size: number): number =>
    Math.floor((size + 2 * padding[axis] - dilation[axis] * (kernel[axis] - 1) - 1) / stride[axis]) + 1;
  const [P, Q] = [along(0, H), along(1, W)];
  const shares = Array.from({ length: B * C * P * Q }, (_, n): Share => {
    const [plane, p, q] = [Math.floor(n / (P * Q)), Math.floor(n / Q) % P, n % Q];
    const held: number[] = [];
    for (let t = 0; t < kernel[0] * kernel[1]; t++) {
      const line = p * stride[0] - padding[0] + Math.floor(t / kernel[1]) * dilation[0];
      const column = q * stride[1] - padding[1] + (t % kernel[1]) * dilation[1];
      if (line >= 0 && line < H && column >= 0 && column < W) held.push((plane * H + line) * W + column);
    }
    if (countIncludePad !== undefined) {
      const divisor = countIncludePad ? kernel[0] * kernel[1] : held.length;
      return held.map((at) => [at, 1 / divisor]);
    }
    const largest = Math.max(...held.map((at) => data[at] as number));
    return held
      .filter((at) => data[at] === largest)
      .slice(0, 1)
      .map((at) => [at, 1]);
  });
  return { shape: [B, C, P, Q], shares };
}

export function forward(windows: Windows, { x }: Inputs): { y: Reference } {
  const { shape, shares } = sharesOf(x, windows);
  const sums = shares.map((share) => share.reduce((sum, [at, weight]) => sum + weight * (x.data[at] as number), 0));
  return { y: { shape, data: Float64Array.from(sums) } };
}

export function backward(windows: Windows, { x }: Inputs, { y }: References): Inputs {
  const dx = zeros(x.shape);
  for (const [i, share] of sharesOf(x, windows).shares.entries()) {
    for (const [at, weight] of share) dx.data[at] = (dx.data[at] as number) + weight * (y?.data[i] as number);
  }
  return { x: dx };
}
