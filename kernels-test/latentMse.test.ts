import { latentMse } from '../src/ops/latentMse';
import { operationTest, random } from './allclose';
import { backward, forward, type Inputs } from './latentMse.reference';
import { refusalTest } from './expectBadShape';
import { suite } from './suite';

// branches, z's shape; the last ones take several blocks of 4096 a branch
const CASES = [
  [1, [1, 1, 1]],
  [1, [3, 1, 17]],
  [2, [2, 3, 33]],
  [2, [6, 17, 65]],
  [2, [2, 64, 64]],
  [2, [34, 17, 48]],
  [3, [33, 5, 192]],
] as const;

const operations = CASES.map(([branches, shape]) => {
  const target = random(shape, 2);
  return operationTest<Inputs>({
    name: `${shape.join('×')} in ${branches} branches`,
    inputs: { z: random(shape, 1) },
    operation: ({ z }, graph) => {
      const teacher = graph.input('target', shape, 'f32', Float32Array.from(target.data));
      return { loss: latentMse(z, teacher, branches) };
    },
    forward: (inputs) => forward(inputs, target, branches),
    backward: (inputs, dOutputs) => backward(inputs, target, branches, dOutputs),
  });
});

const z = random([3, 2, 5], 1);

export default suite('latentMse', [
  ...operations,
  operationTest<Inputs>({
    name: 'a student that is the teacher',
    inputs: { z },
    operation: (inputs, graph) => ({
      loss: latentMse(inputs.z, graph.input('target', z.shape, 'f32', Float32Array.from(z.data)), 1),
    }),
    forward: (inputs) => forward(inputs, z, 1),
    backward: (inputs, dOutputs) => backward(inputs, z, 1, dOutputs),
  }),
  refusalTest('branches that do not divide the batch', "don't divide", (graph) =>
    latentMse(graph.input('z', [3, 2, 5]), graph.input('target', [3, 2, 5]), 2),
  ),
  refusalTest('another shape of the target', 'target', (graph) =>
    latentMse(graph.input('z', [2, 2, 5]), graph.input('target', [2, 5, 2]), 2),
  ),
]);
