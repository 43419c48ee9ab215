import { sizeOf, type Shape } from '../src/tensor/shape';
import type { Reference, References } from '../kernels-test/allclose';
import { moved, movedBack } from '../kernels-test/stridedCopy.reference';
import { triangle } from '../kernels-test/triangle.reference';
import { tril } from '../src/ops/triangle';
import type { BenchCase, BenchSuite } from './bench';

function trilCase(shape: Shape): BenchCase {
  const places = () => triangle(shape, (right) => right <= 0);
  return {
    name: `tril ${shape.join('×')} forward and backward`,
    inputs: { x: [...shape] },
    operation: ({ x }) => (x ? { y: tril(x) } : {}),
    forward: ({ x }: { x: Reference }) => ({ y: moved(x, places()) }),
    backward: (_: unknown, { y }: References) => ({ x: movedBack(shape, places(), y) }),
    flops: 0,
    bytes: 2 * 2 * 4 * sizeOf(shape),
  };
}

export default { kernel: 'triangle', cases: [trilCase([12, 197, 197]), trilCase([33, 17, 65])] } satisfies BenchSuite;
