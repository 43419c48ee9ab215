import { zeros, type Reference, type References } from './allclose';
import { targets, type Setting } from './maskedMse.reference';

export type Inputs = { prediction: Reference };

/** As of `maskedMse`, but `images` are [2B, C, H, W], the first half of which is the target, and `idsRestore` has `batch` = 2B rows. */
export type { Setting };

/** Calls `visit` for each element of a patch that both masks remove: its places in the predictions, and its target. */
function eachElement(
  setting: Setting,
  visit: (atA: number, atB: number, target: number, weight: number) => void,
): void {
  const { idsRestore, keep } = setting;
  const { shape, data } = targets(setting);
  const [twice = 2, length = 1, size = 1] = shape;
  const samples = twice / 2;
  const isRemoved = (row: number, l: number): boolean => (idsRestore[row * length + l] as number) >= keep;
  const both: [number, number][] = [];
  for (let sample = 0; sample < samples; sample++) {
    for (let l = 0; l < length; l++) if (isRemoved(sample, l) && isRemoved(samples + sample, l)) both.push([sample, l]);
  }
  for (const [sample, l] of both) {
    for (let e = 0; e < size; e++) {
      const at = (sample * (1 + length) + 1 + l) * size + e;
      const target = data[(sample * length + l) * size + e] as number;
      visit(at, at + samples * (1 + length) * size, target, 1 / (both.length * size));
    }
  }
}

export function forward(setting: Setting, { prediction: { data } }: Inputs): { align: Reference } {
  const align = zeros([1]);
  eachElement(setting, (a, b, _, weight) => {
    align.data[0] = (align.data[0] as number) + (weight / 2) * ((data[a] as number) - (data[b] as number)) ** 2;
  });
  return { align };
}

export function backward(setting: Setting, { prediction }: Inputs, { align: dAlign }: References): Inputs {
  const gradient = zeros(prediction.shape);
  eachElement(setting, (a, b, _, weight) => {
    const apart = (prediction.data[a] as number) - (prediction.data[b] as number);
    const value = (dAlign?.data[0] as number) * weight * apart;
    gradient.data[a] = value;
    gradient.data[b] = -value;
  });
  return { prediction: gradient };
}

/** Twice the error of the mean prediction, and the sum of both errors, over the patches that both masks remove. */
export function errors(setting: Setting, { data }: Reference): { centre: number; sum: number } {
  let [centre, sum] = [0, 0];
  eachElement(setting, (a, b, target, weight) => {
    const [one, other] = [data[a] as number, data[b] as number];
    centre += weight * 2 * ((one + other) / 2 - target) ** 2;
    sum += weight * ((one - target) ** 2 + (other - target) ** 2);
  });
  return { centre, sum };
}
