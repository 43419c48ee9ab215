import { at } from '../../common/at';
import { formatBytes } from '../../common/format';
import { Owned } from '../../common/owned';
import { UserError } from '../../common/userError';
import type { SetFacts, TrainingSet } from '../../data/imageSet';
import { RandomStream } from '../../data/philox';
import * as purposes from '../../data/purposes';
import type { Engine } from '../../engine/engine';
import { u32 } from '../../engine/inputs';
import type { Output } from '../../engine/outputs';
import { pipeline } from '../../engine/pipeline';
import { Parameters } from '../../nn/parameters';
import { meanPool } from '../../ops/meanPool';
import type { Tensor } from '../../tensor/tensor';
import { readEncoder } from '../checkpoint/encoderSource';
import type { NamedFile } from '../checkpoint/namedFile';
import { patchCount, type EncoderSize } from '../config/config';
import { VisionTransformer } from '../model/mae';
import type { Normalisation } from '../model/normalisation';
import { imagesOf, viewImages, wholeBoxes } from '../model/views';

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

/** The classes of some of a set's images. */
export function labelsOf({ labels }: SetFacts, indices: Uint32Array): number[] {
  return Array.from(indices, (index) => labels[index] as number);
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

/**
 * Runs a program over rows 0 … count − 1 of something, a batch at a time, and puts what `output` has for each one below
 * another: [count, width].
 *
 * @param run runs the program on a batch's rows; the last batch is filled up with the last row
 */
export async function overRows(
  output: Output,
  count: number,
  run: (rows: Uint32Array, index: number) => Promise<void>,
): Promise<Float32Array> {
  const [batch = 1] = output.shape;
  const width = output.size / batch;
  const found = new Float32Array(count * width);
  const runs = Math.ceil(count / batch);
  await pipeline(
    async (index) => {
      if (index === runs) return undefined;
      await run(batchRows(index, batch, count), index);
      return { result: output.data() };
    },
    (values, index) =>
      found.set(values.subarray(0, Math.min(batch, count - index * batch) * width), index * batch * width),
  );
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
  const owned = new Owned();
  try {
    const images = owned.own(imagesOf(engine, set, batch));
    const program = owned.own(
      await engine.compile({ indices: u32(batch) }, ({ indices }, graph) => {
        const { size, normalisation } = featurer;
        return {
          features: featurer.record(
            viewImages({ images, size, normalisation }, indices, wholeBoxes(graph, set, batch)),
          ),
        };
      }),
    );
    const runs = Math.ceil(set.count / batch);
    const rowsOf = (run: number): Uint32Array | undefined =>
      run < runs ? batchRows(run, batch, set.count) : undefined;
    return await overRows(program.outputs.features, set.count, async (rows, run) => {
      await images.ready(run, rowsOf);
      await program.run({ indices: at(images.place([rows]), 0) });
    });
  } finally {
    owned.dispose();
  }
}
