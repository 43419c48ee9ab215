import { relu } from '../src/ops/relu';
import type { Tensor } from '../src/tensor/tensor';
import { SHAPES, endsTest, shapedTest, specialTest } from './elementwise';
import { refusalTest } from './expectBadShape';
import * as reference from './relu.reference';
import { suite } from './suite';

export default suite('relu', [
  ...[...SHAPES, [0, 4]].map((shape) => shapedTest('relu', shape, relu, reference.relu)),
  endsTest('relu', relu, reference.relu),
  specialTest('relu', relu, [NaN, Infinity, 0, 0], [1, 1, 0, 0]),
  refusalTest(
    'another type',
    'relu: x holds u32, not f32',
    (graph) => relu(graph.input('x', [3], 'u32') as unknown as Tensor), // as JavaScript may
  ),
]);
