import { type Reference } from '../kernels-test/allclose';
import { listed, moved, movedBack, placesOf, tiled, type Places } from '../kernels-test/stridedCopy.reference';
import { expand } from '../src/ops/expand';
import { permute } from '../src/ops/permute';
import { slice } from '../src/ops/slice';
import { sizeOf, type Shape } from '../src/tensor/shape';
import type { Tensor } from '../src/tensor/tensor';
import type { BenchCase, BenchSuite } from './bench';

function moveCase(name: string, shape: Shape, placesIn: () => Places, operation: (x: Tensor) => Tensor): BenchCase {
  let made: Places | undefined;
  const places = (): Places => (made ??= placesIn());
  return {
    name: `${name} forward and backward`,
    inputs: { x: [...shape] },
    operation: ({ x }) => (x ? { y: operation(x) } : {}),
    forward: ({ x }: { x: Reference }) => ({ y: moved(x, places()) }),
    backward: (_: unknown, { y }: Readonly<Record<string, Reference>>) => ({ x: movedBack(shape, places(), y) }),
    flops: 0,
    bytes: 0,
  };
}

const copied = (test: BenchCase, elements: number): BenchCase => ({ ...test, bytes: 2 * 2 * 4 * elements });

const permuteCase = (shape: Shape, axes: readonly number[]): BenchCase =>
  copied(
    moveCase(
      `permute ${shape.join('×')} to ${axes.join()}`,
      shape,
      () => listed(placesOf(shape).transpose(...axes)),
      (x) => permute(x, axes),
    ),
    sizeOf(shape),
  );

const sliced = moveCase(
  'slice 64×65×192 from 1',
  [64, 65, 192],
  () => listed(placesOf([64, 65, 192]).lo(0, 1, 0)),
  (x) => slice(x, 1, 1),
);

const expanded = moveCase(
  'expand 768 to 520×768',
  [768],
  () => tiled([768], [520, 768]),
  (x) => expand(x, [520, 768]),
);

export default {
  kernel: 'stridedCopy',
  cases: [
    permuteCase([512, 768], [1, 0]),
    permuteCase([8, 65, 3, 64], [0, 2, 1, 3]),
    permuteCase([4, 64, 33, 17], [0, 2, 3, 1]),
    copied(sliced, 64 * 65 * 192),
    { ...expanded, bytes: 2 * 4 * (520 + 1) * 768 },
  ],
} satisfies BenchSuite;
