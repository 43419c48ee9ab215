import type { Reference, References } from '../../kernels-test/allclose';
import { causalMask } from './arrange';
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
import type { PreparedWork } from './peer';
import type { Results } from './rows';
import type { Named, Tensor, TensorFlow, Variable } from './tfjsApi';
import { adamw, attend, gelu, layerNorm, read, upload, type Run } from './tfjsOperations';

/*
 * The models of the examples, as one writes them for TensorFlow.js: images with channels last, and weights [inputs, outputs].
 */

type WeightOf = (name: string) => Tensor;

const NORM_EPS = 1e-5;

/** How a weight lies here, and how it comes back to the order of the reference. */
interface Layout {
  readonly shape: readonly number[];
  /** For each element here, where it lies in the reference. */
  readonly from: readonly number[];
}

/** Elements by place, of axes in another order. */
function permuted(shape: readonly number[], order: readonly number[]): Layout {
  const steps = shape.map((_, axis) => shape.slice(axis + 1).reduce((size, extent) => size * extent, 1));
  let from = [0];
  for (const axis of order) {
    const [extent, step] = [shape[axis] ?? 1, steps[axis] ?? 1];
    from = from.flatMap((place) => Array.from({ length: extent }, (_, i) => place + i * step));
  }
  return { shape: order.map((axis) => shape[axis] ?? 1), from };
}

function layoutOf({ example }: ExampleWork, name: string, { shape }: Reference): Layout {
  if (shape.length === 4) return permuted(shape, [2, 3, 1, 0]);
  // The classifier's features are flattened with channels last: [classes, 16, 4, 4].
  if (example === 'shapeClassifier' && shape.length === 2) {
    const { from } = permuted([shape[0] ?? 1, 16, 4, 4], [2, 3, 1, 0]);
    return { shape: shape.toReversed(), from };
  }
  const isTable = name === 'letters.weight' || name === 'places.weight';
  return permuted(shape, shape.length === 2 && !isTable ? [1, 0] : shape.map((_, axis) => axis));
}

/** Logits of x [B, H, W, 1]. */
function shapeClassifier(tf: TensorFlow, weight: WeightOf, x: Tensor): Tensor {
  const layer = (name: string, of: Tensor): Tensor => {
    const y = tf.add(tf.conv2d(of, weight(`${name}.weight`), 1, 'same'), weight(`${name}.bias`));
    return tf.maxPool(tf.relu(y), 2, 2, 'valid');
  };
  const features = layer('3', layer('0', x));
  const [images = 1, ...rest] = features.shape;
  const flat = tf.reshape(features, [images, rest.reduce((size, extent) => size * extent, 1)]);
  return tf.add(tf.matMul(flat, weight('7.weight')), weight('7.bias'));
}

/** Logits of the letter after each of x [B, N]; what is added to scores keeps each letter to those before it. */
function characters(tf: TensorFlow, weight: WeightOf, x: Tensor, mask: Tensor): Tensor {
  const [batch = 1, tokens = 1] = x.shape;
  const dim = weight('letters.weight').shape[1] ?? 1;
  const dense = (name: string, of: Tensor): Tensor =>
    tf.add(tf.matMul(of, weight(`${name}.weight`)), weight(`${name}.bias`));
  const norm = (name: string, of: Tensor): Tensor =>
    layerNorm(tf, of, weight(`${name}.weight`), weight(`${name}.bias`), NORM_EPS);
  const heads = (of: Tensor): Tensor => tf.transpose(tf.reshape(of, [batch, tokens, HEADS, dim / HEADS]), [0, 2, 1, 3]);
  const read = tf.add(tf.gather(weight('letters.weight'), x), weight('places.weight'));
  let y = tf.reshape(read, [batch * tokens, dim]);
  for (const block of ['blocks.0', 'blocks.1']) {
    const normed = norm(`${block}.norm1`, y);
    const part = (name: string): Tensor => heads(dense(`${block}.${name}`, normed));
    const attended = attend(tf, [part('query'), part('key'), part('value')], mask);
    y = tf.add(y, dense(`${block}.out`, tf.reshape(tf.transpose(attended, [0, 2, 1, 3]), [batch * tokens, dim])));
    y = tf.add(y, dense(`${block}.down`, gelu(tf, dense(`${block}.up`, norm(`${block}.norm2`, y)))));
  }
  return dense('head', norm('norm', y));
}

/** Gradients whose norm together is at most so much. */
function clipped(tf: TensorFlow, gradients: Named, limit: number | undefined): Named {
  if (limit === undefined) return gradients;
  const squares = Object.values(gradients).map((gradient) => tf.sum(tf.square(gradient)));
  // addN of all would bind more buffers than a device of TensorFlow.js has bindings.
  const norm = tf.sqrt(squares.reduce((sum, one) => tf.add(sum, one)));
  const factor = tf.minimum(tf.div(tf.scalar(limit), tf.add(norm, 1e-6)), 1);
  return Object.fromEntries(Object.entries(gradients).map(([name, gradient]) => [name, tf.mul(gradient, factor)]));
}

/** A training step of an example. */
export function prepareExample(tf: TensorFlow, run: Run, work: ExampleWork, inputs: References): PreparedWork {
  const input = (name: string): Reference => inputs[name] as Reference;
  const { shape, data } = input('x');
  const isText = work.example === 'characters';
  const [batch = 1, , ...plane] = shape; // of images; their one channel may as well come last
  const x = isText
    ? tf.tensor(Int32Array.from(data), shape, 'int32')
    : upload(tf, { shape: [batch, ...plane, 1], data });
  const mask = isText ? upload(tf, causalMask(shape[1] ?? 1)) : undefined;
  const labels = tf.tidy(() => {
    const targets = input('targets');
    return tf.oneHot(tf.tensor(Int32Array.from(targets.data), targets.shape, 'int32'), classesOf(work));
  });
  const layouts = new Map(exampleWeights(inputs).map((name) => [name, layoutOf(work, name, input(name))]));
  const variables = [...layouts].map(([name, layout]): Variable => {
    const values = Float32Array.from(layout.from, (at) => input(name).data[at] ?? 0);
    return tf.variable(tf.tensor(values, layout.shape), true, name);
  });
  const byName = new Map(variables.map((variable) => [variable.name, variable]));
  const weight = (name: string): Tensor => byName.get(name) as Tensor;
  const optimizer = adamw(tf, recipeOf(work));
  let done = 0;
  const step = (): Tensor => {
    const { value, grads } = tf.variableGrads(() =>
      tf.losses.softmaxCrossEntropy(labels, mask ? characters(tf, weight, x, mask) : shapeClassifier(tf, weight, x)),
    );
    optimizer.update(variables, clipped(tf, grads, clipNormOf(work)), rateOf(work, ++done));
    return value;
  };
  return {
    results: async (): Promise<Results> => {
      const losses: number[] = [];
      for (let i = 0; i < EXAMPLE_STEPS; i++) {
        losses.push(((await read(tf, { loss: tf.tidy(step) }))['loss'] as Float32Array)[0] as number);
      }
      const results: Record<string, ArrayLike<number>> = { losses };
      for (const name of checkedWeights(work)) {
        const here = await weight(name).data();
        const there = new Float32Array(here.length);
        layouts.get(name)?.from.forEach((at, i) => (there[at] = here[i] as number));
        results[name] = there;
      }
      return results;
    },
    run: (repetitions) => run(repetitions, step),
    dispose: () => {
      optimizer.dispose();
      tf.dispose([x, labels, variables, ...(mask ? [mask] : [])]);
    },
  };
}
