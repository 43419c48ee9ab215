import type { Reference, References } from '../../kernels-test/allclose';
import { headShape, packHeads, turnedReference, unpackHeads } from './arrange';
import type { PeerEngine, PeerHost, PreparedWork } from './peer';
import type { ExampleWork } from './examples';
import type { AdamwWork, AttentionWork, RowWork, StepWork, Work } from './rows';
import { CHECKED_STEPS, weightNames } from './step.reference';
import type { Tensor, TensorFlow } from './tfjsApi';
import { prepareExample } from './tfjsExamples';
import { adamw, attend, gelu, layerNorm, read, upload, type Run } from './tfjsOperations';

/** TensorFlow.js on its WebGPU backend, on a device of its own. */
export async function startTfjs({ load, wait }: PeerHost): Promise<PeerEngine> {
  const core = (await load('@tensorflow/tfjs-core')) as { readonly default?: TensorFlow };
  const tf = core.default ?? (core as TensorFlow);
  // What Node takes for tfjs-core knows no gradients; with tfjs-layers they come.
  await load('@tensorflow/tfjs-layers');
  await load('@tensorflow/tfjs-backend-webgpu');
  if (!(await wait(tf.setBackend('webgpu')))) throw new Error('its WebGPU backend does not start');
  await tf.ready();
  const backend = tf.backend();
  /** Sends what waits for more, and waits for the GPU. */
  const settle = async (): Promise<void> => {
    backend.endComputePassEncoder();
    if (backend.commandEncoder) backend.submitQueue();
    await wait(backend.device.queue.onSubmittedWorkDone());
  };
  const run = async (repetitions: number, work: () => void): Promise<void> => {
    for (let i = 0; i < repetitions; i++) tf.tidy(work);
    await settle();
  };
  return {
    name: 'TensorFlow.js',
    prepare: async (work, inputs) => {
      switch (work.kind) {
        case 'adamw':
          return prepareAdamw(tf, run, work, inputs);
        case 'step':
          return prepareStep(tf, run, work, inputs);
        case 'example':
          return prepareExample(tf, run, work, inputs);
        default:
          return prepareOperation(tf, run, work, inputs);
      }
    },
    dispose: () => tf.removeBackend('webgpu'),
  };
}

function prepareOperation(
  tf: TensorFlow,
  run: Run,
  work: Exclude<Work, AdamwWork | StepWork | ExampleWork>,
  inputs: References,
): PreparedWork {
  if (work.kind === 'attention') return prepareAttention(tf, run, work, inputs);
  const tensors = Object.fromEntries(Object.entries(inputs).map(([name, value]) => [name, upload(tf, value)]));
  const input = (name: string): Tensor => tensors[name] as Tensor;
  const dispose = (): void => tf.dispose(tensors);
  if (work.kind === 'matmul') {
    const { layout } = work;
    const product = (): Tensor => tf.matMul(input('a'), input('b'), layout === 'tn', layout === 'nt');
    return {
      results: async () => read(tf, { c: product() }),
      run: (repetitions) => run(repetitions, product),
      dispose,
    };
  }
  const names = work.kind === 'layerNorm' ? ['x', 'gamma', 'beta'] : ['x'];
  const operation = operationOf(tf, work.kind);
  const leaves = names.map(input);
  const forward = (): Tensor => operation(...leaves);
  const backward = (): Tensor[] => tf.grads(operation)(leaves, input('dy'));
  return {
    results: async () => {
      const gradients = work.backward ? backward() : [];
      const named = gradients.map((gradient, index) => [`d${names[index] ?? ''}`, gradient] as const);
      return read(tf, { y: forward(), ...Object.fromEntries(named) });
    },
    run: (repetitions) => run(repetitions, work.backward ? backward : forward),
    dispose,
  };
}

function operationOf(tf: TensorFlow, kind: RowWork['kind']): (...inputs: Tensor[]) => Tensor {
  switch (kind) {
    case 'layerNorm':
      return (x, gamma, beta) => layerNorm(tf, x, gamma, beta);
    case 'softmax':
      return (x) => tf.softmax(x);
    case 'gelu':
      return (x) => gelu(tf, x);
  }
}

