import { zeros, type Reference } from './allclose';

export type Inputs = { image1: Reference; image2: Reference; alpha: Reference };

export function forward(
  { image1, image2, alpha }: Inputs,
  branches: 1 | 2 = 2,
): { mixed: Reference; targets: Reference } {
  const [batch = 1, ...inner] = image1.shape;
  const mixed = zeros(image1.shape);
  const targets = zeros([branches * batch, ...inner]);
  const size = image1.data.length;
  for (let i = 0; i < size; i++) {
    const sample = Math.floor(i / (size / batch));
    const weight = alpha.data[alpha.data.length === 1 ? 0 : sample] as number;
    const pair = [image1.data[i] as number, image2.data[i] as number] as const;
    mixed.data[i] = weight * pair[0] + (1 - weight) * pair[1];
    const [subordinate, dominant] = weight <= 1 - weight ? pair : [pair[1], pair[0]];
    targets.data[i] = subordinate;
    if (branches === 2) targets.data[size + i] = dominant;
  }
  return { mixed, targets };
}
