import { isInMemory, type SetFacts, type TrainingSet } from '../../data/imageSet';
import { purposes, RandomStream } from '../../data/philox';
import { ResidentImages } from '../../data/upload/residentImages';
import type { ImageUploader } from '../../data/upload/imageUploader';
import { StreamedImages } from '../../data/upload/streamedImages';
import { CROP_VALUES, wholeCrop } from '../../data/sampler';
import { formatBytes } from '../../common/format';
import { UserError } from '../../common/userError';
import type { Engine } from '../../gpu/engine';
import { Parameters } from '../../nn/parameters';
import { augment } from '../../ops/augment';
import { meanPool } from '../../ops/meanPool';
import { Graph, type TensorProgram } from '../../tensor/graph';
import type { Tensor } from '../../tensor/tensor';
import { patchCount, type EncoderSize } from '../config/config';
import { readEncoder } from '../checkpoint/encoderSource';
import { VisionTransformer } from '../model/mae';
import type { Normalisation } from '../model/normalisation';
import type { NamedFile } from '../checkpoint/namedFile';

/** What of an encoding stands for the image: the class token, or the mean of the patch tokens. */
export type Pool = 'class' | 'mean';

/**
 * Whose features are taken: the encoder of the file, one of its size with random weights, or none: the very pixels that
 * it would be given.
 */
export type Probed = 'trained' | 'random' | 'pixels';

/** Which tokens `pool` takes of an encoding. */
export function pooledTokens(which: Pool, size: EncoderSize): { readonly first: number; readonly count: number } {
  return which === 'class' ? { first: 0, count: 1 } : { first: 1, count: patchCount(size) };
}

/** What makes features of images, and does not change. */
export class Featurer {
  private constructor(
    readonly size: EncoderSize,
    readonly normalisation: Normalisation,
    readonly pool: Pool,
    private readonly encoder: { readonly net: VisionTransformer; readonly parameters: Parameters } | undefined,
  ) {}

  /**
   * @param seed of random weights
   * @throws UserError where the file is no model, EngineError `out-of-memory`
   */
  static create(engine: Engine, model: NamedFile, probed: Probed, which: Pool, seed: number): Featurer {
    const source = readEncoder(model);
    const { size, normalisation } = source;
    if (probed === 'pixels') return new Featurer(size, normalisation, which, undefined);
    const net = new VisionTransformer(size);
    const parameters = new Parameters(engine, 'encoder', net, { frozen: true });
    try {
      if (probed === 'random') parameters.initialize((index) => RandomStream.at(seed, purposes.baseline, index));
      else for (const [name, { shape }] of parameters.entries) parameters.write(name, source.values(name, shape));
    } catch (error) {
      parameters.dispose();
      throw error;
    }
    return new Featurer(size, normalisation, which, { net, parameters });
  }

  /** Elements of an image's features. */
  get width(): number {
    const { channels, image, dim } = this.size;
    return this.encoder ? dim : channels * image * image;
  }

  /** Normalised images [B, C, H, W] → their features [B, width]: after the final norm, all patches visible. */
  record(images: Tensor): Tensor {
    const { encoder, size } = this;
    if (!encoder) return images.reshape([images.shape[0] ?? 0, this.width]);
    return meanPool(encoder.net.forward(images), pooledTokens(this.pool, size));
  }

  dispose(): void {
    this.encoder?.parameters.dispose();
  }
}

/** Images of a set as a program reads them, normalised: which ones, and what box of each, it is told before a run. */
export interface ImageView {
  readonly indices: Tensor;
  readonly crops: Tensor;
  /** [B, C, H, W] */
  readonly images: Tensor;
}

/** The images of a set on the GPU: all of them where they are in memory, else those of a step at a time. */
export function imagesOf(engine: Engine, set: TrainingSet, batch: number): ImageUploader {
  return isInMemory(set)
    ? new ResidentImages(engine, set)
    : new StreamedImages(engine, set, { perStep: batch, perPart: batch });
}

/** What a view depends on of a model. */
export interface ViewedBy {
  readonly size: Pick<EncoderSize, 'image'>;
  readonly normalisation: Normalisation;
}

/** The classes of some of a set's images. */
export function labelsOf({ labels }: SetFacts, indices: Uint32Array): number[] {
  return Array.from(indices, (index) => labels[index] as number);
}

/** Boxes that hold the whole of each image: of one that is not square, the largest square in its middle. */
export function wholeBoxes({ width, height }: SetFacts, batch: number): Float32Array {
  const box = [...wholeCrop(width, height), 0];
  return Float32Array.from({ length: batch * CROP_VALUES }, (_, i) => box[i % CROP_VALUES] ?? 0);
}

