import type { Reference } from './allclose';

export type Inputs = Readonly<Record<'a' | 'b', Reference>>;

export function forward({ a, b }: Inputs): { out: Reference } {
  return { out: { shape: a.shape, data: a.data.map((x, i) => x + (b.data[i] as number)) } };
}

export function backward(_: Inputs, dOutputs: Readonly<Record<string, Reference>>): Record<'a' | 'b', Reference> {
  const dOut = dOutputs['out'] as Reference;
  return { a: dOut, b: dOut };
}
