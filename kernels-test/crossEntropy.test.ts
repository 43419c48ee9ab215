import { crossEntropy, nll, type CrossEntropyOptions } from '../src/ops/crossEntropy';
import type { LossReduction } from '../src/ops/losses';
import { logSoftmax } from '../src/ops/softmax';
import { Graph } from '../src/tensor/graph';
import type { Shape } from '../src/tensor/shape';
import type { DType, Tensor } from '../src/tensor/tensor';
import { operationTest, random, type Reference } from './allclose';
import { backward, forward, rowGradients, rowLosses, targetsOf, type Inputs } from './crossEntropy.reference';
import { refusalTest } from './expectBadShape';
import { suite, type KernelTest } from './suite';

const SHAPES = [
  [1, 3],
  [3, 17],
  [17, 2],
  [33, 65],
  [65, 10],
  [5, 257],
] as const;

function crossEntropyTest(name: string, logits: Reference, targets: Reference, tolerance: number): KernelTest {
  return operationTest<Inputs>({
    name,
    inputs: { logits },
    operation: (inputs, graph) => {
      const given = graph.input('targets', targets.shape, 'f32', Float32Array.from(targets.data));
      return { loss: crossEntropy(inputs.logits, given) };
    },
    forward: (inputs) => forward(inputs, targets),
    backward: (inputs, dOutputs) => backward(inputs, targets, dOutputs),
    tolerance,
  });
}

/** Weights whose rows sum to about 2, not to 1: the gradient must bring their sum in. */
function softTargets([rows = 1, width = 1]: Shape): Reference {
  const shape = [rows, width];
  return { shape, data: random(shape, 2).data.map((value) => Math.fround((4 * Math.abs(value)) / width)) };
}

function oneHot([rows = 1, width = 1]: Shape): Reference {
  const data = new Float64Array(rows * width);
  for (let row = 0; row < rows; row++) data[row * width + ((row * 7) % width)] = 1;
  return { shape: [rows, width], data };
}

/** Right and wrong with all certainty, a tie, equal logits. */
const extremes: Reference = {
  shape: [4, 3],
  data: Float64Array.of(80, -80, -80, -80, 80, -80, 80, 80, -80, 80, 80, 80),
};

/** What losses of rows are multiplied with; undefined where they stay. */
function scaleOf(reduction: LossReduction, kept: number): number | undefined {
  return { mean: 1 / kept, sum: 1, none: undefined }[reduction];
}

const reduced = (losses: Reference, scale: number | undefined): Reference =>
  scale === undefined
    ? losses
    : { shape: [], data: Float64Array.of(losses.data.reduce((all, loss) => all + scale * loss, 0)) };

const upstreamOf =
  (dLoss: Reference | undefined, scale: number | undefined) =>
  (row: number): number =>
    (scale === undefined ? dLoss?.data[row] : scale * (dLoss?.data[0] ?? NaN)) as number;

function indexTest(shape: readonly [number, number], options: CrossEntropyOptions = {}, isNll = false): KernelTest {
  const [rows, width] = shape;
  const { labelSmoothing: smoothing = 0, reduction = 'mean', ignoreIndex = -1 } = options;
  const classes = Array.from({ length: rows }, (_, row) =>
    row % 3 === 1 && ignoreIndex >= 0 ? ignoreIndex : (row * 7) % width,
  );
  const targets = targetsOf(classes, width, { smoothing, ignoreIndex });
  const scale = scaleOf(reduction, classes.filter((at) => at !== ignoreIndex).length);
  return operationTest<Inputs>({
    name: `${isNll ? 'nll of ' : ''}${shape.join('×')}, indices, ${JSON.stringify(options)}`,
    inputs: { logits: random(shape, 1) },
    operation: ({ logits }, graph) => {
      const given = graph.input('targets', [rows], 'u32', Uint32Array.from(classes));
      return { loss: isNll ? nll(logSoftmax(logits), given, options) : crossEntropy(logits, given, options) };
    },
    forward: (inputs) => ({ loss: reduced(rowLosses(inputs, targets), scale) }),
    backward: (inputs, { loss }) => ({ logits: rowGradients(inputs, targets, upstreamOf(loss, scale)).logits }),
    tolerance: 4e-6,
  });
}

