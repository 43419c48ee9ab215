import type { Reference, References } from '../../kernels-test/allclose';
import { headShape, packHeads, turnedReference, unpackHeads } from './arrange';
import type { PeerEngine, PeerHost, PreparedWork } from './peer';
import type { AdamwWork, AttentionWork, MatmulWork, Results, RowWork, StepWork, Work } from './rows';
import { ADAMW, CHECKED_STEPS, isDecayed, LEARNING_RATE, weightNames } from './step.reference';

/**
 * What is called of jax-js. Whoever passes an array on gives up a reference to it; `ref` takes another.
 */
interface Arr {
  readonly ref: Arr;
  readonly shape: readonly number[];
  dispose(): void;
  data(): Promise<Float32Array>;
  add(other: Arr | number): Arr;
  sub(other: Arr | number): Arr;
  mul(other: Arr | number): Arr;
  div(other: Arr | number): Arr;
  reshape(shape: readonly number[]): Arr;
  transpose(order?: readonly number[]): Arr;
  mean(): Arr;
}
type Tree = Arr | readonly Tree[] | { readonly [name: string]: Tree };
type Weights = Readonly<Record<string, Arr>>;
type Device = 'webgpu' | 'wasm';
interface Jax {
  init(...devices: Device[]): Promise<string[]>;
  defaultDevice(device: Device): Device;
  blockUntilReady(tree: Tree): Promise<Tree>;
  jit<Args extends readonly unknown[], Result>(
    f: (...args: Args) => Result,
  ): ((...args: Args) => Result) & { dispose(): void };
  vjp(f: (...inputs: Arr[]) => Arr, inputs: readonly Arr[]): [Arr, ((dy: Arr) => Arr[]) & { dispose(): void }];
  valueAndGrad(f: (weights: Weights) => Arr): (weights: Weights) => [Arr, Weights];
  readonly tree: { ref<T extends Tree>(tree: T): T; dispose(tree: Tree): void };
  readonly numpy: {
    array(data: Float32Array, options: { readonly shape: readonly number[]; readonly device: Device }): Arr;
    matmul(a: Arr, b: Arr): Arr;
    square(x: Arr): Arr;
    sqrt(x: Arr): Arr;
    split(x: Arr, parts: number, axis: number): Arr[];
  };
  readonly nn: {
    softmax(x: Arr, axis: number): Arr;
    gelu(x: Arr, options: { readonly approximate: boolean }): Arr;
    standardize(x: Arr, axis: number, options: { readonly epsilon: number }): Arr;
  };
}

/** As `layerNorm.reference.ts` has it. */
const EPS = 1e-6;

/** jax-js on WebGPU, on a device of its own. */
export async function startJax(host: PeerHost): Promise<PeerEngine> {
  return start(host, 'webgpu', 'jax-js');
}

/** jax-js on WebAssembly: for the training step. */
export async function startJaxWasm(host: PeerHost): Promise<PeerEngine> {
  return start(host, 'wasm', 'jax-js wasm');
}

async function start({ load, wait }: PeerHost, device: Device, name: string): Promise<PeerEngine> {
  const jax = (await load('@jax-js/jax')) as Jax;
  if (!(await wait(jax.init(device))).includes(device)) throw new Error(`it finds no ${device}`);
  const settle = (tree: Tree): Promise<unknown> => wait(jax.blockUntilReady(tree));
  const session: Session = {
    jax,
    upload: ({ shape, data }) => jax.numpy.array(Float32Array.from(data), { shape, device }),
    settle,
  };
  return {
    name,
    prepare: async (work, inputs) => {
      jax.defaultDevice(device);
      if (device === 'wasm' && work.kind !== 'step') return undefined;
      const prepared = prepare(session, work, inputs);
      // Engines take turns, and two of them share what the default is.
      const run = (repetitions: number): Promise<void> => {
        jax.defaultDevice(device);
        return prepared.run(repetitions);
      };
      return { ...prepared, run };
    },
    dispose: () => undefined,
  };
}

