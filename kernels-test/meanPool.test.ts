import { meanPool } from '../src/ops/meanPool';
import { operationTest, random } from './allclose';
import { backward, forward, type Inputs, type Tokens } from './meanPool.reference';
import { refusalTest } from './expectBadShape';
import { suite } from './suite';

const CASES: readonly (readonly [shape: readonly [number, number, number], tokens: Tokens])[] = [
  [[1, 1, 1], { first: 0, count: 1 }],
  [[3, 17, 33], { first: 0, count: 1 }],
  [[3, 17, 33], { first: 1, count: 16 }],
  [[5, 65, 17], { first: 1, count: 64 }],
  [[2, 5, 65], { first: 2, count: 2 }],
];

export default suite('meanPool', [
  ...CASES.map(([shape, tokens]) =>
    operationTest<Inputs>({
      name: `${shape.join('×')}, ${tokens.count} from ${tokens.first}`,
      inputs: { x: random(shape, 1) },
      operation: ({ x }) => ({ y: meanPool(x, tokens) }),
      forward: (inputs) => forward(inputs, tokens),
      backward: (inputs, dOutputs) => backward(inputs, dOutputs, tokens),
    }),
  ),
  refusalTest('tokens that are not there', 'tokens 1 to 3 of 3', (graph) =>
    meanPool(graph.input('x', [2, 3, 4]), { first: 1, count: 3 }),
  ),
]);