/** Appends the view of a batch. The boxes are those of whole images until others are written. */
export function viewImages(
  graph: Graph,
  set: SetFacts,
  images: ImageUploader,
  batch: number,
  { size, normalisation }: ViewedBy,
): ImageView {
  const indices = graph.input('indices', [batch], 'u32');
  const crops = graph.input('crops', [batch, CROP_VALUES], 'f32', wholeBoxes(set, batch));
  const view = augment({ chunks: images.chunks, indices, crops, ...normalisation, size: size.image });
  return { indices, crops, images: view };
}

/** @throws UserError where images have other channels than the model takes, or only one class */
export function assertClassifiable(
  { name, channels, classes, count }: SetFacts,
  size: Pick<EncoderSize, 'channels'>,
): void {
  if (channels !== size.channels) {
    throw new UserError(
      `The images of ${name} have ${channels} channels, the model takes ${size.channels}. Give a model of such images.`,
    );
  }
  if (classes.length < 2)
    throw new UserError(`${name} has one class only: there is nothing to tell apart. Give images of two or more.`);
  if (count < 1) throw new UserError(`${name} has no images.`);
}

/** Runs that are waited for one by one at first, so that a program learns how long one takes, and sizes its submits. */
const SINGLE_RUNS = 3;
/** Runs that may be under way on the GPU before the host waits for the oldest. */
const IN_FLIGHT = 2;

export interface RunCallbacks {
  /** Writes what the run needs, once that is there. */
  readonly before: (run: number) => void | Promise<void>;
  readonly each: (values: Float32Array, run: number) => void;
  /** Asked before each run: where it says so, those under way are finished and no more are begun. */
  readonly stopRequested?: () => boolean;
}

/**
 * Runs a program `count` times, with few under way at once, and gives `each` what every run left in `output`, in order.
 *
 * @returns runs that were done
 */
export async function runEach(
  program: TensorProgram,
  output: Tensor,
  count: number,
  { before, each, stopRequested = () => false }: RunCallbacks,
): Promise<number> {
  const pending: Promise<Float32Array>[] = [];
  let done = 0;
  const finish = async (): Promise<void> => each(await (pending.shift() as Promise<Float32Array>), done++);
  try {
    for (let run = 0; run < count && !stopRequested(); run++) {
      await before(run);
      program.run();
      const values = program.read(output) as Promise<Float32Array>;
      values.catch(() => undefined); // awaited in its turn; a failure before that is not unhandled
      pending.push(values);
      if (run < SINGLE_RUNS || pending.length > IN_FLIGHT) await finish();
    }
    while (pending.length > 0) await finish();
  } finally {
    await Promise.allSettled(pending);
  }
  return done;
}

/**
 * Runs a program over rows 0 … count − 1 of something, a batch at a time, and puts what `output` has for each one below
 * another: [count, width].
 *
 * @param write gives the program a batch's rows; the last batch is filled up with the last row; and which run it is
 */
export async function overRows(
  program: TensorProgram,
  output: Tensor,
  count: number,
  write: (rows: Uint32Array, run: number) => void | Promise<void>,
): Promise<Float32Array> {
  const [batch = 1] = output.shape;
  const width = output.size / batch;
  const found = new Float32Array(count * width);
  await runEach(program, output, Math.ceil(count / batch), {
    before: (run) => write(batchRows(run, batch, count), run),
    each: (values, run) =>
      found.set(values.subarray(0, Math.min(batch, count - run * batch) * width), run * batch * width),
  });
  return found;
}

/** The rows of a batch; the last is filled up with the last row. */
function batchRows(run: number, batch: number, count: number): Uint32Array {
  return Uint32Array.from({ length: batch }, (_, i) => Math.min(run * batch + i, count - 1));
}

/** What the host keeps of features at most. */
const MOST_BYTES = 2 ** 32;

/**
 * The features of all images of a set, whole and unturned: [count, width].
 *
 * @throws UserError where they are more than the host should keep
 */
export async function extractFeatures(
  engine: Engine,
  featurer: Featurer,
  set: TrainingSet,
  most: number,
): Promise<Float32Array> {
  if (4 * set.count * featurer.width > MOST_BYTES) {
    throw new UserError(
      `Features of ${set.count} images, ${featurer.width} numbers each, take ${formatBytes(4 * set.count * featurer.width)}. Take fewer: --images.`,
    );
  }
  const batch = Math.min(most, set.count);
  const images = imagesOf(engine, set, batch);
  try {
    const graph = new Graph(engine);
    const view = viewImages(graph, set, images, batch, featurer);
    const features = featurer.record(view.images);
    graph.output(features);
    const program = await graph.compile();
    try {
      const runs = Math.ceil(set.count / batch);
      const rowsOf = (run: number): Uint32Array | undefined =>
        run < runs ? batchRows(run, batch, set.count) : undefined;
      return await overRows(program, features, set.count, async (rows, run) => {
        await images.ready(run, rowsOf);
        for (const placed of images.place([rows])) program.write(view.indices, placed);
      });
    } finally {
      program.dispose();
    }
  } finally {
    images.dispose();
  }
}
