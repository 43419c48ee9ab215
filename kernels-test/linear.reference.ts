import { sizeOf } from '../src/tensor/shape';
import type { Reference, References } from './allclose';
import * as matmul from './matmul.reference';
import { rowsSum } from './splitKReduce.reference';

/** x [..., K], weight [N, K], bias [N], and a residual [..., N] where there is one. */
export type Inputs = { x: Reference; weight: Reference; bias: Reference };
export type InputsWithResidual = Inputs & { residual: Reference };

/** All but the last extent taken together. */
function matrixOf({ shape, data }: Reference): Reference {
  return { shape: [sizeOf(shape.slice(0, -1)), shape.at(-1) as number], data };
}

/** x·Wᵀ + b + residual: [..., N]. */
export function forward(inputs: Inputs & { residual?: Reference }): { y: Reference } {
  const { x, weight, bias, residual } = inputs;
  const { c } = matmul.forward('nt', { a: matrixOf(x), b: weight });
  const n = bias.data.length;
  const data = c.data.map((sum, i) => sum + (bias.data[i % n] as number) + (residual?.data[i] ?? 0));
  return { y: { shape: [...x.shape.slice(0, -1), n], data } };
}

/** The gradient of the residual is that of y. */
export function backward({ x, weight }: Inputs, { y }: References): InputsWithResidual {
  const residual = y as Reference;
  const dC = matrixOf(residual);
  const gradients = matmul.backward('nt', { a: matrixOf(x), b: weight }, { c: dC });
  return { x: { shape: x.shape, data: gradients.a.data }, weight: gradients.b, bias: rowsSum(dC), residual };
}
