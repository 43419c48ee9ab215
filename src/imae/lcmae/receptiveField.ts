import type { Engine } from '../../gpu/engine';
import { purposes, RandomStream } from '../../data/philox';
import { Graph, type TensorProgram } from '../../tensor/graph';
import type { Tensor } from '../../tensor/tensor';
import { patchCount, type ModelSize } from '../config/config';
import type { Model } from '../model/mae';
import { imageToPatches } from '../eval/patches';
import { BATCH, filled, maskedInputs, split, withoutClass } from './instrumentedForward';
import { distanceBetween, average, radii } from './gridDistance';

/*
 * Measurement 4, effective receptive field: how much the prediction of a hidden patch changes with each visible patch, by the
 * distance between them. The gradient's norm is the Frobenius norm of the Jacobian, had from random signs: the mean square of
 * Jᵀ·w over signs w is ‖J‖².
 */

/** Draws of signs for one gradient norm. */
const DRAWS = 4;

/** Norms of one hidden patch's prediction with respect to each visible patch, and how far away each of these is. */
export interface Field {
  readonly norms: readonly number[];
  readonly distances: readonly number[];
}

export interface FieldSummary {
  /** At each of `radii`: share of all norms within, mean over fields. */
  readonly within: readonly number[];
  /** Radii that hold 50 and 90 % of it, in patches, mean over fields. */
  readonly half: number;
  readonly most: number;
}

export function summarise(fields: readonly Field[], length: number): FieldSummary {
  const radiusOf = ({ norms, distances }: Field, share: number): number => {
    const total = norms.reduce((sum, norm) => sum + norm, 0);
    const sorted = distances
      .map((distance, i) => ({ distance, norm: norms[i] as number }))
      .sort((a, b) => a.distance - b.distance);
    let sum = 0;
    for (const { distance, norm } of sorted) {
      sum += norm;
      if (sum >= share * total * (1 - 1e-12)) return distance;
    }
    return 0;
  };
  const shareWithin = ({ norms, distances }: Field, radius: number): number => {
    const inside = norms.filter((_, i) => (distances[i] as number) <= radius);
    return inside.reduce((sum, norm) => sum + norm, 0) / norms.reduce((sum, norm) => sum + norm, 0);
  };
  const some = fields.filter(({ norms }) => norms.some((norm) => norm > 0)); // a model that looks at nothing has no field
  return {
    within: radii(length).map((radius) => average(some.map((field) => shareWithin(field, radius)))),
    half: average(some.map((field) => radiusOf(field, 0.5))),
    most: average(some.map((field) => radiusOf(field, 0.9))),
  };
}

/** The same if every visible patch counted alike. */
export function uniformField({ distances }: Field): Field {
  return { distances, norms: distances.map(() => 1) };
}

/** Finds the receptive fields of a model's predictions. */
export class FieldFinder {
  private constructor(
    private readonly size: ModelSize,
    private readonly keep: number,
    private readonly program: TensorProgram,
    private readonly tensors: {
      readonly images: Tensor;
      readonly idsShuffle: Tensor;
      readonly seed: Tensor;
      readonly gradient: Tensor;
    },
  ) {}

  /** @param model as of `Looks`, frozen: only the images take gradients */
  static async create(engine: Engine, { size, net }: Model, keep: number): Promise<FieldFinder> {
    const graph = new Graph(engine);
    const { images, masks } = maskedInputs(graph, size, keep, true);
    const latent = net.forwardEncoder(images, masks);
    const prediction = net.forwardDecoder(net.forwardBranches(latent), masks);
    const seed = graph.input('seed', prediction.shape);
    graph.backward(prediction, seed);
    const gradient = graph.gradientOf(images);
    graph.output(gradient);
    return new FieldFinder(size, keep, await graph.compile(), { images, idsShuffle: masks.idsShuffle, seed, gradient });
  }

  /** The field of the patch that comes last in each order. */
  async find(images: readonly Float32Array[], orders: readonly Uint32Array[]): Promise<Field[]> {
    const fields: Field[] = [];
    for (let from = 0; from < images.length; from += BATCH) {
      const part = orders.slice(from, from + BATCH);
      const squares = part.map(() => new Float64Array(this.keep));
      for (let draw = 0; draw < DRAWS; draw++) {
        const seeds = part.map((order, index) => this.signs(order.at(-1) as number, from + index, draw));
        const gradients = await this.gradients(images.slice(from, from + BATCH), part, seeds);
        for (const [index, order] of part.entries()) {
          const patches = imageToPatches(this.size, gradients[index] as Float32Array);
          const width = patches.length / order.length;
          for (let k = 0; k < this.keep; k++) {
            const place = order[k] as number;
            const own = patches.subarray(place * width, (place + 1) * width);
            const square = own.reduce((sum, value) => sum + value * value, 0);
            (squares[index] as Float64Array)[k] = (squares[index]?.[k] ?? 0) + square / DRAWS;
          }
        }
      }
      for (const [index, order] of part.entries()) {
        const target = order.at(-1) as number;
        const visible = Array.from(order.subarray(0, this.keep));
        fields.push({
          norms: Array.from(squares[index] as Float64Array, Math.sqrt),
          distances: visible.map((place) => distanceBetween(order.length, target, place)),
        });
      }
    }
    return fields;
  }

