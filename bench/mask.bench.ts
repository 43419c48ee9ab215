import * as reference from '../kernels-test/mask.reference';
import { drawMasks } from '../src/ops/mask';
import type { Reference } from '../kernels-test/compare';
import type { BenchCase, BenchSuite } from './bench';

const COUNTER: reference.MaskCounter = [1, 0, 6, 0, 0];

function maskCase(batch: number, length: number): BenchCase {
  const ids = (data: Uint32Array): Reference => ({ shape: [batch, length], data: Float64Array.from(data) });
  return {
    name: `${batch}×${length}`,
    inputs: {},
    operation: (graph) => {
      const counter = graph.input('counter', [5], 'u32', Uint32Array.from(COUNTER));
      const { idsShuffle, idsRestore } = drawMasks(graph, { batch, length, keep: 1, counter });
      return { idsShuffle, idsRestore };
    },
    forward: () => {
      const { idsShuffle, idsRestore } = reference.drawMasks(batch, length, COUNTER);
      return { idsShuffle: ids(idsShuffle), idsRestore: ids(idsRestore) };
    },
    flops: batch * length * length, // comparisons
    bytes: batch * length * 4 * 2,
    tolerance: 0,
  };
}

export default {
  kernel: 'mask',
  cases: [maskCase(64, 64), maskCase(64, 196), maskCase(64, 256), maskCase(4, 1024)],
} satisfies BenchSuite;
