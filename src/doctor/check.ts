import { moduleOf } from '../../kernels-test/moduleOf';
import { adamwStep } from '../../kernels-test/adamw.reference';
import * as attentionReference from '../../kernels-test/attention.reference';
import { random, type Reference } from '../../kernels-test/allclose';
import * as layerNormReference from '../../kernels-test/layerNorm.reference';
import * as linearReference from '../../kernels-test/linear.reference';
import type { Engine } from '../engine/engine';
import { f32 } from '../engine/inputs';
import { Parameters } from '../nn/parameters';
import { attention } from '../ops/attention';
import { layerNorm } from '../ops/layerNorm';
import { linear } from '../ops/linear';
import { AdamW, HYPER_VALUES } from '../optim/adamw';
import { gradientNorm } from '../optim/gradientNorm';

// One training step of an attention block, x + linear(attention(linear(layerNorm(x)))), at shapes that divide by nothing.

const [BATCH, TOKENS, WIDTH, HEADS] = [3, 37, 65, 5];
const HEAD_WIDTH = 13;

/** The large eps keeps the step smooth where a gradient is all rounding, as that of the keys' bias is. */
const OPTIONS = { betas: [0.9, 0.95], eps: 1, weightDecay: 0.05 } as const;
const LEARNING_RATE = 0.1;

const PARAMETERS = {
  gamma: random([WIDTH], 1),
  beta: random([WIDTH], 2),
  qkvWeight: scaled(random([3 * HEADS * HEAD_WIDTH, WIDTH], 3), 0.2),
  qkvBias: random([3 * HEADS * HEAD_WIDTH], 4),
  outWeight: scaled(random([WIDTH, HEADS * HEAD_WIDTH], 5), 0.2),
  outBias: random([WIDTH], 6),
};
type Name = keyof typeof PARAMETERS;

/** Bound on ‖engine − reference‖ / ‖reference‖ of every tensor: some 20 times what f32 gives. */
const LIMIT = 1e-5;

export interface CheckResult {
  /** The largest error of all tensors, and the tensor's name; null where the adapter gave what is no number. */
  readonly error: number | null;
  readonly tensor: string;
  readonly limit: number;
  readonly right: boolean;
  /** Until the kernels were compiled: some drivers do it when they run first. */
  readonly compileSeconds: number;
  /** Of a step after that, and of reading its output. */
  readonly seconds: number;
}

/** Runs a training step and compares outputs, gradients and updated parameters with a float64 reference. */
export async function checkComputing(engine: Engine): Promise<CheckResult> {
  const { results, compileSeconds, seconds } = await runStep(engine);
  let worst = { error: -1, tensor: '' };
  for (const [tensor, { data }] of Object.entries(referenceStep())) {
    const error = relativeError(results[tensor] ?? [], data);
    if (!(error <= worst.error)) worst = { error, tensor };
    if (Number.isNaN(error)) break;
  }
  const error = Number.isFinite(worst.error) ? worst.error : null;
  return { tensor: worst.tensor, error, limit: LIMIT, right: worst.error <= LIMIT, compileSeconds, seconds };
}

function inputs(): { x: Reference; dy: Reference } {
  return { x: random([BATCH, TOKENS, WIDTH], 7), dy: random([BATCH, TOKENS, WIDTH], 8) };
}

