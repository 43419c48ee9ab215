import type { Reference, References } from '../../kernels-test/allclose';
import { causalMask, turnedReference } from './arrange';
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
import type { Arr, Jax, Session, Weights } from './jaxApi';
import { adamw, asTree, attend, hyperOf, layerNorm, trainedFrom, type Hyper } from './jaxOperations';
import type { PreparedWork } from './peer';

/*
 * The models of the examples, as one writes them for jax-js: x·W takes weights [inputs, outputs].
 */

type WeightOf = (name: string) => Arr;

const NORM_EPS = 1e-5;

/** Whether a weight lies turned here: that of a dense layer. */
const isTurned = (name: string, { shape }: Reference): boolean =>
  shape.length === 2 && name !== 'letters.weight' && name !== 'places.weight';

/** Logits of x [B, 1, H, W]. */
function shapeClassifier(jax: Jax, weight: WeightOf, x: Arr): Arr {
  const layer = (name: string, of: Arr): Arr => {
    const y = jax.lax.conv(of, weight(`${name}.weight`), [1, 1], 'SAME');
    const biased = y.add(weight(`${name}.bias`).reshape([-1, 1, 1]));
    return jax.lax.reduceWindow(jax.nn.relu(biased), (window) => jax.numpy.max(window), [2, 2], [2, 2]);
  };
  const features = layer('3', layer('0', x));
  const flat = features.reshape([x.shape[0] ?? 1, -1]);
  return jax.numpy.matmul(flat, weight('7.weight')).add(weight('7.bias'));
}

/** Logits of the letter after each of x [B, N]; what is added to scores keeps each letter to those before it. */
function characters(jax: Jax, weight: WeightOf, x: Arr, mask: Arr): Arr {
  const [batch = 1, tokens = 1] = x.shape;
  const dim = weight('letters.weight').shape[1] ?? 1;
  const dense = (name: string, of: Arr): Arr =>
    jax.numpy.matmul(of, weight(`${name}.weight`)).add(weight(`${name}.bias`));
  const norm = (name: string, of: Arr): Arr =>
    layerNorm(jax, of, weight(`${name}.weight`), weight(`${name}.bias`), NORM_EPS);
  const heads = (of: Arr): Arr => of.reshape([batch, tokens, HEADS, dim / HEADS]).transpose([0, 2, 1, 3]);
  const read = jax.numpy.take(weight('letters.weight'), x, 0).add(weight('places.weight'));
  let y = read.reshape([batch * tokens, dim]);
  for (const block of ['blocks.0', 'blocks.1']) {
    const normed = norm(`${block}.norm1`, y.ref);
    const [q, k] = ['query', 'key'].map((name) => heads(dense(`${block}.${name}`, normed.ref))) as [Arr, Arr];
    const attended = attend(jax, [q, k, heads(dense(`${block}.value`, normed))], mask.ref);
    y = y.add(dense(`${block}.out`, attended.transpose([0, 2, 1, 3]).reshape([batch * tokens, dim])));
    const up = dense(`${block}.up`, norm(`${block}.norm2`, y.ref));
    y = y.add(dense(`${block}.down`, jax.nn.gelu(up, { approximate: false })));
  }
  mask.dispose();
  return dense('head', norm('norm', y));
}

/** Gradients whose norm together is at most so much. */
function clipped(jax: Jax, gradients: Weights, limit: number | undefined): Weights {
  if (limit === undefined) return gradients;
  const squares = Object.values(gradients).map((gradient) => jax.numpy.square(gradient.ref).sum());
  const norm = jax.numpy.sqrt(squares.reduce((sum, one) => sum.add(one)));
  const factor = jax.numpy.minimum(jax.numpy.reciprocal(norm.add(1e-6)).mul(limit), 1);
  const result = Object.entries(gradients).map(([name, gradient]) => [name, gradient.mul(factor.ref)] as const);
  factor.dispose();
  return Object.fromEntries(result);
}

/** A training step of an example: one jitted function. */
export function prepareExample(session: Session, work: ExampleWork, inputs: References): PreparedWork {
  const { jax, upload, settle } = session;
  const input = (name: string): Reference => inputs[name] as Reference;
  const whole = ({ shape, data }: Reference): Arr =>
    jax.numpy.array(Int32Array.from(data), { shape, device: session.device });
  const isText = work.example === 'characters';
  const x = isText ? whole(input('x')) : upload(input('x'));
  const targets = whole(input('targets'));
  const mask = upload(causalMask(isText ? (x.shape[1] ?? 1) : 1));
  const given = exampleWeights(inputs).map((name) => {
    return [name, isTurned(name, input(name)) ? turnedReference(input(name)) : input(name)] as const;
  });
  let trained = trainedFrom(session, Object.fromEntries(given));
  const recipe = recipeOf(work);
  const train = jax.jit(
    ([weights, m, v]: [Weights, Weights, Weights], [from, to, after]: [Arr, Arr, Arr], by: Hyper) => {
      const loss = (of: Weights): Arr => {
        const weight = (name: string): Arr => of[name] as Arr;
        const logits = isText ? characters(jax, weight, from, after) : shapeClassifier(jax, weight, from);
        const logs = jax.nn.logSoftmax(logits, -1);
        return logs
          .mul(jax.nn.oneHot(to, classesOf(work)))
          .sum(-1)
          .mean()
          .mul(-1);
      };
      const [value, gradients] = jax.valueAndGrad(loss)(jax.tree.ref(weights));
      const next = adamw(jax, { weights, m, v }, clipped(jax, gradients, clipNormOf(work)), by, recipe);
      return [value, asTree(next)] as const;
    },
  );
  let done = 0;
  const step = (): Arr => {
    const by = hyperOf(session, ++done, rateOf(work, done), recipe.betas);
    const [loss, [weights, m, v]] = train(asTree(trained), [x.ref, targets.ref, mask.ref], by);
    trained = { weights, m, v };
    return loss;
  };
  return {
    results: async () => {
      const losses: number[] = [];
      for (let i = 0; i < EXAMPLE_STEPS; i++) losses.push((await step().data())[0] as number);
      const results: Record<string, ArrayLike<number>> = { losses };
      for (const name of checkedWeights(work)) {
        const { ref, shape } = trained.weights[name] as Arr;
        const data = await ref.data();
        results[name] = isTurned(name, input(name)) ? turnedReference({ shape, data }).data : data;
      }
      return results;
    },
    run: async (repetitions) => {
      for (let i = 0; i < repetitions; i++) step().dispose();
      await settle(asTree(trained));
    },
    dispose: () => {
      jax.tree.dispose([x, targets, mask, asTree(trained)]);
      train.dispose();
    },
  };
}
