import * as reference from '../kernels-test/relu.reference';
import { relu } from '../src/ops/relu';
import type { BenchSuite } from './bench';
import { elementwiseCase } from './elementwiseCase';

/** Of value and slope together. */
const FLOPS = 3;

export default {
  kernel: 'relu',
  cases: [
    elementwiseCase('relu', relu, reference.relu, { rows: 1040, width: 768, flops: FLOPS }),
    elementwiseCase('relu', relu, reference.relu, { rows: 8704, width: 768, flops: FLOPS }),
    elementwiseCase('relu', relu, reference.relu, { rows: 1001, width: 33, flops: FLOPS }),
  ],
} satisfies BenchSuite;