async function runStep(
  engine: Engine,
): Promise<{ results: Record<string, ArrayLike<number>>; compileSeconds: number; seconds: number }> {
  const began = performance.now();
  const specs = Object.entries(PARAMETERS).map(([name, { shape, data }]) => ({
    name,
    shape,
    initialize: () => Float32Array.from(data),
  }));
  const parameters = new Parameters(engine, 'check', moduleOf(specs));
  parameters.initialize(() => ({ uniform: () => 0, normal: () => 0 }));
  const optimizer = new AdamW(parameters, OPTIONS);
  const of = (name: Name): ReturnType<Parameters['get']> => parameters.get(name);

  const { x, dy } = inputs();
  const program = await engine.compile(
    { x: { ...f32(...x.shape), requiresGrad: true }, dy: f32(...dy.shape), hyper: f32(HYPER_VALUES) },
    (given, graph) => {
      const normal = layerNorm(given.x, of('gamma'), of('beta'), layerNormReference.EPS);
      const qkv = linear(normal, of('qkvWeight'), of('qkvBias'));
      const y = linear(attention(qkv, HEADS), of('outWeight'), of('outBias'), given.x);
      graph.backward(y, given.dy);
      optimizer.record(graph, given.hyper, gradientNorm(graph, parameters.arenas, 0));
      return { y, dx: graph.gradientOf(given.x) };
    },
  );
  try {
    const { outputs } = program;
    await program.run({
      x: Float32Array.from(x.data),
      dy: Float32Array.from(dy.data),
      hyper: optimizer.hyper(LEARNING_RATE, 1),
    });
    const results: Record<string, ArrayLike<number>> = { y: await outputs.y.data(), dx: await outputs.dx.data() };
    for (const [name, values] of await parameters.read()) results[`updated ${name}`] = values;
    const compiled = performance.now();
    await program.run();
    await outputs.y.data();
    const seconds = (performance.now() - compiled) / 1000;
    return { results, compileSeconds: (compiled - began) / 1000, seconds };
  } finally {
    program.dispose();
    optimizer.dispose();
    parameters.dispose();
  }
}

/** The same in float64, plainly. */
function referenceStep(): Record<string, Reference> {
  const { x, dy } = inputs();
  const { gamma, beta, qkvWeight, qkvBias, outWeight, outBias } = PARAMETERS;
  const block = { b: BATCH, n: TOKENS, heads: HEADS, d: HEAD_WIDTH };
  const norm = { x, gamma, beta };
  const toQkv = { x: layerNormReference.forward(norm).y, weight: qkvWeight, bias: qkvBias };
  const qkv = { qkv: linearReference.forward(toQkv).y };
  const toOut = { x: attentionReference.forward(block, qkv).out, weight: outWeight, bias: outBias };
  const { y } = linearReference.forward({ ...toOut, residual: x });

  const dOut = linearReference.backward(toOut, { y: dy });
  const dQkv = linearReference.backward(toQkv, { y: attentionReference.backward(block, qkv, { out: dOut.x }).qkv });
  const dNorm = layerNormReference.backward(norm, { y: dQkv.x });
  const dx = { shape: x.shape, data: dNorm.x.data.map((value, i) => value + (dy.data[i] ?? 0)) };

  const gradients: Record<Name, Reference> = {
    gamma: dNorm.gamma,
    beta: dNorm.beta,
    qkvWeight: dQkv.weight,
    qkvBias: dQkv.bias,
    outWeight: dOut.weight,
    outBias: dOut.bias,
  };
  const names = Object.keys(PARAMETERS) as Name[];
  const updated = names.map((name) => {
    const { shape, data } = PARAMETERS[name];
    const zeros = (): Float64Array => new Float64Array(data.length);
    return { name, shape, value: data.slice(), m: zeros(), v: zeros(), decayed: shape.length > 1 };
  });
  adamwStep(
    updated,
    names.map((name) => gradients[name].data),
    { ...OPTIONS, learningRate: LEARNING_RATE, step: 1, factor: 1 },
  );
  return {
    y,
    dx,
    ...Object.fromEntries(updated.map(({ name, shape, value }) => [`updated ${name}`, { shape, data: value }])),
  };
}

function relativeError(actual: ArrayLike<number>, expected: Float64Array): number {
  if (actual.length !== expected.length) return NaN;
  let difference = 0;
  let norm = 0;
  expected.forEach((value, i) => {
    difference += (Number(actual[i]) - value) ** 2;
    norm += value ** 2;
  });
  return Math.sqrt(difference / norm);
}

/** Rounded to f32, so that engine and reference start from the same. */
function scaled({ shape, data }: Reference, factor: number): Reference {
  return { shape, data: data.map((value) => Math.fround(factor * value)) };
}
