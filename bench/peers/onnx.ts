import { random, type Reference, type References } from '../../kernels-test/allclose';
import { unpackHeads } from './arrange';
import { onnxModel, type OnnxNode, type Shapes } from './onnxModel';
import type { PeerEngine, PeerHost, PreparedWork } from './peer';
import type { Work } from './rows';

/** What is called of ONNX Runtime. */
interface OrtTensor {
  getData(): Promise<Float32Array>;
  dispose(): void;
}
type OrtTensors = Readonly<Record<string, OrtTensor>>;
interface OrtSession {
  run(inputs: OrtTensors): Promise<OrtTensors>;
  release(): Promise<void>;
}
interface Ort {
  readonly env: { logLevel: string; readonly webgpu: { readonly device: Promise<GPUDevice> } };
  readonly InferenceSession: {
    create(
      model: Uint8Array,
      options: { readonly executionProviders: readonly string[]; readonly preferredOutputLocation: string },
    ): Promise<OrtSession>;
  };
  readonly Tensor: {
    fromGpuBuffer(
      buffer: GPUBuffer,
      options: { readonly dataType: 'float32'; readonly dims: readonly number[] },
    ): OrtTensor;
  };
}

/** An inference engine: a model of one node a row, forward only. */
export async function startOnnx({ load, wait }: PeerHost): Promise<PeerEngine> {
  const ort = (await load('onnxruntime-web/webgpu')) as Ort;
  ort.env.logLevel = 'error';
  const create = (model: Uint8Array): Promise<OrtSession> =>
    wait(ort.InferenceSession.create(model, { executionProviders: ['webgpu'], preferredOutputLocation: 'gpu-buffer' }));
  // The device is there once a session is; whether anything runs on it is seen at once rather than in every row.
  const trial = modelOf({ kind: 'gelu', rows: 1, width: 4, backward: false }, { x: random([1, 4], 1) }) as Model;
  const hadWorker = 'Worker' in globalThis;
  const session = await create(onnxModel([trial.node], shapesOf(trial.inputs), trial.outputs));
  // It leaves Node's own Worker behind as if it were a browser's, and jax-js would take it for one.
  if (!hadWorker) delete (globalThis as { Worker?: unknown }).Worker;
  const device = await ort.env.webgpu.device;
  copySharedMemory(device.queue);
  const upload = ({ shape, data }: Reference): OrtTensor => {
    const values = Float32Array.from(data);
    const buffer = device.createBuffer({ size: values.byteLength, usage: STORAGE_COPY_SRC_COPY_DST });
    device.queue.writeBuffer(buffer, 0, values);
    return ort.Tensor.fromGpuBuffer(buffer, { dataType: 'float32', dims: shape });
  };
  const prepare = (model: Model, opened: OrtSession): PreparedWork => {
    const buffers = Object.fromEntries(Object.entries(model.inputs).map(([name, value]) => [name, upload(value)]));
    return {
      results: async () => {
        const results: Record<string, Float32Array> = {};
        for (const [name, tensor] of Object.entries(await wait(opened.run(buffers)))) {
          results[name] = await wait(tensor.getData());
          tensor.dispose();
        }
        return results;
      },
      run: async (repetitions) => {
        for (let i = 0; i < repetitions; i++) {
          for (const tensor of Object.values(await opened.run(buffers))) tensor.dispose();
        }
        await wait(device.queue.onSubmittedWorkDone());
      },
      dispose: () => {
        for (const tensor of Object.values(buffers)) tensor.dispose();
        void opened.release();
      },
    };
  };
  // Its device goes with the last session: the first stays.
  const tried = prepare(trial, session);
  await tried.results();
  return {
    name: 'ONNX Runtime',
    prepare: async (work, inputs) => {
      const model = modelOf(work, inputs);
      return model && prepare(model, await create(onnxModel([model.node], shapesOf(model.inputs), model.outputs)));
    },
    dispose: () => tried.dispose(),
  };
}

/** GPUBufferUsage's own names are not there before WebGPU is. */
const STORAGE_COPY_SRC_COPY_DST = 0x80 | 0x04 | 0x08;

/**
 * ONNX Runtime's memory is shared between threads, and Dawn's binding for Node, unlike browsers, writes no shared memory
 * to a buffer: such data is copied first.
 */
function copySharedMemory(queue: GPUQueue): void {
  const write = queue.writeBuffer.bind(queue);
  const copying = (buffer: GPUBuffer, offset: number, data: Uint8Array, from = 0, size?: number): void =>
    write(buffer, offset, data.buffer instanceof SharedArrayBuffer ? new Uint8Array(data) : data, from, size);
  Object.assign(queue, { writeBuffer: copying });
}

interface Model {
  readonly node: OnnxNode;
  readonly inputs: References;
  readonly outputs: Shapes;
}

function shapesOf(inputs: References): Shapes {
  return Object.fromEntries(Object.entries(inputs).map(([name, { shape }]) => [name, shape]));
}

/** A row's work as one node; undefined where ONNX has no such operator, as of anything that goes back. */
function modelOf(work: Work, inputs: References): Model | undefined {
  const node = (op: string, outputs: readonly string[], rest: Partial<OnnxNode> = {}): OnnxNode => ({
    op,
    inputs: Object.keys(inputs).filter((name) => name !== 'dy'),
    outputs,
    ...rest,
  });
  switch (work.kind) {
    case 'matmul':
      // Gradients are no part of inference.
      return work.layout === 'nn'
        ? { node: node('MatMul', ['c']), inputs, outputs: { c: [work.m, work.n] } }
        : undefined;
    case 'attention': {
      if (work.backward) return undefined;
      const { batch, tokens, heads, channels } = work;
      const shape = [batch, tokens, heads * channels];
      const parts = unpackHeads((inputs['qkv'] as Reference).data, 3, work, 'inside');
      const [q, k, v] = parts.map((data): Reference => ({ shape, data: Float64Array.from(data) })) as [
        Reference,
        Reference,
        Reference,
      ];
      const attributes = { num_heads: { int: heads } };
      return {
        node: {
          op: 'MultiHeadAttention',
          inputs: ['q', 'k', 'v'],
          outputs: ['out'],
          attributes,
          domain: 'com.microsoft',
        },
        inputs: { q, k, v },
        outputs: { out: shape },
      };
    }
    case 'layerNorm':
    case 'softmax':
    case 'gelu': {
      if (work.backward) return undefined;
      const outputs = { y: [work.rows, work.width] };
      const given = Object.fromEntries(Object.entries(inputs).filter(([name]) => name !== 'dy'));
      const attributes = { epsilon: { float: 1e-6 } };
      return {
        layerNorm: { node: node('LayerNormalization', ['y'], { attributes }), inputs: given, outputs },
        softmax: { node: node('Softmax', ['y']), inputs: given, outputs },
        gelu: { node: node('Gelu', ['y']), inputs: given, outputs },
      }[work.kind];
    }
    default:
      return undefined;
  }
}
