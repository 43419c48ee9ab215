import { zeros, type Reference, type References } from './allclose';

export type Inputs = { z: Reference };

export function forward({ z }: Inputs, target: Reference, branches: number): { loss: Reference } {
  const width = z.data.length / branches;
  const loss = zeros([branches]);
  z.data.forEach((value, i) => {
    const branch = Math.floor(i / width);
    loss.data[branch] = (loss.data[branch] as number) + (value - (target.data[i] as number)) ** 2 / width;
  });
  return { loss };
}

export function backward({ z }: Inputs, target: Reference, branches: number, { loss: dLoss }: References): Inputs {
  const width = z.data.length / branches;
  const data = z.data.map((value, i) => {
    const upstream = dLoss?.data[Math.floor(i / width)] as number;
    return (upstream * 2 * (value - (target.data[i] as number))) / width;
  });
  return { z: { shape: z.shape, data } };
}
