import type { Recipe } from './examples';
import { ADAMW, isDecayed, LEARNING_RATE } from './step.reference';
import type { Named, Tensor, TensorFlow, Variable } from './tfjsApi';

/** Does a work so many times over, each in a tidy, sends all of it and waits for the GPU. */
export type Run = (repetitions: number, work: () => void) => Promise<void>;

/** As `layerNorm.reference.ts` has it. */
const EPS = 1e-6;

export function upload(
  tf: TensorFlow,
  { shape, data }: { readonly shape: readonly number[]; readonly data: ArrayLike<number> },
): Tensor {
  return tf.tensor(Float32Array.from(data), shape);
}

export async function read(tf: TensorFlow, tensors: Named): Promise<Record<string, Float32Array>> {
  const results: Record<string, Float32Array> = {};
  for (const [name, tensor] of Object.entries(tensors)) results[name] = await tensor.data();
  tf.dispose(tensors);
  return results;
}

export function layerNorm(tf: TensorFlow, x: Tensor, gamma: Tensor, beta: Tensor, eps = EPS): Tensor {
  const { mean, variance } = tf.moments(x, -1, true);
  return tf.add(tf.mul(tf.div(tf.sub(x, mean), tf.sqrt(tf.add(variance, eps))), gamma), beta);
}

export function gelu(tf: TensorFlow, x: Tensor): Tensor {
  return tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1));
}

/** q, k and v [batch, heads, tokens, channels]; a mask is added to the scores. */
export function attend(tf: TensorFlow, [q, k, v]: readonly [Tensor, Tensor, Tensor], mask?: Tensor): Tensor {
  const scale = 1 / Math.sqrt(q.shape.at(-1) as number);
  const scores = tf.mul(tf.matMul(q, k, false, true), scale);
  return tf.matMul(tf.softmax(mask ? tf.add(scores, mask) : scores), v);
}

/** What `adamw` is told; as of `step.reference.ts` by default. */
type AdamwOptions = Pick<Recipe, 'betas' | 'eps' | 'weightDecay'>;

/** TensorFlow.js has Adam, to which weight decay is added by hand. */
export function adamw(
  tf: TensorFlow,
  { betas, eps, weightDecay }: AdamwOptions = ADAMW,
): {
  update: (variables: readonly Variable[], gradients: Named, rate?: number) => void;
  dispose: () => void;
} {
  const [beta1, beta2] = betas;
  const optimizer = tf.train.adam(LEARNING_RATE, beta1, beta2, eps);
  return {
    update: (variables, gradients, rate = LEARNING_RATE) => {
      optimizer.learningRate = rate;
      for (const variable of variables) {
        if (isDecayed(variable.shape)) variable.assign(tf.mul(variable, 1 - rate * weightDecay));
      }
      optimizer.applyGradients(gradients);
    },
    dispose: () => optimizer.dispose(),
  };
}
