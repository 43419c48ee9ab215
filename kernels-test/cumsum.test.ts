import { cumsum } from '../src/ops/cumsum';
import type { Shape } from '../src/tensor/shape';
import { operationTest, random } from './allclose';
import { backward, forward, type Inputs } from './cumsum.reference';
import { refusalTest } from './expectBadShape';
import { suite, thorough, type KernelTest } from './suite';

/** Few and many, within a strip, a chunk, and more of them than a chunk holds. */
const CASES: readonly (readonly [Shape, number])[] = [
  [[1], 0],
  [[17], 0],
  [[3, 65], 1],
  [[65, 3], 0],
  [[2, 5, 33], 1],
  [[5, 1, 3], 1],
  [[3, 1031], 1],
  [[2, 4099], 1],
  [[700, 17], 0],
];

const cumsumTest = ([shape, axis]: readonly [Shape, number]): KernelTest =>
  operationTest<Inputs>({
    name: `${shape.join('×')} along axis ${axis}`,
    inputs: { x: random(shape, 1) },
    operation: ({ x }) => ({ y: cumsum(x, axis) }),
    forward: forward(axis),
    backward: backward(axis),
  });

export default suite('cumsum', [
  ...CASES.map(cumsumTest),
  ...thorough([cumsumTest([[300_007], 0]), cumsumTest([[2, 5000, 5], 1])]),
  refusalTest('no axis', 'cumsum: [3] has no axis 1', (graph) => cumsum(graph.input('x', [3]), 1)),
]);
