import { adamwStep } from '../../kernels-test/adamw.reference';
import * as attention from '../../kernels-test/attention.reference';
import { random, zeros, type Reference, type References } from '../../kernels-test/allclose';
import * as mse from '../../kernels-test/latentMse.reference';
import * as layerNorm from '../../kernels-test/layerNorm.reference';
import * as linear from '../../kernels-test/linear.reference';
import * as mlp from '../../kernels-test/mlp.reference';

/*
 * The training step that engines are compared by, in float64: a stack of pre-norm ViT blocks, the mean square of its
 * output against a fixed target, AdamW. Weights are named as published checkpoints name them and stored [outputs, inputs].
 */

export interface StepShape {
  readonly dim: number;
  readonly heads: number;
  readonly depth: number;
  readonly batch: number;
  readonly tokens: number;
}

/** The decay is larger than anyone's, so that a check sees it. */
export const ADAMW = { betas: [0.9, 0.95], eps: 1e-8, weightDecay: 0.5 } as const;
export const LEARNING_RATE = 1e-4;
/** Steps whose losses are compared: the first is that of the given weights. */
export const CHECKED_STEPS = 3;
export const MLP_RATIO = 4;

/** By the rule of 6 × weights of matrices × tokens, and attention's products, three times those of its forward. */
export function stepFlops({ dim, depth, batch, tokens }: StepShape): number {
  const matrices = (4 + 2 * MLP_RATIO) * dim * dim;
  return 3 * depth * batch * tokens * (2 * matrices + 4 * tokens * dim);
}

/** Names and shapes of a block's weights. */
export function blockShapes(dim: number): readonly (readonly [name: string, shape: readonly number[]])[] {
  const hidden = MLP_RATIO * dim;
  return [
    ['norm1.weight', [dim]],
    ['norm1.bias', [dim]],
    ['attn.qkv.weight', [3 * dim, dim]],
    ['attn.qkv.bias', [3 * dim]],
    ['attn.proj.weight', [dim, dim]],
    ['attn.proj.bias', [dim]],
    ['norm2.weight', [dim]],
    ['norm2.bias', [dim]],
    ['mlp.fc1.weight', [hidden, dim]],
    ['mlp.fc1.bias', [hidden]],
    ['mlp.fc2.weight', [dim, hidden]],
    ['mlp.fc2.bias', [dim]],
  ];
}

/** Input `x` and `target` [batch, tokens, dim], and every weight by name. */
export function stepInputs({ dim, depth, batch, tokens }: StepShape): References {
  const inputs: Record<string, Reference> = {
    x: random([batch, tokens, dim], 1),
    target: random([batch, tokens, dim], 2),
  };
  let seed = 3;
  for (let index = 0; index < depth; index++) {
    for (const [name, shape] of blockShapes(dim)) {
      const { data } = random(shape, seed++);
      const isNorm = /norm\d\.weight$/.test(name);
      const scale = shape.length > 1 ? Math.sqrt(3 / (shape[1] as number)) : 0.1;
      inputs[`blocks.${index}.${name}`] = {
        shape,
        data: data.map((value) => Math.fround(scale * value + Number(isNorm))),
      };
    }
  }
  return inputs;
}

/** The names of what is trained. */
export function weightNames(inputs: References): string[] {
  return Object.keys(inputs).filter((name) => name.startsWith('blocks.'));
}

/** AdamW decays matrices only. */
export const isDecayed = (shape: readonly number[]): boolean => shape.length > 1;

/** Losses of the first `CHECKED_STEPS` steps: [CHECKED_STEPS]. */
export function stepLosses(shape: StepShape, inputs: References): Reference {
  const losses = zeros([CHECKED_STEPS]);
  const names = weightNames(inputs);
  const weights = Object.fromEntries(
    names.map((name) => [name, { ...find(inputs, name), data: find(inputs, name).data.slice() }]),
  );
  const states = names.map((name) => {
    const { shape: extents, data } = find(weights, name);
    return { value: data, m: zeros(extents).data, v: zeros(extents).data, decayed: isDecayed(extents) };
  });
  for (let step = 1; step <= CHECKED_STEPS; step++) {
    const { loss, gradients } = lossAndGradients(shape, { ...inputs, ...weights }, { backward: step < CHECKED_STEPS });
    losses.data[step - 1] = loss;
    if (!gradients) break;
    const ordered = names.map((name) => find(gradients, name).data);
    adamwStep(states, ordered, { ...ADAMW, learningRate: LEARNING_RATE, step, factor: 1 });
  }
  return losses;
}

