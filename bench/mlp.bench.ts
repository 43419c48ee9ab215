import { backward, forward, type Inputs } from '../kernels-test/mlp.reference';
import type { References } from '../kernels-test/allclose';
import { mlp } from '../src/ops/mlp';
import type { BenchCase, BenchSuite } from './bench';
import { asColumns, asRows, sampleRows, takeColumns, takeRows } from './rowSampling';

/** Products that a reference may take. */
const CHECKED = 3e7;

function mlpCase(rows: number, d: number, f: number, both: boolean): BenchCase {
  const some = sampleRows(rows, Math.max(8, Math.floor(CHECKED / d / f)));
  const units = sampleRows(f, Math.max(8, Math.floor(CHECKED / rows / d)));
  return {
    name: `${rows}×${d}, ${f} hidden ${both ? 'forward and backward' : 'forward'}`,
    inputs: { x: [rows, d], weight1: [f, d], bias1: [f], weight2: [d, f], bias2: [d], residual: [rows, d] },
    operation: ({ x, weight1, bias1, weight2, bias2, residual }) =>
      x && weight1 && bias1 && weight2 && bias2 && residual
        ? { y: mlp(x, { weight1, bias1, weight2, bias2, residual }) }
        : {},
    forward: (inputs: Inputs) => ({ y: asRows(forward(onRows(inputs, some)).y, some) }),
    ...(both ? { backward: (inputs: Inputs, dOutputs: References) => gradients(inputs, dOutputs, some, units) } : {}),
    flops: 4 * rows * d * f * (both ? 3 : 1),
    bytes: 4 * (3 * rows * d + 2 * rows * f + 2 * d * f) * (both ? 3 : 1),
    tolerance: 2e-6 * Math.max(1, Math.sqrt(Math.max(d, f, both ? rows : 0) / 1024)), // as of `matmul`
  };
}

function onRows(inputs: Inputs, rows: Uint32Array): Inputs {
  return { ...inputs, x: takeRows(inputs.x, rows), residual: takeRows(inputs.residual, rows) };
}

/** Of the gradients of x and residual some rows; of those of weights and first bias, those of some hidden units. */
function gradients(inputs: Inputs, { y }: References, rows: Uint32Array, units: Uint32Array): References {
  if (!y) return {};
  const ofRows = backward(onRows(inputs, rows), { y: takeRows(y, rows) });
  // A hidden unit's gradients need nothing of the others.
  const narrow = {
    ...inputs,
    weight1: takeRows(inputs.weight1, units),
    bias1: takeRows(inputs.bias1, units),
    weight2: takeColumns(inputs.weight2, units),
  };
  const ofUnits = backward(narrow, { y });
  return {
    x: asRows(ofRows.x, rows),
    residual: asRows(ofRows.residual, rows),
    weight1: asRows(ofUnits.weight1, units),
    bias1: asRows(ofUnits.bias1, units),
    weight2: asColumns(ofUnits.weight2, units, inputs.bias1.data.length),
    bias2: ofUnits.bias2,
  };
}

export default {
  kernel: 'mlp',
  cases: [
    mlpCase(272, 192, 768, false),
    mlpCase(272, 192, 768, true),
    mlpCase(416, 64, 256, true),
    mlpCase(1040, 192, 768, true),
    mlpCase(1088, 192, 768, true),
    mlpCase(8704, 192, 768, true),
    mlpCase(3200, 768, 3072, true),
    mlpCase(197, 768, 3072, true),
    mlpCase(1001, 33, 65, true),
  ],
} satisfies BenchSuite;
