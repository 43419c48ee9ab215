import type { Reference, References } from '../kernels-test/allclose';
import { scalesOf } from '../kernels-test/dropout.reference';
import { dropout } from '../src/ops/dropout';
import type { BenchCase, BenchSuite } from './bench';

/** Forward and backward. */
function dropoutCase(count: number): BenchCase {
  const p = 0.1;
  /** As the first run scales it: that is the one which is checked. */
  const scaled = (of: Reference | undefined): Reference => {
    const scales = scalesOf(count, p, { seed: 0, step: 0, index: 0 });
    return { shape: [count], data: scales.map((scale, i) => scale * (of?.data[i] ?? NaN)) };
  };
  return {
    name: `${count} elements`,
    inputs: { x: [count] },
    operation: ({ x }) => (x ? { y: dropout(x, p) } : {}),
    forward: ({ x }: References) => ({ y: scaled(x) }),
    backward: (_: References, { y }: References) => ({ x: scaled(y) }),
    flops: 2 * count,
    bytes: count * 4 * 4,
  };
}

export default { kernel: 'dropout', cases: [dropoutCase(1 << 20), dropoutCase(1 << 24)] } satisfies BenchSuite;
