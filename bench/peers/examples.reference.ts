import { adamwStep } from '../../kernels-test/adamw.reference';
import { zeros, type Reference, type References } from '../../kernels-test/allclose';
import * as conv2d from '../../kernels-test/conv2d.reference';
import * as crossEntropy from '../../kernels-test/crossEntropy.reference';
import * as gelu from '../../kernels-test/gelu.reference';
import * as layerNorm from '../../kernels-test/layerNorm.reference';
import * as linear from '../../kernels-test/linear.reference';
import * as pool2d from '../../kernels-test/pool2d.reference';
import * as attention from '../../kernels-test/scaledDotProductAttention.reference';
import {
  checkedWeights,
  classesOf,
  clipNormOf,
  EXAMPLE_STEPS,
  exampleWeights,
  HEADS,
  rateOf,
  recipeOf,
  type ExampleWork,
} from './examples';
import { Tape } from './tape.reference';

/*
 * The models of the examples in float64: the references of kernels, on a tape.
 */

const MOVES = { stride: [1, 1], padding: [1, 1], dilation: [1, 1], groups: 1 } as const;
const WINDOWS = { kernel: [2, 2], stride: [2, 2], padding: [0, 0], dilation: [1, 1] } as const;
const NORM_EPS = 1e-5;

type WeightOf = (name: string) => Reference;

const indices = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/** Logits of x [B, 1, H, W]. */
function shapeClassifier(tape: Tape, weight: WeightOf, x: Reference): Reference {
  const conv = (name: string, of: Reference): Reference =>
    tape.apply(
      { x: of, weight: weight(`${name}.weight`), bias: weight(`${name}.bias`) },
      (inputs) => conv2d.forward(MOVES, inputs),
      (inputs, dy) => ({ ...conv2d.backward(MOVES, inputs, dy) }),
    );
  const relu = (of: Reference): Reference =>
    tape.apply(
      { x: of },
      () => ({ y: { ...of, data: of.data.map((value) => Math.max(0, value)) } }),
      (_, { y }) => ({ x: { ...of, data: of.data.map((value, i) => (value > 0 ? (y?.data[i] as number) : 0)) } }),
    );
  const pool = (of: Reference): Reference =>
    tape.apply(
      { x: of },
      (inputs) => pool2d.forward(WINDOWS, inputs),
      (inputs, dy) => ({ ...pool2d.backward(WINDOWS, inputs, dy) }),
    );
  const features = pool(relu(conv('3', pool(relu(conv('0', x))))));
  const [images = 1, ...rest] = features.shape;
  const width = rest.reduce((size, extent) => size * extent, 1);
  return dense(tape, weight, '7', tape.place(features, [images, width], indices(images * width)));
}

function dense(tape: Tape, weight: WeightOf, name: string, x: Reference): Reference {
  return tape.apply(
    { x, weight: weight(`${name}.weight`), bias: weight(`${name}.bias`) },
    linear.forward,
    (inputs, dy) => ({ ...linear.backward(inputs, dy) }),
  );
}

/** Logits of the letter after each of x [B, N]. */
function characters(tape: Tape, weight: WeightOf, x: Reference): Reference {
  const [batch = 1, tokens = 1] = x.shape;
  const rows = batch * tokens;
  const dim = weight('letters.weight').shape[1] ?? 1;
  const norm = (name: string, of: Reference): Reference =>
    tape.apply(
      { x: of, gamma: weight(`${name}.weight`), beta: weight(`${name}.bias`) },
      (inputs) => layerNorm.forward(inputs, NORM_EPS),
      (inputs, dy) => ({ ...layerNorm.backward(inputs, dy, NORM_EPS) }),
    );
  const rowsAt = (numbers: readonly number[]): number[] =>
    numbers.flatMap((row) => indices(dim).map((i) => row * dim + i));
  const heads = headPlaces(batch, tokens, dim);
  const back = heads.reduce<number[]>((places, from, to) => ((places[from] = to), places), []);
  const split = (of: Reference): Reference => tape.place(of, [batch, HEADS, tokens, dim / HEADS], heads);
  let y = tape.plus(
    tape.place(weight('letters.weight'), [rows, dim], rowsAt(Array.from(x.data))),
    tape.place(weight('places.weight'), [rows, dim], rowsAt(indices(rows).map((row) => row % tokens))),
  );
  for (const block of ['blocks.0', 'blocks.1']) {
    const normed = norm(`${block}.norm1`, y);
    const [q, k, v] = ['query', 'key', 'value'].map((name) => split(dense(tape, weight, `${block}.${name}`, normed)));
    const attended = tape.apply(
      { q, k, v } as attention.Inputs,
      (inputs) => attention.forward(inputs, { causal: true }),
      (inputs, dy) => attention.backward(inputs, dy, { causal: true }),
    );
    y = tape.plus(y, dense(tape, weight, `${block}.out`, tape.place(attended, [rows, dim], back)));
    const hidden = tape.apply(
      { x: dense(tape, weight, `${block}.up`, norm(`${block}.norm2`, y)) },
      gelu.forward,
      (inputs, dy) => ({ ...gelu.backward(inputs, dy) }),
    );
    y = tape.plus(y, dense(tape, weight, `${block}.down`, hidden));
  }
  return dense(tape, weight, 'head', norm('norm', y));
}