function softTest(shape: readonly [number, number], options: CrossEntropyOptions): KernelTest {
  const [rows, width] = shape;
  const { labelSmoothing: smoothing = 0, reduction = 'mean' } = options;
  const scale = scaleOf(reduction, rows);
  const smoothed = ({ shape: own, data }: Reference): Reference => ({
    shape: own,
    data: data.map((target) => (1 - smoothing) * target + smoothing / width),
  });
  return operationTest<Inputs & { targets: Reference }>({
    name: `${shape.join('×')}, soft targets with gradients, ${JSON.stringify(options)}`,
    inputs: { logits: random(shape, 1), targets: softTargets(shape) },
    operation: ({ logits, targets }) => ({ loss: crossEntropy(logits, targets, options) }),
    forward: ({ logits, targets }) => ({ loss: reduced(rowLosses({ logits }, smoothed(targets)), scale) }),
    backward: ({ logits, targets }, { loss }) => {
      const gradients = rowGradients({ logits }, smoothed(targets), upstreamOf(loss, scale));
      const { data } = gradients.targets;
      return { ...gradients, targets: { shape, data: data.map((value) => (1 - smoothing) * value) } };
    },
    tolerance: 4e-6,
  });
}

/** An index that is no class shows as NaN; an ignored row takes no gradient, whatever its logits hold. */
const outOfRange: KernelTest = {
  name: 'an index that is no class, and a row that is ignored',
  run: async (engine) => {
    const graph = new Graph(engine);
    const logits = graph.input('logits', [3, 2], 'f32', Float32Array.of(1, 2, NaN, NaN, 0, 0), true);
    const targets = graph.input('targets', [3], 'u32', Uint32Array.of(2, 255, 1));
    const losses = crossEntropy(logits, targets, { reduction: 'none', ignoreIndex: 255 });
    graph.backward(losses, graph.input('ones', [3], 'f32', Float32Array.of(1, 1, 1)));
    const dLogits = graph.gradientOf(logits);
    graph.output(losses, dLogits);
    const program = await graph.compile();
    try {
      program.run();
      const found = [...(await program.read(losses)), ...(await program.read(dLogits))];
      const right = [NaN, 0, Math.LN2, NaN, NaN, 0, 0, 0.5, -0.5];
      const isRight = (value: number, i: number): boolean =>
        Object.is(value, right[i]) || Math.abs(value - (right[i] as number)) < 1e-6;
      if (!found.every(isRight)) throw new Error(`[${found.join()}], not [${right.join()}]`);
    } finally {
      program.dispose();
    }
  },
};

export default suite('crossEntropy', [
  ...SHAPES.flatMap((shape) => [
    crossEntropyTest(`${shape.join('×')}, soft targets`, random(shape, 1), softTargets(shape), 4e-6),
    crossEntropyTest(`${shape.join('×')}, one class`, random(shape, 1), oneHot(shape), 4e-6),
  ]),
  crossEntropyTest('3×1031, one class', random([3, 1031], 1), oneHot([3, 1031]), 4e-6),
  // f32 holds a logSumExp of 80 to 4e-6, and its exponential no better.
  crossEntropyTest('±80', extremes, oneHot(extremes.shape), 1e-5),
  crossEntropyTest('zeros', { shape: [2, 5], data: new Float64Array(10) }, oneHot([2, 5]), 4e-6),
  ...[[1, 3] as const, [33, 65] as const, [5, 257] as const].map((shape) => indexTest(shape)),
  indexTest([17, 10], { reduction: 'sum' }),
  indexTest([17, 10], { reduction: 'none' }),
  indexTest([17, 10], { labelSmoothing: 0.1 }),
  indexTest([17, 10], { ignoreIndex: 255 }),
  indexTest([17, 10], { ignoreIndex: 3, labelSmoothing: 0.2 }),
  indexTest([17, 10], { ignoreIndex: 3, labelSmoothing: 0.2, reduction: 'none' }),
  indexTest([17, 10], {}, true),
  indexTest([17, 10], { ignoreIndex: 255 }, true),
  indexTest([17, 10], { ignoreIndex: 255, reduction: 'none' }, true),
  softTest([17, 10], {}),
  softTest([17, 10], { labelSmoothing: 0.1 }),
  softTest([17, 10], { labelSmoothing: 0.1, reduction: 'none' }),
  softTest([3, 5], { reduction: 'sum' }),
  outOfRange,
  refusalTest('too much smoothing', 'crossEntropy: a label smoothing of 2', (graph) =>
    crossEntropy(graph.input('logits', [3, 10]), graph.input('targets', [3, 10]), { labelSmoothing: 2 }),
  ),
  refusalTest('an index to ignore among probabilities', 'have no index to ignore', (graph) =>
    crossEntropy(graph.input('logits', [3, 10]), graph.input('targets', [3, 10]), { ignoreIndex: 1 }),
  ),
  refusalTest(
    'classes in i32',
    'targets holds i32. Class indices are u32, probabilities f32. Declare the input as u32(n)',
    (graph) => {
      const targets = graph.input('targets', [3], 'i32') as Tensor<DType> as Tensor<'u32'>; // as untyped callers have it
      return crossEntropy(graph.input('logits', [3, 10]), targets);
    },
  ),
  refusalTest('another number of classes', 'targets', (graph) =>
    crossEntropy(graph.input('logits', [3, 10]), graph.input('targets', [3, 9])),
  ),
]);
