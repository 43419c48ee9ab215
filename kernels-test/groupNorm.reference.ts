import { zeros, type Reference, type References } from './allclose';

export const EPS = 1e-5;

/** x [B, C, S]; scale and shift, where they are there. */
export type Inputs = { x: Reference; weight: Reference; bias: Reference };

/** Given mean and variance of each set, where it is not the batch's own. */
export interface Fixed {
  readonly mean: Float64Array;
  readonly variance: Float64Array;
}

/** What is normalised together: the number of the set that a sample's channel belongs to. */
export type SetOf = (sample: number, channel: number) => number;

interface At {
  readonly i: number;
  readonly channel: number;
  readonly set: number;
}

function elementsOf({ shape }: Reference, setOf: SetOf): At[] {
  const [samples = 0, channels = 0, ...space] = shape;
  const width = space.reduce((a, b) => a * b, 1);
  const found: At[] = [];
  for (let sample = 0; sample < samples; sample++) {
    for (let channel = 0; channel < channels; channel++) {
      const set = setOf(sample, channel);
      for (let s = 0; s < width; s++) found.push({ i: (sample * channels + channel) * width + s, channel, set });
    }
  }
  return found;
}

/** Sums of a value over each set. */
function sumsOf(elements: readonly At[], value: (at: At) => number): Float64Array {
  const sums = new Float64Array(Math.max(...elements.map(({ set }) => set)) + 1);
  for (const at of elements) sums[at.set] = (sums[at.set] as number) + value(at);
  return sums;
}

export function statisticsOf(x: Reference, setOf: SetOf): Fixed & { readonly count: number } {
  const elements = elementsOf(x, setOf);
  const [count = 1] = sumsOf(elements, () => 1);
  const mean = sumsOf(elements, ({ i }) => x.data[i] as number).map((sum) => sum / count);
  const squares = sumsOf(elements, ({ i, set }) => ((x.data[i] as number) - (mean[set] as number)) ** 2);
  return { mean, variance: squares.map((sum) => sum / count), count };
}

const rstdOf = ({ variance }: Fixed): Float64Array => variance.map((value) => 1 / Math.sqrt(value + EPS));

export function forward({ x, weight, bias }: Inputs, setOf: SetOf, fixed?: Fixed): { y: Reference } {
  const statistics = fixed ?? statisticsOf(x, setOf);
  const rstd = rstdOf(statistics);
  const y = zeros(x.shape);
  for (const { i, channel, set } of elementsOf(x, setOf)) {
    const normal = ((x.data[i] as number) - (statistics.mean[set] as number)) * (rstd[set] as number);
    y.data[i] = normal * (weight.data[channel] as number) + (bias.data[channel] as number);
  }
  return { y };
}

export function backward({ x, weight }: Inputs, { y: dy }: References, setOf: SetOf, fixed?: Fixed): Inputs {
  const statistics = fixed ?? statisticsOf(x, setOf);
  const rstd = rstdOf(statistics);
  const elements = elementsOf(x, setOf);
  const [count = 1] = sumsOf(elements, () => 1);
  const normal = ({ i, set }: At): number =>
    ((x.data[i] as number) - (statistics.mean[set] as number)) * (rstd[set] as number);
  const g = ({ i, channel }: At): number => (dy?.data[i] as number) * (weight.data[channel] as number);
  const meanG = sumsOf(elements, g).map((sum) => (fixed ? 0 : sum / count));
  const meanGX = sumsOf(elements, (at) => g(at) * normal(at)).map((sum) => (fixed ? 0 : sum / count));
  const [dx, dWeight, dBias] = [zeros(x.shape), zeros(weight.shape), zeros(weight.shape)];
  for (const at of elements) {
    const { i, channel, set } = at;
    dx.data[i] = (rstd[set] as number) * (g(at) - (meanG[set] as number) - normal(at) * (meanGX[set] as number));
    dWeight.data[channel] = (dWeight.data[channel] as number) + (dy?.data[i] as number) * normal(at);
    dBias.data[channel] = (dBias.data[channel] as number) + (dy?.data[i] as number);
  }
  return { x: dx, weight: dWeight, bias: dBias };
}
