import type { Reference, References } from './allclose';

export type Inputs = { prediction: Reference; target: Reference };

export function forward({ prediction, target }: Inputs): { loss: Reference } {
  const squares = prediction.data.map((value, i) => (value - (target.data[i] as number)) ** 2);
  const sum = squares.reduce((all, square) => all + square, 0);
  return { loss: { shape: [], data: Float64Array.of(sum / squares.length) } };
}

export function backward({ prediction, target }: Inputs, { loss: dLoss }: References): Inputs {
  const scale = (2 * (dLoss?.data[0] as number)) / prediction.data.length;
  const difference = prediction.data.map((value, i) => scale * (value - (target.data[i] as number)));
  return {
    prediction: { shape: prediction.shape, data: difference },
    target: { shape: target.shape, data: difference.map((value) => -value) },
  };
}
