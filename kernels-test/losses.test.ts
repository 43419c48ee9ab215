import { bceWithLogits, huber, klDiv, l1, smoothL1, type LossReduction } from '../src/ops/losses';
import { mse } from '../src/ops/mse';
import type { Graph } from '../src/tensor/graph';
import type { Tensor } from '../src/tensor/tensor';
import { operationTest, random, type Reference } from './allclose';
import { refusalTest } from './expectBadShape';
import {
  backward,
  forward,
  huberReference,
  lossReferences,
  smoothL1Reference,
  type Inputs,
  type LossReference,
} from './losses.reference';
import { suite, type KernelTest } from './suite';

// The last takes several blocks of 4096.
const SHAPES = [[1], [3, 17], [33, 1, 65, 3]] as const;
const REDUCTIONS = ['mean', 'sum', 'none'] as const;

/** WGSL's logarithm near 1 is exact to 2⁻²¹ only. */
const TOLERANCE = 4e-6;

type Operation = (
  prediction: Tensor,
  target: Tensor,
  options: { reduction: LossReduction },
  graph: Graph,
) => Tensor<'f32'>;

interface Stated {
  readonly name: string;
  readonly operation: Operation;
  readonly reference: LossReference;
  readonly weight?: (i: number) => number;
  /** Whether targets are probabilities. */
  readonly ofProbabilities?: boolean;
}

const STATED: readonly Stated[] = [
  { name: 'mse', operation: mse, reference: lossReferences.mse },
  { name: 'l1', operation: l1, reference: lossReferences.l1 },
  { name: 'huber', operation: huber, reference: huberReference(1) },
  { name: 'smoothL1', operation: smoothL1, reference: smoothL1Reference(1) },
  {
    name: 'huber from 0.3 on',
    operation: (p, t, options) => huber(p, t, { delta: 0.3, ...options }),
    reference: huberReference(0.3),
  },
  {
    name: 'smoothL1 from 0.3 on',
    operation: (p, t, options) => smoothL1(p, t, { beta: 0.3, ...options }),
    reference: smoothL1Reference(0.3),
  },
  {
    name: 'bceWithLogits',
    operation: bceWithLogits,
    reference: lossReferences.bceWithLogits,
    ofProbabilities: true,
  },
  { name: 'klDiv', operation: klDiv, reference: lossReferences.klDiv, ofProbabilities: true },
];

function operands(shape: readonly number[], ofProbabilities = false): Inputs {
  const scaled = (seed: number, map: (r: number) => number): Reference => ({
    shape,
    data: random(shape, seed).data.map((r) => Math.fround(map(r))),
  });
  if (ofProbabilities) return { prediction: scaled(1, (r) => 3 * r), target: scaled(2, (r) => 0.5 + 0.49 * r) };
  return { prediction: random(shape, 1), target: random(shape, 2) };
}

function lossTest(stated: Stated, shape: readonly number[], reduction: LossReduction): KernelTest {
  const { name, operation, reference, weight = () => 1, ofProbabilities } = stated;
  const size = shape.reduce((product, extent) => product * extent, 1);
  const scale = { mean: 1 / size, sum: 1, none: undefined }[reduction];
  return operationTest<Inputs>({
    name: `${name} of [${shape.join()}], ${reduction}`,
    inputs: operands(shape, ofProbabilities),
    operation: ({ prediction, target }, graph) => ({ y: operation(prediction, target, { reduction }, graph) }),
    forward: (inputs) => forward({ reference, scale, weight }, inputs),
    backward: (inputs, dOutputs) => backward({ reference, scale, weight }, inputs, dOutputs),
    tolerance: TOLERANCE,
  });
}

const WEIGHTS = Float32Array.of(0.5, 2, 3);

function weighted(
  shape: readonly number[],
  weights: readonly number[],
  step: number,
  reduction: LossReduction,
): KernelTest {
  const stated: Stated = {
    name: `bceWithLogits weighted by [${weights.join()}]`,
    operation: (p, t, options, graph) =>
      bceWithLogits(p, t, { posWeight: graph.input('posWeight', weights, 'f32', WEIGHTS), ...options }),
    reference: lossReferences.bceWithLogits,
    weight: (i) => WEIGHTS[Math.floor(i / step) % 3] as number,
    ofProbabilities: true,
  };
  return lossTest(stated, shape, reduction);
}

/** Far out: neither overflows, and a target of 0 counts for nothing. */
const far = (name: string, operation: Operation, reference: LossReference, given: Inputs): KernelTest =>
  operationTest<{ prediction: Reference }>({
    name,
    inputs: { prediction: given.prediction },
    operation: ({ prediction }, graph) => {
      const { shape, data } = given.target;
      const target = graph.input('target', shape, 'f32', Float32Array.from(data));
      return { y: operation(prediction, target, { reduction: 'sum' }, graph) };
    },
    forward: ({ prediction }) => forward({ reference, scale: 1, weight: () => 1 }, { ...given, prediction }),
    backward: ({ prediction }, dOutputs) => ({
      prediction: backward({ reference, scale: 1, weight: () => 1 }, { ...given, prediction }, dOutputs).prediction,
    }),
    tolerance: TOLERANCE,
  });

const row = (...data: readonly number[]): Reference => ({ shape: [data.length], data: Float64Array.from(data) });

export default suite('losses', [
  ...STATED.flatMap((stated) => [
    ...REDUCTIONS.map((reduction) => lossTest(stated, SHAPES[1], reduction)),
    lossTest(stated, SHAPES[0], 'none'),
    lossTest(stated, SHAPES[2], 'mean'),
  ]),
  weighted([5, 3], [3], 1, 'mean'),
  weighted([5, 3], [1, 3], 1, 'none'),
  weighted([5, 3, 7], [3, 1], 7, 'sum'),
  far('bceWithLogits ±200', bceWithLogits, lossReferences.bceWithLogits, {
    prediction: row(200, -200, 200, -200, 0),
    target: row(1, 1, 0, 0, 0.5),
  }),
  far('klDiv of targets that are 0', klDiv, lossReferences.klDiv, {
    prediction: row(-1, -2, -3),
    target: row(0, 0.5, 1),
  }),
  operationTest<Inputs>({
    name: 'klDiv, batchMean',
    inputs: operands([3, 17], true),
    operation: ({ prediction, target }) => ({ y: klDiv(prediction, target, { reduction: 'batchMean' }) }),
    forward: (inputs) => forward({ reference: lossReferences.klDiv, scale: 1 / 3, weight: () => 1 }, inputs),
    backward: (inputs, dOutputs) =>
      backward({ reference: lossReferences.klDiv, scale: 1 / 3, weight: () => 1 }, inputs, dOutputs),
    tolerance: TOLERANCE,
  }),
  refusalTest('another shape of the target', 'l1: target has shape [3], not [3, 1]', (graph) =>
    l1(graph.input('prediction', [3, 1]), graph.input('target', [3])),
  ),
  refusalTest('weights of no axis', "posWeight has shape [4], which can't be stretched to [3, 5]", (graph) =>
    bceWithLogits(graph.input('logits', [3, 5]), graph.input('targets', [3, 5]), {
      posWeight: graph.input('posWeight', [4]),
    }),
  ),
  refusalTest('a delta of 0', 'huber: a delta of 0', (graph) =>
    huber(graph.input('prediction', [3]), graph.input('target', [3]), { delta: 0 }),
  ),
  refusalTest('another reduction', "l1: 'batchMean' is no reduction", (graph) =>
    l1(graph.input('prediction', [3]), graph.input('target', [3]), { reduction: 'batchMean' as 'mean' }),
  ),
]);
