import type { Reference, References } from '../kernels-test/allclose';
import { drawn, selected } from '../kernels-test/gather.reference';
import { moved, movedBack } from '../kernels-test/stridedCopy.reference';
import { padding } from '../kernels-test/scatterSum.reference';
import { embedding } from '../src/ops/gather';
import type { BenchCase, BenchSuite } from './bench';

function tableCase(what: string, extent: number, width: number, rows: Uint32Array): BenchCase {
  const { length } = rows;
  const shape = [extent, width];
  return {
    name: `${length} ${what} of ${shape.join('×')} forward and backward`,
    inputs: { x: shape },
    operation: ({ x }, graph) => (x ? { y: embedding(graph.input('rows', [length], 'u32', rows), x) } : {}),
    forward: ({ x }: { x: Reference }) => ({ y: moved(x, selected(shape, 0, rows)) }),
    backward: (_: unknown, { y }: References) => ({ x: movedBack(shape, selected(shape, 0, rows), y) }),
    flops: length * width,
    // Rows read and written, and dy once more; the whole gradient.
    bytes: 4 * width * (3 * length + extent),
  };
}

export default {
  kernel: 'scatterSum',
  cases: [
    tableCase('rows', 5000, 192, drawn(1024, 5000)),
    tableCase('rows, half of them one,', 5000, 192, padding(1024, 5000)),
    tableCase('rows', 961, 12, drawn(16_384, 961)),
  ],
} satisfies BenchSuite;