/** The loss, and where asked for its gradients with respect to every weight, by name. */
export function lossAndGradients(
  { heads, depth }: StepShape,
  inputs: References,
  { backward }: { readonly backward: boolean },
): { loss: number; gradients?: References } {
  let x = find(inputs, 'x');
  const blocks = Array.from({ length: depth }, (_, index) => {
    const block = blockForward(x, blockWeights(inputs, index), heads);
    x = block.y;
    return block;
  });
  const target = find(inputs, 'target');
  const loss = mse.forward({ z: x }, target, 1).loss.data[0] as number;
  if (!backward) return { loss };
  let dy = mse.backward({ z: x }, target, 1, { loss: { shape: [1], data: Float64Array.of(1) } }).z;
  const gradients: Record<string, Reference> = {};
  for (const [index, block] of [...blocks.entries()].reverse()) {
    const result = block.backward(dy);
    dy = result.dx;
    for (const [name, gradient] of Object.entries(result.gradients)) gradients[`blocks.${index}.${name}`] = gradient;
  }
  return { loss, gradients };
}

function find(references: References, name: string): Reference {
  const found = references[name];
  if (!found) throw new Error(`there is no '${name}'`);
  return found;
}

/** A block's weights, by names without the block's. */
function blockWeights(inputs: References, index: number): References {
  const prefix = `blocks.${index}.`;
  const own = Object.entries(inputs).filter(([name]) => name.startsWith(prefix));
  return Object.fromEntries(own.map(([name, value]) => [name.slice(prefix.length), value]));
}

interface Block {
  readonly y: Reference;
  readonly backward: (dy: Reference) => { dx: Reference; gradients: References };
}

function blockForward(x: Reference, weights: References, heads: number): Block {
  const weight = (name: string): Reference => find(weights, name);
  const norm = (name: string, of: Reference): layerNorm.Inputs => ({
    x: of,
    gamma: weight(`${name}.weight`),
    beta: weight(`${name}.bias`),
  });
  const dense = (name: string, of: Reference): linear.Inputs => ({
    x: of,
    weight: weight(`${name}.weight`),
    bias: weight(`${name}.bias`),
  });
  const [b = 1, n = 1, dim = 1] = x.shape;
  const shape = { b, n, heads, d: dim / heads };
  const norm1 = norm('norm1', x);
  const qkvInputs = dense('attn.qkv', layerNorm.forward(norm1).y);
  const qkv = linear.forward(qkvInputs).y;
  const proj = dense('attn.proj', attention.forward(shape, { qkv }).out);
  const middle = linear.forward({ ...proj, residual: x }).y;
  const norm2 = norm('norm2', middle);
  const mlpInputs: mlp.Inputs = {
    x: layerNorm.forward(norm2).y,
    weight1: weight('mlp.fc1.weight'),
    bias1: weight('mlp.fc1.bias'),
    weight2: weight('mlp.fc2.weight'),
    bias2: weight('mlp.fc2.bias'),
    residual: middle,
  };
  return {
    y: mlp.forward(mlpInputs).y,
    backward: (dy) => {
      const dMlp = mlp.backward(mlpInputs, { y: dy });
      const dNorm2 = layerNorm.backward(norm2, { y: dMlp.x });
      const dMiddle = plus(dMlp.residual, dNorm2.x);
      const dProj = linear.backward(proj, { y: dMiddle });
      const dQkv = linear.backward(qkvInputs, { y: attention.backward(shape, { qkv }, { out: dProj.x }).qkv });
      const dNorm1 = layerNorm.backward(norm1, { y: dQkv.x });
      return {
        dx: plus(dMiddle, dNorm1.x),
        gradients: {
          'norm1.weight': dNorm1.gamma,
          'norm1.bias': dNorm1.beta,
          'attn.qkv.weight': dQkv.weight,
          'attn.qkv.bias': dQkv.bias,
          'attn.proj.weight': dProj.weight,
          'attn.proj.bias': dProj.bias,
          'norm2.weight': dNorm2.gamma,
          'norm2.bias': dNorm2.beta,
          'mlp.fc1.weight': dMlp.weight1,
          'mlp.fc1.bias': dMlp.bias1,
          'mlp.fc2.weight': dMlp.weight2,
          'mlp.fc2.bias': dMlp.bias2,
        },
      };
    },
  };
}

function plus(a: Reference, b: Reference): Reference {
  return { shape: a.shape, data: a.data.map((value, i) => value + (b.data[i] as number)) };
}
