import type { Reference, References } from '../../kernels-test/allclose';
import { headShape, packHeads, turnedReference, unpackHeads } from './arrange';
import type { PeerEngine, PeerHost, PreparedWork } from './peer';
import type { AdamwWork, AttentionWork, MatmulWork, Results, RowWork, StepWork, Work } from './rows';
import type { Arr, Device, Jax, Session, Tree, Weights } from './jaxApi';
import { prepareExample } from './jaxExamples';
import { adamw, asTree, attend, hyperOf, layerNorm, trainedFrom, type Hyper } from './jaxOperations';
import { CHECKED_STEPS, weightNames } from './step.reference';

/** jax-js on WebGPU, on a device of its own. */
export async function startJax(host: PeerHost): Promise<PeerEngine> {
  return start(host, 'webgpu', 'jax-js');
}

/** jax-js on WebAssembly: for training steps. */
export async function startJaxWasm(host: PeerHost): Promise<PeerEngine> {
  return start(host, 'wasm', 'jax-js wasm');
}

async function start({ load, wait }: PeerHost, device: Device, name: string): Promise<PeerEngine> {
  const jax = (await load('@jax-js/jax')) as Jax;
  if (!(await wait(jax.init(device))).includes(device)) throw new Error(`it finds no ${device}`);
  const settle = (tree: Tree): Promise<unknown> => wait(jax.blockUntilReady(tree));
  const session: Session = {
    jax,
    device,
    upload: ({ shape, data }) => jax.numpy.array(Float32Array.from(data), { shape, device }),
    settle,
  };
  return {
    name,
    prepare: async (work, inputs) => {
      jax.defaultDevice(device);
      if (device === 'wasm' && work.kind !== 'step' && work.kind !== 'example') return undefined;
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

function prepare(session: Session, work: Work, inputs: References): PreparedWork {
  switch (work.kind) {
    case 'attention':
      return prepareAttention(session, work, inputs);
    case 'adamw':
      return prepareAdamw(session, work, inputs);
    case 'step':
      return prepareStep(session, work, inputs);
    case 'example':
      return prepareExample(session, work, inputs);
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

function prepareAttention(session: Session, work: AttentionWork, inputs: References): PreparedWork {
  const { jax, upload } = session;
  const shape = headShape(work, 'outside');
  const heads = (name: string, parts: number): Arr[] =>
    unpackHeads((inputs[name] as Reference).data, parts, work, 'outside').map((data) => upload({ shape, data }));
  const operation = (...[q, k, v]: Arr[]): Arr => attend(jax, [q, k, v] as [Arr, Arr, Arr]);
  const named = ([out, ...gradients]: readonly Float32Array[]): Results => ({
    out: packHeads([out as Float32Array], work, 'outside'),
    ...(gradients.length > 0 ? { dqkv: packHeads(gradients, work, 'outside') } : {}),
  });
  return work.backward
    ? prepareFunction(session, withGradients(jax, operation), [...heads('qkv', 3), ...heads('dOut', 1)], named)
    : prepareFunction(session, (...qkv) => [operation(...qkv)], heads('qkv', 3), named);
}

function prepareAdamw(session: Session, _: AdamwWork, inputs: References): PreparedWork {
  const { jax, upload, settle } = session;
  const gradient = upload(inputs['gradient'] as Reference);
  let trained = trainedFrom(session, { weight: inputs['weight'] as Reference });
  const update = jax.jit(([weights, m, v]: [Weights, Weights, Weights], given: Arr, by: Hyper) =>
    asTree(adamw(jax, { weights, m, v }, { weight: given }, by)),
  );
  let done = 0;
  const step = (): void => {
    const [weights, m, v] = update(asTree(trained), gradient.ref, hyperOf(session, ++done));
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
  const train = jax.jit(([weights, m, v]: [Weights, Weights, Weights], from: Arr, to: Arr, by: Hyper) => {
    const loss = (of: Weights): Arr => jax.numpy.square(model(jax, work, of, from).sub(to)).mean();
    const [value, gradients] = jax.valueAndGrad(loss)(jax.tree.ref(weights));
    return [value, asTree(adamw(jax, { weights, m, v }, gradients, by))] as const;
  });
  let done = 0;
  const step = (): Arr => {
    const [loss, [weights, m, v]] = train(asTree(trained), x.ref, target.ref, hyperOf(session, ++done));
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
    const attended = attend(jax, [q, k, v]).transpose([0, 2, 1, 3]).reshape([rows, dim]);
    y = y.add(linear(`${name}.attn.proj`, attended));
    const hidden = jax.nn.gelu(linear(`${name}.mlp.fc1`, norm(`${name}.norm2`, y.ref)), { approximate: false });
    y = y.add(linear(`${name}.mlp.fc2`, hidden));
  }
  return y.reshape([batch, tokens, dim]);
}