function prepareAttention(tf: TensorFlow, run: Run, work: AttentionWork, inputs: References): PreparedWork {
  const heads = (name: string, parts: number): Tensor[] =>
    unpackHeads((inputs[name] as Reference).data, parts, work, 'outside').map((data) =>
      tf.tensor(data, headShape(work, 'outside')),
    );
  const qkv = heads('qkv', 3);
  const [dOut] = heads('dOut', 1) as [Tensor];
  const operation = (...leaves: Tensor[]): Tensor => attend(tf, leaves as [Tensor, Tensor, Tensor]);
  const forward = (): Tensor => operation(...qkv);
  const backward = (): Tensor[] => tf.grads(operation)(qkv, dOut);
  return {
    results: async () => {
      const { out } = await read(tf, { out: forward() });
      const gradients = Object.values(await read(tf, Object.fromEntries(work.backward ? backward().entries() : [])));
      return {
        out: packHeads([out as Float32Array], work, 'outside'),
        ...(work.backward ? { dqkv: packHeads(gradients, work, 'outside') } : {}),
      };
    },
    run: (repetitions) => run(repetitions, work.backward ? backward : forward),
    dispose: () => tf.dispose([qkv, dOut]),
  };
}

function prepareAdamw(tf: TensorFlow, run: Run, _: AdamwWork, inputs: References): PreparedWork {
  const gradient = upload(tf, inputs['gradient'] as Reference);
  const variable = tf.variable(upload(tf, inputs['weight'] as Reference), true, 'weight');
  const optimizer = adamw(tf);
  const update = (): void => optimizer.update([variable], { weight: gradient });
  return {
    results: async () => {
      tf.tidy(update);
      return { weight: await variable.data() };
    },
    run: (repetitions) => run(repetitions, update),
    dispose: () => {
      optimizer.dispose();
      tf.dispose([gradient, variable]);
    },
  };
}

function prepareStep(tf: TensorFlow, run: Run, work: StepWork, inputs: References): PreparedWork {
  const x = upload(tf, inputs['x'] as Reference);
  const target = upload(tf, inputs['target'] as Reference);
  // Layers of TensorFlow.js hold their weights [inputs, outputs].
  const variables = weightNames(inputs).map((name) => {
    const value = inputs[name] as Reference;
    return tf.variable(upload(tf, value.shape.length > 1 ? turnedReference(value) : value), true, name);
  });
  const byName = new Map(variables.map((variable) => [variable.name, variable]));
  const optimizer = adamw(tf);
  const loss = (): Tensor =>
    tf.losses.meanSquaredError(
      target,
      model(tf, work, x, (name) => byName.get(name) as Tensor),
    );
  const step = (): Tensor => {
    const { value, grads } = tf.variableGrads(loss);
    optimizer.update(variables, grads);
    return value;
  };
  return {
    results: async () => {
      const losses: number[] = [];
      for (let i = 0; i < CHECKED_STEPS; i++)
        losses.push(((await read(tf, { loss: tf.tidy(step) }))['loss'] as Float32Array)[0] as number);
      return { losses };
    },
    run: (repetitions) => run(repetitions, step),
    dispose: () => {
      optimizer.dispose();
      tf.dispose([x, target, variables]);
    },
  };
}

/** The stack of blocks on x [batch, tokens, dim]. */
function model(
  tf: TensorFlow,
  { dim, heads, depth, batch, tokens }: StepWork,
  x: Tensor,
  weight: (name: string) => Tensor,
): Tensor {
  const rows = batch * tokens;
  const linear = (name: string, of: Tensor): Tensor =>
    tf.add(tf.matMul(of, weight(`${name}.weight`)), weight(`${name}.bias`));
  const norm = (name: string, of: Tensor): Tensor =>
    layerNorm(tf, of, weight(`${name}.weight`), weight(`${name}.bias`));
  let y = tf.reshape(x, [rows, dim]);
  for (let index = 0; index < depth; index++) {
    const name = `blocks.${index}`;
    const qkv = tf.reshape(linear(`${name}.attn.qkv`, norm(`${name}.norm1`, y)), [
      batch,
      tokens,
      3,
      heads,
      dim / heads,
    ]);
    const [q, k, v] = tf.unstack(tf.transpose(qkv, [2, 0, 3, 1, 4])) as [Tensor, Tensor, Tensor];
    const attended = tf.reshape(tf.transpose(attend(tf, [q, k, v]), [0, 2, 1, 3]), [rows, dim]);
    y = tf.add(y, linear(`${name}.attn.proj`, attended));
    const hidden = gelu(tf, linear(`${name}.mlp.fc1`, norm(`${name}.norm2`, y)));
    y = tf.add(y, linear(`${name}.mlp.fc2`, hidden));
  }
  return tf.reshape(y, [batch, tokens, dim]);
}
