import { layerNorm } from '../src/ops/layerNorm';
import { operationTest, random } from './allclose';
import { backward, EPS, forward, type Inputs } from './layerNorm.reference';
import { suite } from './suite';

const SHAPES = [
  [1, 3],
  [3, 17],
  [17, 65],
  [65, 33],
  [2, 5, 192],
  [7, 257],
  [3, 1031],
] as const;

export default suite(
  'layerNorm',
  [false, true].flatMap((half) =>
    SHAPES.map((shape) => {
      const width = shape.at(-1) as number;
      return operationTest<Inputs>({
        name: shape.join('×'),
        ...(half ? { half: [] } : {}), // only y is f16, and its gradient
        inputs: { x: random(shape, 1), gamma: random([width], 2), beta: random([width], 3) },
        operation: ({ x, gamma, beta }) => ({ y: layerNorm(x, gamma, beta, EPS) }),
        forward,
        backward,
      });
    }),
  ),
);
