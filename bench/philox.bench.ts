import * as reference from '../kernels-test/philox.reference';
import { philoxFill, type PhiloxStream } from '../src/ops/philox';
import type { BenchCase, BenchSuite } from './bench';

const STREAM: PhiloxStream = { key: [1, 0], counter: [2, 3, 0] };

/** Ten rounds of two 32×32 → 64 bit products (about 20 integer operations each) and six more make four words. */
const OPERATIONS_A_WORD = (10 * 46) / 4;

function philoxCase(count: number): BenchCase {
  return {
    name: `${count} words`,
    inputs: {},
    operation: (_, graph) => ({ words: philoxFill(graph, count, STREAM) }),
    forward: () => ({ words: { shape: [count], data: reference.philoxFill(count, STREAM) } }),
    flops: count * OPERATIONS_A_WORD,
    bytes: count * 4,
    tolerance: 0,
  };
}

export default {
  kernel: 'philox',
  cases: [philoxCase(16_384), philoxCase(262_147), philoxCase(1 << 22)],
} satisfies BenchSuite;