interface Session {
  readonly jax: Jax;
  readonly upload: (array: { readonly shape: readonly number[]; readonly data: ArrayLike<number> }) => Arr;
  /** Waits until every array of the tree is computed. */
  readonly settle: (tree: Tree) => Promise<unknown>;
}

function prepare(session: Session, work: Work, inputs: References): PreparedWork {
  switch (work.kind) {
    case 'attention':
      return prepareAttention(session, work, inputs);
    case 'adamw':
      return prepareAdamw(session, work, inputs);
    case 'step':
      return prepareStep(session, work, inputs);
    default:
      return prepareOperation(session, work, inputs);
  }
}

/** A jitted function of arrays that stay; its outputs under the names that `name` gives. */
function prepareFunction(
  { jax, settle }: Session,
  f: (...args: Arr[]) => Arr[],
  args: readonly Arr[],
  name: (outputs: readonly Float32Array[]) => Results,
): PreparedWork {
  const jitted = jax.jit(f);
  const call = (): Arr[] => jitted(...args.map(({ ref }) => ref));
  return {
    results: async () => {
      const outputs: Float32Array[] = [];
      for (const output of call()) outputs.push(await output.data());
      return name(outputs);
    },
    run: async (repetitions) => {
      const outputs = Array.from({ length: repetitions }, call);
      await settle(outputs);
      jax.tree.dispose(outputs);
    },
    dispose: () => {
      jax.tree.dispose(args);
      jitted.dispose();
    },
  };
}

/** The result of `f` and its gradients with respect to each input, given dy, the last argument. */
function withGradients(jax: Jax, f: (...inputs: Arr[]) => Arr): (...args: Arr[]) => Arr[] {
  return (...args) => {
    const [y, pull] = jax.vjp(f, args.slice(0, -1));
    const gradients = pull(args.at(-1) as Arr);
    pull.dispose();
    return [y, ...gradients];
  };
}

function prepareOperation(session: Session, work: MatmulWork | RowWork, inputs: References): PreparedWork {
  const { jax, upload } = session;
  const arrays = (names: readonly string[]): Arr[] => names.map((name) => upload(inputs[name] as Reference));
  if (work.kind === 'matmul') {
    const { layout } = work;
    const product = (a: Arr, b: Arr): Arr[] => [
      jax.numpy.matmul(layout === 'tn' ? a.transpose() : a, layout === 'nt' ? b.transpose() : b),
    ];
    return prepareFunction(session, product, arrays(['a', 'b']), ([c]) => ({ c: c as Float32Array }));
  }
  const names = work.kind === 'layerNorm' ? ['x', 'gamma', 'beta'] : ['x'];
  const operation = operationOf(jax, work.kind);
  const named = ([y, ...gradients]: readonly Float32Array[]): Results => ({
    y: y as Float32Array,
    ...Object.fromEntries(gradients.map((gradient, index) => [`d${names[index] ?? ''}`, gradient])),
  });
  return work.backward
    ? prepareFunction(session, withGradients(jax, operation), arrays([...names, 'dy']), named)
    : prepareFunction(session, (...leaves) => [operation(...leaves)], arrays(names), named);
}

function operationOf(jax: Jax, kind: RowWork['kind']): (...inputs: Arr[]) => Arr {
  switch (kind) {
    case 'layerNorm':
      return (x, gamma, beta) => layerNorm(jax, x, gamma, beta);
    case 'softmax':
      return (x) => jax.nn.softmax(x, -1);
    case 'gelu':
      return (x) => jax.nn.gelu(x, { approximate: false });
  }
}

function layerNorm(jax: Jax, x: Arr, gamma: Arr, beta: Arr): Arr {
  return jax.nn.standardize(x, -1, { epsilon: EPS }).mul(gamma).add(beta);
}

