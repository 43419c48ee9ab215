import { mse } from '../src/ops/mse';
import { operationTest, random } from './allclose';
import { refusalTest } from './expectBadShape';
import { backward, forward, type Inputs } from './mse.reference';
import { suite } from './suite';

// The last takes several blocks of 4096.
const SHAPES = [[], [1], [3, 17], [33, 1, 3], [65, 65], [3, 33, 65]];

export default suite('mse', [
  ...SHAPES.map((shape) =>
    operationTest<Inputs>({
      name: shape.length === 0 ? 'a scalar' : shape.join('×'),
      inputs: { prediction: random(shape, 1), target: random(shape, 2) },
      operation: ({ prediction, target }) => ({ loss: mse(prediction, target) }),
      forward,
      backward,
    }),
  ),
  refusalTest('another shape of the target', 'target has shape [3], not [3, 1]', (graph) =>
    mse(graph.input('prediction', [3, 1]), graph.input('target', [3])),
  ),
]);
