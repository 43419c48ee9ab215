import { zeros, type Reference, type References } from './allclose';

export type Inputs = { x: Reference; weight: Reference; bias: Reference };

/** All of both axes, lines then columns. */
export interface Moves {
  readonly stride: readonly [number, number];
  readonly padding: readonly [number, number];
  readonly dilation: readonly [number, number];
  readonly groups: number;
}

type FourAxes = readonly [number, number, number, number];

/** A shape, which here has four axes. */
const four = ({ shape }: Reference): FourAxes => shape as unknown as FourAxes;

const indexOf = ([, C, H, W]: FourAxes, b: number, c: number, h: number, w: number): number =>
  ((b * C + c) * H + h) * W + w;

/** Where a term of the sum lies in x, in the weight and in y. */
type Term = readonly [x: number, weight: number, y: number];

/** The terms of the sizes asked for last, of two layers: finite differences and steps ask for the same many times. */
const known = new Map<string, readonly Term[]>();
const MOST_KNOWN = 2;

/** Every product of a convolution of x to y that does not meet padding. */
function terms(x: FourAxes, weight: FourAxes, y: FourAxes, moves: Moves): readonly Term[] {
  const sizes = JSON.stringify([x, weight, y, moves]);
  const found = known.get(sizes) ?? termsOf(x, weight, y, moves);
  known.set(sizes, found);
  const [oldest] = known.keys();
  if (known.size > MOST_KNOWN && oldest !== undefined) known.delete(oldest);
  return found;
}

function termsOf(x: FourAxes, weight: FourAxes, y: FourAxes, { stride, padding, dilation, groups }: Moves): Term[] {
  const found: Term[] = [];
  const [B, O, P, Q] = y;
  const [, K, kh, kw] = weight;
  for (let n = 0; n < B * O * P * Q; n++) {
    const [b, o, p, q] = [Math.floor(n / (O * P * Q)), Math.floor(n / (P * Q)) % O, Math.floor(n / Q) % P, n % Q];
    for (let t = 0; t < K * kh * kw; t++) {
      const [k, i, j] = [Math.floor(t / (kh * kw)), Math.floor(t / kw) % kh, t % kw];
      const line = p * stride[0] + i * dilation[0] - padding[0];
      const column = q * stride[1] + j * dilation[1] - padding[1];
      if (line < 0 || line >= x[2] || column < 0 || column >= x[3]) continue;
      const channel = Math.floor(o / (O / groups)) * K + k;
      found.push([indexOf(x, b, channel, line, column), indexOf(weight, o, k, i, j), n]);
    }
  }
  return found;
}

/** The bias's gradient, or, with a bias, what an output begins with. */
function eachChannel(of: Reference, visit: (channel: number, at: number) => void): void {
  const [B, O, H, W] = four(of);
  for (let at = 0; at < B * O * H * W; at++) visit(Math.floor(at / (H * W)) % O, at);
}

function shapeOf({ x, weight }: Inputs, { stride, padding, dilation }: Moves): FourAxes {
  const along = (axis: 0 | 1): number => {
    const span = dilation[axis] * (four(weight)[2 + axis] as number) - dilation[axis] + 1;
    return Math.floor(((four(x)[2 + axis] as number) + 2 * padding[axis] - span) / stride[axis]) + 1;
  };
  return [four(x)[0], four(weight)[0], along(0), along(1)];
}

/** conv2d, term by term. */
export function forward(moves: Moves, inputs: Inputs): { y: Reference } {
  const y = zeros(shapeOf(inputs, moves));
  eachChannel(y, (channel, at) => (y.data[at] = inputs.bias.data[channel] as number));
  for (const [atX, atWeight, atY] of terms(four(inputs.x), four(inputs.weight), four(y), moves)) {
    const product = (inputs.x.data[atX] as number) * (inputs.weight.data[atWeight] as number);
    y.data[atY] = (y.data[atY] as number) + product;
  }
  return { y };
}

export function backward(moves: Moves, { x, weight, bias }: Inputs, { y }: References): Inputs {
  const dY = y as Reference;
  const gradients = { x: zeros(x.shape), weight: zeros(weight.shape), bias: zeros(bias.shape) };
  const add = (name: keyof Inputs, at: number, value: number): void => {
    gradients[name].data[at] = (gradients[name].data[at] as number) + value;
  };
  eachChannel(dY, (channel, at) => add('bias', channel, dY.data[at] as number));
  for (const [atX, atWeight, atY] of terms(four(x), four(weight), four(dY), moves)) {
    add('x', atX, (dY.data[atY] as number) * (weight.data[atWeight] as number));
    add('weight', atWeight, (dY.data[atY] as number) * (x.data[atX] as number));
  }
  return gradients;
}

/** The transposed convolution to [B, O, ...size]: x is the small side of the same terms. */
export function forwardTransposed(
  moves: Moves,
  size: readonly [number, number],
  { x, weight, bias }: Inputs,
): { y: Reference } {
  const y = zeros([four(x)[0], bias.data.length, ...size]);
  eachChannel(y, (channel, at) => (y.data[at] = bias.data[channel] as number));
  for (const [atX, atWeight, atY] of terms(four(y), four(weight), four(x), moves)) {
    const product = (x.data[atY] as number) * (weight.data[atWeight] as number);
    y.data[atX] = (y.data[atX] as number) + product;
  }
  return { y };
}

export function backwardTransposed(moves: Moves, { x, weight, bias }: Inputs, { y }: References): Inputs {
  const large = y as Reference;
  const gradients = { x: zeros(x.shape), weight: zeros(weight.shape), bias: zeros(bias.shape) };
  const add = (name: keyof Inputs, at: number, value: number): void => {
    gradients[name].data[at] = (gradients[name].data[at] as number) + value;
  };
  eachChannel(large, (channel, at) => add('bias', channel, large.data[at] as number));
  for (const [atX, atWeight, atY] of terms(four(large), four(weight), four(x), moves)) {
    add('x', atY, (large.data[atX] as number) * (weight.data[atWeight] as number));
    add('weight', atWeight, (large.data[atX] as number) * (x.data[atY] as number));
  }
  return gradients;
}