/** q, k and v [batch, heads, tokens, channels]. What jax-js has for it needs a newer Node than this project does. */
function attend(jax: Jax, q: Arr, k: Arr, v: Arr): Arr {
  const scale = 1 / Math.sqrt(q.shape.at(-1) as number);
  const scores = jax.numpy.matmul(q, k.transpose([0, 1, 3, 2])).mul(scale);
  return jax.numpy.matmul(jax.nn.softmax(scores, -1), v);
}

function prepareAttention(session: Session, work: AttentionWork, inputs: References): PreparedWork {
  const { jax, upload } = session;
  const shape = headShape(work, 'outside');
  const heads = (name: string, parts: number): Arr[] =>
    unpackHeads((inputs[name] as Reference).data, parts, work, 'outside').map((data) => upload({ shape, data }));
  const operation = (...[q, k, v]: Arr[]): Arr => attend(jax, q as Arr, k as Arr, v as Arr);
  const named = ([out, ...gradients]: readonly Float32Array[]): Results => ({
    out: packHeads([out as Float32Array], work, 'outside'),
    ...(gradients.length > 0 ? { dqkv: packHeads(gradients, work, 'outside') } : {}),
  });
  return work.backward
    ? prepareFunction(session, withGradients(jax, operation), [...heads('qkv', 3), ...heads('dOut', 1)], named)
    : prepareFunction(session, (...qkv) => [operation(...qkv)], heads('qkv', 3), named);
}

interface Trained {
  readonly weights: Weights;
  readonly m: Weights;
  readonly v: Weights;
}

/** What the two moments are divided by. */
type Corrections = [mean: Arr, square: Arr];

/** AdamW of every weight, for jit. */
function adamw(
  jax: Jax,
  { weights, m, v }: Trained,
  gradients: Weights,
  [correction1, correction2]: Corrections,
): Trained {
  const [beta1, beta2] = ADAMW.betas;
  const next = { weights: {} as Record<string, Arr>, m: {} as Record<string, Arr>, v: {} as Record<string, Arr> };
  for (const [name, weight] of Object.entries(weights)) {
    const gradient = gradients[name] as Arr;
    const mean = (m[name] as Arr).mul(beta1).add(gradient.ref.mul(1 - beta1));
    const square = (v[name] as Arr).mul(beta2).add(jax.numpy.square(gradient).mul(1 - beta2));
    const deviation = jax.numpy.sqrt(square.ref.div(correction2.ref)).add(ADAMW.eps);
    const decay = isDecayed(weight.shape) ? 1 - LEARNING_RATE * ADAMW.weightDecay : 1;
    next.weights[name] = weight.mul(decay).sub(mean.ref.div(correction1.ref).mul(LEARNING_RATE).div(deviation));
    next.m[name] = mean;
    next.v[name] = square;
  }
  correction1.dispose();
  correction2.dispose();
  return next;
}

/** The corrections of step 1, 2, … as arrays of one element. */
function corrections({ upload }: Session, step: number): Corrections {
  const [beta1, beta2] = ADAMW.betas;
  return [upload({ shape: [1], data: [1 - beta1 ** step] }), upload({ shape: [1], data: [1 - beta2 ** step] })];
}

/** Weights with moments of zero. */
function trainedFrom(
  { upload }: Session,
  weights: Readonly<Record<string, { shape: readonly number[]; data: ArrayLike<number> }>>,
): Trained {
  const map = (value: (of: { shape: readonly number[]; data: ArrayLike<number> }) => Arr): Weights =>
    Object.fromEntries(Object.entries(weights).map(([name, of]) => [name, value(of)]));
  const zeros = (): Weights => map(({ shape, data }) => upload({ shape, data: new Float32Array(data.length) }));
  return { weights: map(upload), m: zeros(), v: zeros() };
}

function asTree({ weights, m, v }: Trained): [Weights, Weights, Weights] {
  return [weights, m, v];
}

