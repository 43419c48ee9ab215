import { zeros, type Reference, type References } from './allclose';
import { toPatches } from './patchify.reference';

export type Inputs = { prediction: Reference };

export interface Setting {
  /** [S·B, C, H, W]. */
  readonly images: Reference;
  /** B rows of L. */
  readonly idsRestore: Uint32Array;
  readonly batch: number;
  readonly keep: number;
  readonly patch: number;
  readonly normPix: boolean;
}

/** [S·B, L, P·P·C], normalised a patch where that is asked for. */
export function targets({ images, patch, normPix }: Setting): Reference {
  const patches = toPatches({ images: images.shape, patch, order: 'channelsLast' }, images);
  if (!normPix) return patches;
  const size = patches.shape.at(-1) as number;
  for (let at = 0; at < patches.data.length; at += size) {
    const values = patches.data.subarray(at, at + size);
    const mean = values.reduce((sum, value) => sum + value, 0) / size;
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (size - 1);
    values.forEach((value, i) => (values[i] = (value - mean) / Math.sqrt(variance + 1e-6)));
  }
  return patches;
}

/** Calls `visit` for each element of a removed patch: its branch, place in the prediction, target, and weight. */
function eachElement(
  setting: Setting,
  visit: (branch: number, at: number, target: number, weight: number) => void,
): void {
  const { idsRestore, batch, keep } = setting;
  const { shape, data } = targets(setting);
  const [samples = 1, length = 1, size = 1] = shape;
  for (let sample = 0; sample < samples; sample++) {
    for (let l = 0; l < length; l++) {
      if ((idsRestore[(sample % batch) * length + l] as number) < keep) continue;
      for (let e = 0; e < size; e++) {
        const target = data[(sample * length + l) * size + e] as number;
        const at = (sample * (1 + length) + 1 + l) * size + e;
        visit(Math.floor(sample / batch), at, target, 1 / (size * batch * (length - keep)));
      }
    }
  }
}

export function forward(setting: Setting, { prediction }: Inputs): { loss: Reference } {
  const loss = zeros([(prediction.shape[0] as number) / setting.batch]);
  eachElement(setting, (branch, at, target, weight) => {
    loss.data[branch] = (loss.data[branch] as number) + weight * ((prediction.data[at] as number) - target) ** 2;
  });
  return { loss };
}

export function backward(setting: Setting, { prediction }: Inputs, { loss: dLoss }: References): Inputs {
  const gradient = zeros(prediction.shape);
  eachElement(setting, (branch, at, target, weight) => {
    gradient.data[at] = (dLoss?.data[branch] as number) * 2 * weight * ((prediction.data[at] as number) - target);
  });
  return { prediction: gradient };
}
