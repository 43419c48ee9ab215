import * as reference from '../kernels-test/mask.reference';
import { drawMasks } from '../src/ops/mask';
import type { Reference } from '../kernels-test/allclose';
import type { BenchCase, BenchSuite } from './bench';

const COUNTER: reference.MaskCounter = [1, 0, 6, 0, 0];

type Shaped = 'random' | 'block' | 'grid';

function ordersOf(choice: Shaped, batch: number, length: number, keep: number): reference.Orders {
  if (choice === 'block') return reference.drawBlockMasks(batch, length, keep, COUNTER);
  if (choice === 'grid') return reference.drawGridMasks(batch, length, COUNTER);
  return reference.drawMasks(batch, length, COUNTER);
}

/** A quarter of the patches is visible. */
function maskCase(batch: number, length: number, choice: Shaped = 'random'): BenchCase {
  const keep = Math.ceil(length / 4);
  const ids = (data: Uint32Array): Reference => ({ shape: [batch, length], data: Float64Array.from(data) });
  return {
    name: `${batch}×${length}${choice === 'random' ? '' : ` ${choice}`}`,
    inputs: {},
    operation: (_, graph) => {
      const counter = graph.input('counter', [5], 'u32', Uint32Array.from(COUNTER));
      const { idsShuffle, idsRestore } = drawMasks({ batch, length, keep, counter, choice });
      return { idsShuffle, idsRestore };
    },
    forward: () => {
      const { idsShuffle, idsRestore } = ordersOf(choice, batch, length, keep);
      return { idsShuffle: ids(idsShuffle), idsRestore: ids(idsRestore) };
    },
    flops: batch * length * length, // comparisons
    bytes: batch * length * 4 * 2,
    tolerance: 0,
  };
}

export default {
  kernel: 'mask',
  cases: [
    maskCase(64, 64),
    maskCase(64, 196),
    maskCase(64, 256),
    maskCase(512, 64),
    maskCase(4, 1024),
    maskCase(64, 196, 'block'),
    maskCase(64, 196, 'grid'),
  ],
} satisfies BenchSuite;
