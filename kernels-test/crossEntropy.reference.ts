import type { Reference, References } from './allclose';
import { scalar } from './reduce.reference';
import { logSoftmax } from './softmax.reference';

export type Inputs = { logits: Reference };

export function forward({ logits }: Inputs, targets: Reference): { loss: Reference } {
  const logs = logSoftmax(logits).data;
  const total = targets.data.reduce((sum, target, i) => sum - target * (logs[i] as number), 0);
  return { loss: scalar(total / (logits.shape[0] as number)) };
}

export function backward({ logits }: Inputs, targets: Reference, { loss: dLoss }: References): Inputs {
  const [rows = 1, width = 1] = logits.shape;
  const logs = logSoftmax(logits).data;
  const data = logs.map((log, i) => {
    const row = i - (i % width);
    const weight = targets.data.subarray(row, row + width).reduce((sum, target) => sum + target, 0);
    return ((dLoss?.data[0] as number) / rows) * (Math.exp(log) * weight - (targets.data[i] as number));
  });
  return { logits: { shape: logits.shape, data } };
}

/** Class targets as the soft ones that they stand for, smoothed; rows that are ignored are 0. */
export function targetsOf(
  classes: readonly number[],
  width: number,
  { smoothing = 0, ignoreIndex = -1 }: { readonly smoothing?: number; readonly ignoreIndex?: number } = {},
): Reference {
  const data = Float64Array.from({ length: classes.length * width }, (_, i) => {
    const at = classes[Math.floor(i / width)];
    if (at === ignoreIndex) return 0;
    return (i % width === at ? 1 - smoothing : 0) + smoothing / width;
  });
  return { shape: [classes.length, width], data };
}

/** Losses of rows. */
export function rowLosses({ logits }: Inputs, targets: Reference): Reference {
  const [rows = 1, width = 1] = logits.shape;
  const logs = logSoftmax(logits).data;
  const data = new Float64Array(rows);
  targets.data.forEach((target, i) => {
    const row = Math.floor(i / width);
    data[row] = (data[row] as number) - target * (logs[i] as number);
  });
  return { shape: [rows], data };
}

/** The gradients of `rowLosses`, weighted by `dLosses`, in logits and targets. */
export function rowGradients(
  { logits }: Inputs,
  targets: Reference,
  dLosses: (row: number) => number,
): { logits: Reference; targets: Reference } {
  const width = logits.shape[1] ?? 1;
  const logs = logSoftmax(logits).data;
  const { shape } = logits;
  const rowOf = (i: number): number => Math.floor(i / width);
  const sums = targets.data.reduce((all, target, i) => {
    all[rowOf(i)] = (all[rowOf(i)] ?? 0) + target;
    return all;
  }, [] as number[]);
  return {
    logits: {
      shape,
      data: logs.map(
        (log, i) => dLosses(rowOf(i)) * (Math.exp(log) * (sums[rowOf(i)] as number) - (targets.data[i] as number)),
      ),
    },
    targets: { shape, data: logs.map((log, i) => -dLosses(rowOf(i)) * log) },
  };
}
