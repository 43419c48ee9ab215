import { backward, forward, type Inputs } from '../kernels-test/linear.reference';
import type { References } from '../kernels-test/allclose';
import { linear } from '../src/ops/linear';
import type { BenchCase, BenchSuite } from './bench';
import { asRows, sampleRows, takeColumns, takeRows } from './rowSampling';

/** Products that a reference may take. */
const CHECKED = 3e7;

function linearCase(rows: number, n: number, k: number, both: boolean): BenchCase {
  const some = sampleRows(rows, Math.max(8, Math.floor(CHECKED / n / k)));
  const outputs = sampleRows(n, Math.max(8, Math.floor(CHECKED / rows / k)));
  return {
    name: `${rows}×${k} → ${n} ${both ? 'forward and backward' : 'forward'}`,
    inputs: { x: [rows, k], weight: [n, k], bias: [n] },
    operation: ({ x, weight, bias }) => (x && weight && bias ? { y: linear(x, weight, bias) } : {}),
    forward: (inputs: Inputs) => ({ y: asRows(forward({ ...inputs, x: takeRows(inputs.x, some) }).y, some) }),
    ...(both ? { backward: (inputs: Inputs, dOutputs: References) => gradients(inputs, dOutputs, some, outputs) } : {}),
    flops: 2 * rows * n * k * (both ? 3 : 1),
    bytes: 4 * (rows * k + n * k + rows * n) * (both ? 3 : 1),
    tolerance: 2e-6 * Math.max(1, Math.sqrt(Math.max(k, both ? Math.max(rows, n) : 0) / 1024)), // as of `matmul`
  };
}

/** Of the input's gradient some rows; of the weight's and the bias's, those of some outputs. */
function gradients(
  { x, weight, bias }: Inputs,
  { y }: References,
  rows: Uint32Array,
  outputs: Uint32Array,
): References {
  if (!y) return {};
  const ofRows = backward({ x: takeRows(x, rows), weight, bias }, { y: takeRows(y, rows) });
  const ofOutputs = backward({ x, weight: takeRows(weight, outputs), bias }, { y: takeColumns(y, outputs) });
  return {
    x: asRows(ofRows.x, rows),
    weight: asRows(ofOutputs.weight, outputs),
    bias: asRows(ofOutputs.bias, outputs),
  };
}

export default {
  kernel: 'linear',
  cases: [
    linearCase(272, 576, 192, false),
    linearCase(272, 576, 192, true),
    linearCase(1040, 192, 192, true),
    linearCase(1088, 576, 192, true),
    linearCase(8704, 768, 192, true),
    linearCase(3152, 2304, 768, true),
    linearCase(197, 2304, 768, true),
    linearCase(1001, 65, 33, true),
  ],
} satisfies BenchSuite;