  /**
   * Gradients of Σ seed · prediction with respect to the images.
   *
   * @param seeds [1 + L, P·P·C] each
   * @returns [C, H, W] each
   */
  async gradients(
    images: readonly Float32Array[],
    orders: readonly Uint32Array[],
    seeds: readonly Float32Array[],
  ): Promise<Float32Array[]> {
    const { program, tensors } = this;
    program.write(tensors.images, filled(images, Float32Array));
    program.write(tensors.idsShuffle, filled(orders, Uint32Array));
    program.write(tensors.seed, filled(seeds, Float32Array));
    program.run();
    return split((await program.read(tensors.gradient)) as Float32Array);
  }

  /** Random signs on the prediction of one place. */
  private signs(place: number, image: number, draw: number): Float32Array {
    const { patch, channels } = this.size;
    const width = patch * patch * channels;
    const stream = RandomStream.at(draw, purposes.evaluation, 0x20000 + image);
    const seed = new Float32Array((1 + patchCount(this.size)) * width);
    for (let i = 0; i < width; i++) seed[(1 + place) * width + i] = stream.uint32() & 1 ? 1 : -1;
    return seed;
  }

  dispose(): void {
    this.program.dispose();
  }
}

/** The cross-check: the error of a hidden patch where everything beyond a radius is out of sight, by key masks. */
export class SightLimiter {
  private constructor(
    private readonly size: ModelSize,
    private readonly keep: number,
    private readonly program: TensorProgram,
    private readonly tensors: {
      readonly images: Tensor;
      readonly idsShuffle: Tensor;
      readonly encoderKeys: Tensor;
      readonly decoderKeys: Tensor;
      readonly prediction: Tensor;
    },
  ) {}

  static async create(engine: Engine, { size, net }: Model, keep: number): Promise<SightLimiter> {
    const graph = new Graph(engine);
    const { images, masks } = maskedInputs(graph, size, keep);
    const encoderKeys = graph.input('visible keys', [BATCH, 1 + keep], 'u32');
    const decoderKeys = graph.input('keys', [BATCH, 1 + patchCount(size)], 'u32');
    const latent = net.forwardEncoder(images, masks, { keyMask: encoderKeys });
    const z = net.forwardBranches(latent);
    const prediction = net.forwardDecoder(z, masks, { keyMask: decoderKeys });
    graph.output(prediction);
    const tensors = { images, idsShuffle: masks.idsShuffle, encoderKeys, decoderKeys, prediction };
    return new SightLimiter(size, keep, await graph.compile(), tensors);
  }

  /**
   * Mean squared error of the patch that comes last in each order, with sight of visible patches up to a radius only.
   *
   * @param targets [L, P·P·C] of each image
   */
  async error(
    images: readonly Float32Array[],
    orders: readonly Uint32Array[],
    targets: readonly Float32Array[],
    radius: number,
  ): Promise<number> {
    const { program, tensors, keep } = this;
    const length = patchCount(this.size);
    const errors: number[] = [];
    for (let from = 0; from < images.length; from += BATCH) {
      const part = orders.slice(from, from + BATCH);
      const isSeen = (order: Uint32Array, k: number): boolean =>
        distanceBetween(length, order.at(-1) as number, order[k] as number) <= radius;
      const encoderKeys = part.map((order) =>
        Uint32Array.from({ length: 1 + keep }, (_, i) => Number(i === 0 || isSeen(order, i - 1))),
      );
      const decoderKeys = part.map((order) => {
        const keys = new Uint32Array(1 + length).fill(1);
        for (let k = 0; k < keep; k++) keys[1 + (order[k] as number)] = Number(isSeen(order, k));
        return keys;
      });
      program.write(tensors.images, filled(images.slice(from, from + BATCH), Float32Array));
      program.write(tensors.idsShuffle, filled(part, Uint32Array));
      program.write(tensors.encoderKeys, filled(encoderKeys, Uint32Array));
      program.write(tensors.decoderKeys, filled(decoderKeys, Uint32Array));
      program.run();
      const predictions = split((await program.read(tensors.prediction)) as Float32Array);
      for (const [index, order] of part.entries()) {
        const prediction = withoutClass(predictions[index] as Float32Array, length);
        const width = prediction.length / length;
        const place = order.at(-1) as number;
        let error = 0;
        for (let i = place * width; i < (place + 1) * width; i++) {
          error += ((prediction[i] as number) - ((targets[from + index] as Float32Array)[i] as number)) ** 2 / width;
        }
        errors.push(error);
      }
    }
    return average(errors);
  }

  dispose(): void {
    this.program.dispose();
  }
}
