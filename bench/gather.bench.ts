import type { Reference } from '../kernels-test/allclose';
import { drawn, gathered, selected } from '../kernels-test/gather.reference';
import { moved } from '../kernels-test/stridedCopy.reference';
import { embedding, gather } from '../src/ops/gather';
import type { BenchSuite } from './bench';

const rows = drawn(1024, 5000);
const places = drawn(512 * 64, 1000);

export default {
  kernel: 'gather',
  cases: [
    {
      name: '1024 rows of 5000×192',
      inputs: { x: [5000, 192] },
      operation: ({ x }, graph) => (x ? { y: embedding(graph.input('rows', [1024], 'u32', rows), x) } : {}),
      forward: ({ x }: { x: Reference }) => ({ y: moved(x, selected([5000, 192], 0, rows)) }),
      flops: 0,
      bytes: 1024 * 4 * (1 + 2 * 192),
    },
    {
      name: '512×64 of 512×1000 along 1',
      inputs: { x: [512, 1000] },
      operation: ({ x }, graph) => (x ? { y: gather(x, 1, graph.input('indices', [512, 64], 'u32', places)) } : {}),
      forward: ({ x }: { x: Reference }) => ({
        y: moved(x, gathered([512, 1000], 1, { shape: [512, 64], data: places })),
      }),
      flops: 0,
      bytes: 512 * 64 * 4 * 3,
    },
  ],
} satisfies BenchSuite;
