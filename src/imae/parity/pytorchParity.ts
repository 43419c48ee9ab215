import { Owned } from '../../common/owned';
import { UserError } from '../../common/userError';
import type { Engine } from '../../engine/engine';
import { f32, u32, type TensorsOf } from '../../engine/inputs';
import {
  storedTensor,
  tensorData,
  tensorFloat32,
  type Safetensors,
  type StoredTensor,
} from '../../formats/safetensors';
import { givenMasks } from '../../ops/mask';
import { AdamW, HYPER_VALUES } from '../../optim/adamw';
import { gradientNorm } from '../../optim/gradientNorm';
import { formatShape, type Shape } from '../../tensor/shape';
import type { Tensor } from '../../tensor/tensor';
import { loadModel } from '../checkpoint/checkpoint';
import { patchCount, type ModelSize } from '../config/config';
import { allocateModel, type Branches, type Model, type Outputs } from '../model/mae';
import { imaeObjective, maeObjective, type Losses } from '../model/objective';

/*
 * Cases computed by PyTorch in float64: a model's weights and inputs, what its forward pass and its gradients must be,
 * and where some AdamW steps on the same batch must lead. Each is run on the engine and compared tensor by tensor.
 */

/** One compared tensor: its error and the most it may be. */
export interface Comparison {
  readonly name: string;
  readonly error: number;
  readonly limit: number;
  readonly within: boolean;
}

