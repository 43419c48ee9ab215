import type { MatmulLayout } from '../src/ops/matmulPlan';
import { zeros, type Reference, type References } from './allclose';

export type Inputs = { a: Reference; b: Reference };

function transposed({ shape: [rows = 1, columns = 1], data }: Reference): Reference {
  const turned = zeros([columns, rows]);
  data.forEach((value, i) => (turned.data[(i % columns) * rows + Math.floor(i / columns)] = value));
  return turned;
}

/** A·B of plain matrices [M, K] and [K, N]. */
function product(a: Reference, b: Reference): Reference {
  const [m = 1, k = 1] = a.shape;
  const [, n = 1] = b.shape;
  const c = zeros([m, n]);
  for (let row = 0; row < m; row++) {
    for (let i = 0; i < k; i++) {
      const x = a.data[row * k + i] as number;
      for (let column = 0; column < n; column++) {
        const at = row * n + column;
        c.data[at] = (c.data[at] as number) + x * (b.data[i * n + column] as number);
      }
    }
  }
  return c;
}

/** nn: A·B, nt: A·Bᵀ, tn: Aᵀ·B, of matrices as they are stored. */
export function forward(layout: MatmulLayout, { a, b }: Inputs): { c: Reference } {
  return { c: product(layout === 'tn' ? transposed(a) : a, layout === 'nt' ? transposed(b) : b) };
}

export function backward(layout: MatmulLayout, { a, b }: Inputs, { c }: References): Inputs {
  const dC = c as Reference;
  // Of op(A) and op(B); those of the stored matrices are theirs, turned back.
  const dA = product(dC, layout === 'nt' ? b : transposed(b));
  const dB = product(layout === 'tn' ? a : transposed(a), dC);
  return { a: layout === 'tn' ? transposed(dA) : dA, b: layout === 'nt' ? transposed(dB) : dB };
}