function prepareAdamw(session: Session, _: AdamwWork, inputs: References): PreparedWork {
  const { jax, upload, settle } = session;
  const gradient = upload(inputs['gradient'] as Reference);
  let trained = trainedFrom(session, { weight: inputs['weight'] as Reference });
  const update = jax.jit(([weights, m, v]: [Weights, Weights, Weights], given: Arr, by: Corrections) =>
    asTree(adamw(jax, { weights, m, v }, { weight: given }, by)),
  );
  let done = 0;
  const step = (): void => {
    const [weights, m, v] = update(asTree(trained), gradient.ref, corrections(session, ++done));
    trained = { weights, m, v };
  };
  return {
    results: async () => {
      step();
      return { weight: await (trained.weights['weight'] as Arr).ref.data() };
    },
    run: async (repetitions) => {
      for (let i = 0; i < repetitions; i++) step();
      await settle(asTree(trained));
    },
    dispose: () => {
      jax.tree.dispose([gradient, asTree(trained)]);
      update.dispose();
    },
  };
}

function prepareStep(session: Session, work: StepWork, inputs: References): PreparedWork {
  const { jax, upload, settle } = session;
  const x = upload(inputs['x'] as Reference);
  const target = upload(inputs['target'] as Reference);
  // x·W takes its weight [inputs, outputs].
  const given = weightNames(inputs).map((name) => {
    const value = inputs[name] as Reference;
    return [name, value.shape.length > 1 ? turnedReference(value) : value] as const;
  });
  let trained = trainedFrom(session, Object.fromEntries(given));
  const train = jax.jit(([weights, m, v]: [Weights, Weights, Weights], from: Arr, to: Arr, by: Corrections) => {
    const loss = (of: Weights): Arr => jax.numpy.square(model(jax, work, of, from).sub(to)).mean();
    const [value, gradients] = jax.valueAndGrad(loss)(jax.tree.ref(weights));
    return [value, asTree(adamw(jax, { weights, m, v }, gradients, by))] as const;
  });
  let done = 0;
  const step = (): Arr => {
    const [loss, [weights, m, v]] = train(asTree(trained), x.ref, target.ref, corrections(session, ++done));
    trained = { weights, m, v };
    return loss;
  };
  return {
    results: async () => {
      const losses: number[] = [];
      for (let i = 0; i < CHECKED_STEPS; i++) losses.push((await step().data())[0] as number);
      return { losses };
    },
    run: async (repetitions) => {
      for (let i = 0; i < repetitions; i++) {
        const loss = step();
        await settle([loss, asTree(trained)]);
        loss.dispose();
      }
    },
    dispose: () => {
      jax.tree.dispose([x, target, asTree(trained)]);
      train.dispose();
    },
  };
}

/** The stack of blocks on x [batch, tokens, dim]. */
function model(jax: Jax, { dim, heads, depth, batch, tokens }: StepWork, weights: Weights, x: Arr): Arr {
  const rows = batch * tokens;
  const weight = (name: string): Arr => weights[name] as Arr;
  const linear = (name: string, of: Arr): Arr =>
    jax.numpy.matmul(of, weight(`${name}.weight`)).add(weight(`${name}.bias`));
  const norm = (name: string, of: Arr): Arr => layerNorm(jax, of, weight(`${name}.weight`), weight(`${name}.bias`));
  let y = x.reshape([rows, dim]);
  for (let index = 0; index < depth; index++) {
    const name = `blocks.${index}`;
    const parts = jax.numpy.split(linear(`${name}.attn.qkv`, norm(`${name}.norm1`, y.ref)), 3, 1);
    const [q, k, v] = parts.map((part) =>
      part.reshape([batch, tokens, heads, dim / heads]).transpose([0, 2, 1, 3]),
    ) as [Arr, Arr, Arr];
    const attended = attend(jax, q, k, v).transpose([0, 2, 1, 3]).reshape([rows, dim]);
    y = y.add(linear(`${name}.attn.proj`, attended));
    const hidden = jax.nn.gelu(linear(`${name}.mlp.fc1`, norm(`${name}.norm2`, y.ref)), { approximate: false });
    y = y.add(linear(`${name}.mlp.fc2`, hidden));
  }
  return y.reshape([batch, tokens, dim]);
}
