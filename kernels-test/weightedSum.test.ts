import { weightedSum } from '../src/ops/weightedSum';
import { operationTest, random } from './allclose';
import { refusalTest } from './expectBadShape';
import { suite } from './suite';
import { backward, forward, type Weights } from './weightedSum.reference';

// Sizes of the terms.
const CASES = [[1], [2, 2], [1, 3, 65], [2, 1, 17, 33, 2, 1, 1, 1, 2]];

const operations = CASES.map((sizes) => {
  const inputs = Object.fromEntries(sizes.map((size, i) => [`term${i}`, random([size], 1 + i)]));
  const weights: Weights = Object.fromEntries(sizes.map((size, i) => [`term${i}`, [...random([size], 50 + i).data]]));
  return operationTest({
    name: `terms of ${sizes.join(', ')}`,
    inputs,
    operation: (tensors) => {
      const terms = Object.entries(tensors).map(([term, values]) => ({ values, weights: weights[term] ?? [] }));
      return { total: weightedSum(terms) };
    },
    forward: (given) => forward(given, weights),
    backward: (given, dOutputs) => backward(given, weights, dOutputs),
    tolerance: 1e-5, // terms of either sign cancel
  });
});

const values = random([2], 1);

export default suite('weightedSum', [
  ...operations,
  operationTest({
    name: 'the same values in two terms',
    inputs: { values },
    operation: (tensors) => ({
      total: weightedSum([
        { values: tensors.values, weights: [1, 0] },
        { values: tensors.values, weights: [2, -0.5] },
      ]),
    }),
    forward: (given) => forward(given, { values: [3, -0.5] }),
    backward: (given, dOutputs) => ({ values: backward(given, { values: [3, -0.5] }, dOutputs)['values'] ?? values }),
  }),
  refusalTest('no terms', 'no terms', () => weightedSum([])),
  refusalTest('a weight too few', '1 weights', (graph) =>
    weightedSum([{ values: graph.input('values', [2]), weights: [1] }]),
  ),
]);
