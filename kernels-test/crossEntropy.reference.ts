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