export interface ParityResult {
  readonly comparisons: readonly Comparison[];
  /** Everything that was compared, as the engine computed it, under the names of the case. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
}

/*
 * Limits for f32 against float64: PyTorch's own f32 on a CPU reaches 1e-7 for the loss, 6e-7 for outputs and gradients,
 * 3e-7 for the losses of the steps and 4e-4 for the parameters after them (relative to how far they moved: AdamW divides
 * by the root of the second moment, which lifts the noise of small gradients).
 */
const LIMITS = { loss: 5e-6, tensor: 2e-5, stepLoss: 2e-5, moved: 2e-3 } as const;

interface Case {
  readonly file: Safetensors;
  readonly kind: 'mae' | 'two-way' | 'subordinate';
  readonly size: ModelSize;
  readonly batch: number;
  readonly keep: number;
  readonly normPix: boolean;
  readonly lambda: number;
  readonly steps: number;
  readonly learningRate: number;
  readonly betas: readonly [number, number];
  readonly weightDecay: number;
  readonly eps: number;
}

/** @throws UserError where the file is no case of this kind */
function readCase(file: Safetensors, source: string): Case {
  const field = (name: string): unknown => {
    const text = file.metadata[name];
    if (text === undefined) throw new UserError(`${source} is no oracle case: its metadata has no '${name}'.`);
    try {
      return JSON.parse(text) as unknown;
    } catch {
      throw new UserError(`${source}: metadata '${name}' is not JSON: ${text}`);
    }
  };
  const number = (name: string): number => {
    const value = field(name);
    if (typeof value !== 'number') throw new UserError(`${source}: metadata '${name}' is no number.`);
    return value;
  };
  const kind = field('kind');
  if (kind !== 'mae' && kind !== 'two-way' && kind !== 'subordinate') {
    throw new UserError(`${source}: kind is ${JSON.stringify(kind)}. Known kinds are mae, two-way, subordinate.`);
  }
  const sizes = field('size') as Record<string, unknown> | null;
  const extent = (name: string, fallback?: number): number => {
    const value = sizes?.[name] ?? fallback;
    if (typeof value !== 'number') throw new UserError(`${source}: metadata 'size' has no '${name}'.`);
    return value;
  };
  const [beta1, beta2, ...more] = [field('betas')].flat<unknown[]>();
  if (typeof beta1 !== 'number' || typeof beta2 !== 'number' || more.length > 0) {
    throw new UserError(`${source}: metadata 'betas' is no pair of numbers.`);
  }
  return {
    file,
    kind,
    size: {
      image: extent('image'),
      channels: extent('channels', 3),
      patch: extent('patch'),
      dim: extent('dim'),
      depth: extent('depth'),
      heads: extent('heads'),
      decoderDim: extent('decoder_dim'),
      decoderDepth: extent('decoder_depth'),
      decoderHeads: extent('decoder_heads'),
    },
    batch: number('batch'),
    keep: number('keep'),
    normPix: field('norm_pix_loss') === true,
    lambda: number('lambda_distill'),
    steps: number('steps'),
    learningRate: number('lr'),
    betas: [beta1, beta2],
    weightDecay: number('weight_decay'),
    eps: number('eps'),
  };
}

/**
 * Runs a case on the engine.
 *
 * @param source what messages call the file
 * @throws UserError where the file is no case, or a tensor of it is missing or of another shape
 */
export async function compareWithPytorch(engine: Engine, file: Safetensors, source: string): Promise<ParityResult> {
  const oracle = readCase(file, source);
  const inputs = readInputs(oracle, source);
  const branches: Branches = oracle.kind === 'two-way' ? 2 : 1;
  const makeModel = (label: string, count: Branches, frozen: boolean): Model =>
    allocateModel(engine, label, { size: oracle.size, branches: count }, { frozen });
  const student = makeModel('student', branches, false);
  const teacher = oracle.kind === 'mae' ? undefined : makeModel('teacher', 1, true);
  const optimizer = new AdamW(student.parameters, oracle);
  const owned = new Owned();
  const found = new Map<string, StoredTensor>();
  try {
    loadModel(student, tensorsUnder(file, 'weights.'), `${source}, weights`);
    if (teacher) loadModel(teacher, tensorsUnder(file, 'teacher.'), `${source}, teacher`);
    const given = caseInputs(oracle, inputs);

    const once = owned.own(
      await engine.compile(given, (tensors, program) => {
        const outputs = recordCase(oracle, tensors, student, teacher);
        program.backward(outputs.loss);
        const trained = student.parameters.arenas.flatMap((arena) => arena.members);
        return {
          named: namedOutputs(oracle, outputs),
          idsRestore: outputs.idsRestore,
          gradients: trained.map(({ name, grad }) => ({ name, grad })),
        };
      }),
    );
    await once.run();
    const { named, idsRestore, gradients } = once.outputs;
    for (const { name, values } of named) found.set(`output.${name}`, storedTensor(values.shape, await values.data()));
    addDerivedOutputs(found, oracle, { shape: idsRestore.shape, data: await idsRestore.data() });
    for (const { name, grad } of gradients) found.set(`grad.${name}`, storedTensor(grad.shape, await grad.data()));

    const step = owned.own(
      await engine.compile({ ...given, hyper: f32(HYPER_VALUES) }, ({ hyper, ...tensors }, program) => {
        const { loss } = recordCase(oracle, tensors, student, teacher);
        program.backward(loss);
        optimizer.record(program, hyper, gradientNorm(program, student.parameters.arenas, 0));
        return { loss };
      }),
    );
    const losses = new Float32Array(oracle.steps);
    for (let index = 0; index < oracle.steps; index++) {
      await step.run({ hyper: optimizer.hyper(oracle.learningRate, index + 1) });
      losses[index] = await step.outputs.loss.item();
    }
    found.set('steps.losses', storedTensor([oracle.steps], losses));
    for (const [name, values] of await student.parameters.read()) {
      found.set(`steps.weights.${name}`, storedTensor(student.parameters.get(name).shape, values));
    }
    return { comparisons: compare(file, found), tensors: found };
  } finally {
    owned.dispose();
    optimizer.dispose();
    student.parameters.dispose();
    teacher?.parameters.dispose();
  }
}

/** The tensors whose names begin so, under the rest of their names. */
function tensorsUnder({ tensors, metadata }: Safetensors, prefix: string): Safetensors {
  const under = [...tensors].filter(([name]) => name.startsWith(prefix));
  return { tensors: new Map(under.map(([name, tensor]) => [name.slice(prefix.length), tensor])), metadata };
}

interface Inputs {
  /** One, or two of a pair. */
  readonly images: readonly Float32Array[];
  readonly imageShape: Shape;
  /** [1] or [B]; nothing reads a vanilla MAE's. */
  readonly alpha: Float32Array;
  /** [B, L] */
  readonly order: Uint32Array;
  readonly length: number;
}

/** @throws UserError where an input is missing, of another shape, or no order of patches */
function readInputs({ file, kind, size, batch }: Case, source: string): Inputs {
  const input = (name: string, ...shapes: readonly Shape[]): StoredTensor => {
    const tensor = file.tensors.get(`input.${name}`);
    if (!tensor) throw new UserError(`${source} has no tensor 'input.${name}'.`);
    if (shapes.some((shape) => shape.join() === tensor.shape.join())) return tensor;
    const wanted = shapes.map(formatShape).join(' or ');
    throw new UserError(`${source}: 'input.${name}' is ${formatShape(tensor.shape)}, its metadata wants ${wanted}.`);
  };
  const imageShape = [batch, size.channels, size.image, size.image];
  const length = patchCount(size);
  const order = Uint32Array.from<number | bigint>(tensorData(input('ids_shuffle', [batch, length])), Number);
  for (let sample = 0; sample < batch; sample++) {
    const sorted = order.slice(sample * length, (sample + 1) * length).sort();
    if (sorted.every((patch, i) => patch === i)) continue;
    throw new UserError(`${source}: row ${sample} of 'input.ids_shuffle' is no permutation of 0 … ${length - 1}.`);
  }
  const names = kind === 'mae' ? ['image1'] : ['image1', 'image2'];
  return {
    images: names.map((name) => tensorFloat32(input(name, imageShape))),
    imageShape,
    alpha: kind === 'mae' ? Float32Array.of(1) : tensorFloat32(input('alpha', [1], [batch])),
    order,
    length,
  };
}

/** What the programs of a case are given, once: it is all known. */
function caseInputs({ kind, batch }: Case, { images, imageShape, alpha, order, length }: Inputs) {
  const [image1, image2] = images.map((image) => ({ ...f32(...imageShape), initial: image }));
  return {
    image1: image1 ?? f32(...imageShape),
    image2,
    alpha: kind === 'mae' ? undefined : { ...f32(alpha.length), initial: alpha },
    idsShuffle: { ...u32(batch, length), initial: order },
  };
}

function recordCase(
  { kind, keep, normPix, lambda }: Case,
  { image1, image2, alpha, idsShuffle }: TensorsOf<ReturnType<typeof caseInputs>>,
  student: Model,
  teacher: Model | undefined,
): Outputs & Losses & { readonly teacherZ?: Tensor; readonly idsRestore: Tensor<'u32'> } {
  const masks = givenMasks(idsShuffle, keep);
  const { idsRestore } = masks;
  if (kind === 'mae' || !image2 || !alpha) {
    return { ...maeObjective(student, image1, masks, { normPix }), idsRestore };
  }
  const weights = { lambda: [lambda, lambda], normPix } as const;
  return { ...imaeObjective(student, teacher, { image1, image2, alpha }, masks, weights), idsRestore };
}

/** The outputs that the engine has as tensors of their own. */
function namedOutputs(
  { kind }: Case,
  { latent, z, prediction, loss, pixel, distill, teacherZ }: ReturnType<typeof recordCase>,
): { readonly name: string; readonly values: Tensor }[] {
  const named = {
    latent,
    loss: loss.reshape([1]),
    ...(kind === 'two-way' ? { z, teacherZ } : { z1: z }),
    ...(kind === 'subordinate' ? { zt1: teacherZ } : {}),
    prediction,
    pixel,
    distill,
  };
  return Object.entries(named).flatMap(([name, values]) => (values ? [{ name, values }] : []));
}

/** Takes the engine's stacked branches apart, and drops the class token's row of predictions. */
function addDerivedOutputs(
  found: Map<string, StoredTensor>,
  { kind, batch, keep }: Case,
  idsRestore: { readonly shape: Shape; readonly data: Uint32Array },
): void {
  const take = (name: string): { shape: readonly number[]; data: Float32Array } => {
    const { shape, ...rest } = found.get(`output.${name}`) as StoredTensor;
    found.delete(`output.${name}`);
    return { shape, data: tensorFloat32({ shape, ...rest }) };
  };
  const put = (name: string, shape: readonly number[], data: Float32Array): void => {
    found.set(`output.${name}`, storedTensor(shape, data));
  };
  const sum = (values: Float32Array): Float32Array =>
    Float32Array.of(values.reduce((total, value) => total + value, 0));

  if (kind === 'two-way') {
    for (const [stacked, name] of [
      ['z', 'z'],
      ['teacherZ', 'zt'],
    ] as const) {
      const { shape, data } = take(stacked);
      const half = data.length / 2;
      for (const branch of [0, 1]) {
        put(`${name}${branch + 1}`, [batch, ...shape.slice(1)], data.slice(branch * half, (branch + 1) * half));
      }
    }
  }
  const { shape, data } = take('prediction');
  const [samples = 0, rows = 0, width = 0] = shape;
  for (let branch = 0; branch < samples / batch; branch++) {
    const patches = new Float32Array(batch * (rows - 1) * width);
    for (let sample = 0; sample < batch; sample++) {
      const from = (branch * batch + sample) * rows * width;
      patches.set(data.subarray(from + width, from + rows * width), sample * (rows - 1) * width);
    }
    put(`pred${branch + 1}`, [batch, rows - 1, width], patches);
  }
  put('loss_pixel', [1], sum(take('pixel').data));
  put('loss_distill', [1], found.has('output.distill') ? sum(take('distill').data) : new Float32Array(1));
  put(
    'mask',
    idsRestore.shape,
    Float32Array.from(idsRestore.data, (place) => (place >= keep ? 1 : 0)),
  );
}

/** ‖a − b‖ and ‖b‖ in float64. */
function distance(a: Float32Array, b: Float32Array): { difference: number; norm: number } {
  let difference = 0;
  let norm = 0;
  for (let i = 0; i < b.length; i++) {
    difference += ((a[i] as number) - (b[i] as number)) ** 2;
    norm += (b[i] as number) ** 2;
  }
  return { difference: Math.sqrt(difference), norm: Math.sqrt(norm) };
}

/** Every tensor that the case expects, against what was found. A missing or misshapen one has an infinite error. */
function compare({ tensors }: Safetensors, found: ReadonlyMap<string, StoredTensor>): Comparison[] {
  const comparisons: Comparison[] = [];
  for (const [name, expected] of tensors) {
    if (!/^(output|grad|steps)\./.test(name)) continue;
    const actual = found.get(name);
    const wanted = tensorFloat32(expected);
    const limit = limitOf(name);
    let error = Infinity;
    if (actual?.bytes.length === wanted.byteLength) {
      const got = tensorFloat32(actual);
      const start = tensors.get(name.replace('steps.weights.', 'weights.'));
      error =
        name.startsWith('steps.weights.') && start
          ? moveError(name, got, wanted, tensorFloat32(start))
          : name === 'steps.losses'
            ? Math.max(...wanted.map((loss, i) => Math.abs((got[i] as number) - loss) / Math.abs(loss)))
            : relative(distance(got, wanted));
    }
    comparisons.push({ name, error, limit, within: error <= limit });
  }
  return comparisons;
}

function limitOf(name: string): number {
  if (name.startsWith('output.loss')) return LIMITS.loss;
  if (name.startsWith('steps.weights.')) return LIMITS.moved;
  return name === 'steps.losses' ? LIMITS.stepLoss : LIMITS.tensor;
}

/** Relative to the reference; where that is zero, anything else is infinitely wrong. */
function relative({ difference, norm }: { difference: number; norm: number }): number {
  return difference === 0 ? 0 : difference / norm;
}

/**
 * The error of a parameter after the steps, relative to how far it moved. A key's bias has a gradient of zero in exact
 * arithmetic (softmax doesn't see a shift of all scores), so AdamW moves it by noise: that third is left out.
 */
function moveError(name: string, got: Float32Array, wanted: Float32Array, start: Float32Array): number {
  const third = wanted.length / 3;
  const counted = (values: Float32Array): Float32Array =>
    name.endsWith('attn.qkv.bias')
      ? Float32Array.of(...values.subarray(0, third), ...values.subarray(2 * third))
      : values;
  const [a, b, from] = [counted(got), counted(wanted), counted(start)];
  return relative({ difference: distance(a, b).difference, norm: distance(from, b).difference });
}
