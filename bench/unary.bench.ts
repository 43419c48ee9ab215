import { unaryReferences } from '../kernels-test/unary.reference';
import { tanh, softplus } from '../src/ops/unary';
import type { BenchSuite } from './bench';
import { elementwiseCase } from './elementwiseCase';

/** Operations of value and slope together; the exponential counted as one. */
const FLOPS = 30;

export default {
  kernel: 'unary',
  cases: [
    elementwiseCase('tanh', tanh, unaryReferences.tanh, { rows: 1040, width: 768, flops: FLOPS }),
    elementwiseCase('tanh', tanh, unaryReferences.tanh, { rows: 8704, width: 768, flops: FLOPS }),
    elementwiseCase('softplus', softplus, unaryReferences.softplus, { rows: 1001, width: 33, flops: FLOPS }),
  ],
} satisfies BenchSuite;
