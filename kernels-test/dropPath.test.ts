import { dropPath } from '../src/ops/dropPath';
import { operationTest, random } from './allclose';
import { backward, forward, type Inputs } from './dropPath.reference';
import { refusalTest } from './expectBadShape';
import { suite } from './suite';

const SHAPES = [
  [1, 1],
  [3, 17],
  [5, 3, 33],
  [2, 65, 17],
] as const;

/** Left out, or made up for at a probability of 0.75. */
const scaleOf = (sample: number): number => (sample % 2 === 0 ? 4 / 3 : 0);

export default suite('dropPath', [
  ...SHAPES.map((shape) => {
    const [samples] = shape;
    const scales = Array.from({ length: samples }, (_, sample) => scaleOf(sample));
    const table = Float32Array.from([...scales.map(() => 9), ...scales]);
    return operationTest<Inputs>({
      name: shape.join('×'),
      inputs: { x: random(shape, 1), branch: random(shape, 2) },
      operation: ({ x, branch }, graph) => ({
        y: dropPath(x, branch, { scales: graph.input('scales', [2, samples], 'f32', table), row: 1 }),
      }),
      forward: (inputs) => forward(inputs, scales),
      backward: (inputs, dOutputs) => backward(inputs, dOutputs, scales),
    });
  }),
  refusalTest('scales of another batch', 'scales has shape [1, 3]', (graph) =>
    dropPath(graph.input('x', [2, 3]), graph.input('branch', [2, 3]), {
      scales: graph.input('scales', [1, 3]),
      row: 0,
    }),
  ),
]);
