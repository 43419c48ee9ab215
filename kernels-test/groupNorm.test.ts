import { groupNorm } from '../src/ops/groupNorm';
import { operationTest, random, type Reference } from './allclose';
import { refusalTest } from './expectBadShape';
import { backward, EPS, forward, type Inputs, type SetOf } from './groupNorm.reference';
import { suite } from './suite';

/** Shape [B, C, ...] and groups; rows of one element, of several, and of many parts of 512. */
const CASES: readonly (readonly [shape: readonly number[], groups: number])[] = [
  [[1, 2, 3], 1],
  [[3, 6], 2],
  [[3, 17, 5], 17],
  [[2, 33, 3, 7], 3],
  [[1, 65, 17], 5],
  [[2, 4, 65, 65], 2],
];

const filled = (count: number, value: number): Reference => ({
  shape: [count],
  data: new Float64Array(count).fill(value),
});

const setsOf =
  (channels: number, groups: number): SetOf =>
  (sample, channel) =>
    sample * groups + Math.floor((channel * groups) / channels);

export default suite('groupNorm', [
  ...CASES.flatMap(([shape, groups]) => {
    const [, channels = 1] = shape;
    const setOf = setsOf(channels, groups);
    const name = `${shape.join('×')} in ${groups}`;
    const x = random(shape, 1);
    return [
      operationTest<Inputs>({
        name,
        inputs: { x, weight: random([channels], 2), bias: random([channels], 3) },
        operation: ({ x: given, weight, bias }) => ({ y: groupNorm(given, groups, { weight, bias, eps: EPS }) }),
        forward: (inputs) => forward(inputs, setOf),
        backward: (inputs, dOutputs) => backward(inputs, dOutputs, setOf),
        tolerance: 5e-6,
      }),
      operationTest<{ x: Reference }>({
        name: `${name}, without scale and shift`,
        inputs: { x },
        operation: ({ x: given }) => ({ y: groupNorm(given, groups, { eps: EPS }) }),
        forward: ({ x: given }) => forward({ x: given, weight: filled(channels, 1), bias: filled(channels, 0) }, setOf),
        backward: ({ x: given }, dOutputs) =>
          backward({ x: given, weight: filled(channels, 1), bias: filled(channels, 0) }, dOutputs, setOf),
        tolerance: 5e-6,
      }),
    ];
  }),
  refusalTest('groups that do not divide the channels', '4 channels do not divide into 3 groups', (graph) =>
    groupNorm(graph.input('x', [2, 4, 3]), 3),
  ),
  refusalTest('a scale of another length', 'weight has shape [3], not [4]', (graph) =>
    groupNorm(graph.input('x', [2, 4, 3]), 2, { weight: graph.input('weight', [3]) }),
  ),
  refusalTest('what has no channels', 'x has shape [4], not [B, C, ...]', (graph) =>
    groupNorm(graph.input('x', [4]), 2),
  ),
]);