/** For each element of [batch, heads, tokens, channels], where it lies in [batch, tokens, heads, channels]. */
function headPlaces(batch: number, tokens: number, dim: number): number[] {
  const channels = dim / HEADS;
  return indices(batch * tokens * dim).map((i) => {
    const [row, channel] = [Math.floor(i / channels), i % channels];
    const [b, head, token] = [Math.floor(row / (tokens * HEADS)), Math.floor(row / tokens) % HEADS, row % tokens];
    return ((b * tokens + token) * HEADS + head) * channels + channel;
  });
}

/** The loss, and its gradients with respect to every weight, by name. */
export function exampleGradients(work: ExampleWork, inputs: References): { loss: number; gradients: References } {
  const tape = new Tape();
  const input: WeightOf = (name) => {
    const found = inputs[name];
    if (!found) throw new Error(`there is no '${name}'`);
    return found;
  };
  const model = { shapeClassifier, characters }[work.example];
  const targets = crossEntropy.targetsOf(Array.from(input('targets').data), classesOf(work));
  const loss = tape.apply(
    { logits: model(tape, input, input('x')) },
    (of) => ({ y: crossEntropy.forward(of, targets).loss }),
    (of, { y }) => ({ ...crossEntropy.backward(of, targets, { loss: y as Reference }) }),
  );
  tape.backward(loss);
  const gradients = exampleWeights(inputs).map((name) => [name, tape.gradientOf(input(name))] as const);
  return { loss: loss.data[0] as number, gradients: Object.fromEntries(gradients) };
}

/** `losses` of the first steps, and the checked weights after them. */
export function exampleResults(work: ExampleWork, inputs: References, steps = EXAMPLE_STEPS): References {
  const { betas, eps, weightDecay } = recipeOf(work);
  const limit = clipNormOf(work);
  const states = exampleWeights(inputs).map((name) => {
    const { shape, data } = inputs[name] as Reference;
    const [m, v] = [zeros(shape).data, zeros(shape).data];
    return { name, shape, value: data.slice(), m, v, decayed: shape.length > 1 };
  });
  const losses = zeros([steps]);
  for (let step = 1; step <= steps; step++) {
    const weights = states.map(({ name, shape, value }) => [name, { shape, data: value.slice() }] as const);
    const { loss, gradients } = exampleGradients(work, { ...inputs, ...Object.fromEntries(weights) });
    losses.data[step - 1] = loss;
    const ordered = states.map(({ name }) => (gradients[name] as Reference).data);
    const norm = Math.hypot(...ordered.map((gradient) => Math.hypot(...gradient)));
    const factor = limit === undefined ? 1 : Math.min(1, limit / (norm + 1e-6));
    adamwStep(states, ordered, { betas, eps, weightDecay, learningRate: rateOf(work, step), step, factor });
  }
  const checked = checkedWeights(work).map((name) => {
    const { shape, value } = states.find((state) => state.name === name) as (typeof states)[number];
    return [name, { shape, data: value }] as const;
  });
  return { losses, ...Object.fromEntries(checked) };
}
