import { at } from '../../common/at';
import { batches, filled, split } from '../../common/batches';
import { RandomStream } from '../../data/philox';
import * as purposes from '../../data/purposes';
import type { Engine } from '../../engine/engine';
import { f32, u32 } from '../../engine/inputs';
import { givenMasks } from '../../ops/mask';
import { patchCount, type ModelSize } from '../config/config';
import { imageToPatches } from '../eval/patches';
import type { Model } from '../model/mae';
import { average, distanceBetween, radii } from './gridDistance';
import { BATCH, maskedInputs, maskedValues, withoutClass } from './instrumentedForward';

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
export interface FieldFinder {
  /** The field of the patch that comes last in each order. */
  find(images: readonly Float32Array[], orders: readonly Uint32Array[]): Promise<Field[]>;
  /**
   * Gradients of Σ seed · prediction with respect to the images.
   *
   * @param images at most `BATCH`, as many orders and seeds
   * @param seeds [1 + L, P·P·C] each
   * @returns [C, H, W] each
   */
  gradients(
    images: readonly Float32Array[],
    orders: readonly Uint32Array[],
    seeds: readonly Float32Array[],
  ): Promise<Float32Array[]>;
  dispose(): void;
}

/**
 * @param model as of `compileInstrumentedForward`, frozen: only the images take gradients
 * @throws EngineError `out-of-memory`
 */
export async function compileFieldFinder(engine: Engine, { size, net }: Model, keep: number): Promise<FieldFinder> {
  const { images, idsShuffle } = maskedInputs(size);
  const inputs = {
    images: { ...images, requiresGrad: true },
    idsShuffle,
    seed: f32(BATCH, 1 + patchCount(size), patchWidth(size)),
  };
  const program = await engine.compile(inputs, ({ images: seen, idsShuffle: order, seed }, graph) => {
    const masks = givenMasks(order, keep);
    const latent = net.forwardEncoder(seen, masks);
    graph.backward(net.forwardDecoder(net.forwardBranches(latent), masks), seed);
    return { gradient: graph.gradientOf(seen) };
  });
  const gradients: FieldFinder['gradients'] = async (of, orders, seeds) => {
    await program.run({ ...maskedValues(of, orders), seed: filled(seeds, BATCH, Float32Array) });
    return split(await program.outputs.gradient.data(), BATCH);
  };
  return {
    gradients,
    async find(of, orders) {
      const fields: Field[] = [];
      for (const { part, from } of batches(orders, BATCH)) {
        const squares = part.map(() => new Float64Array(keep));
        for (let draw = 0; draw < DRAWS; draw++) {
          const seeds = part.map((order, index) => signs(size, last(order), from + index, draw));
          const found = await gradients(of.slice(from, from + BATCH), part, seeds);
          for (const [index, sums] of squares.entries()) {
            addSquares(sums, imageToPatches(size, at(found, index)), at(part, index));
          }
        }
        fields.push(...part.map((order, index) => fieldOf(order, at(squares, index))));
      }
      return fields;
    },
    dispose: () => program.dispose(),
  };
}

function last(order: Uint32Array): number {
  return at(order, order.length - 1);
}

function patchWidth({ patch, channels }: ModelSize): number {
  return patch * patch * channels;
}

/** Random signs on the prediction of one place. */
function signs(size: ModelSize, place: number, image: number, draw: number): Float32Array {
  const width = patchWidth(size);
  const stream = RandomStream.at(draw, purposes.evaluation, 0x20000 + image);
  const seed = new Float32Array((1 + patchCount(size)) * width);
  for (let i = 0; i < width; i++) seed[(1 + place) * width + i] = stream.uint32() & 1 ? 1 : -1;
  return seed;
}

/** Adds the mean square of one draw's gradient in each visible patch. @param patches [L, P·P·C] */
function addSquares(sums: Float64Array, patches: Float32Array, order: Uint32Array): void {
  const width = patches.length / order.length;
  for (const [k, place] of order.subarray(0, sums.length).entries()) {
    const own = patches.subarray(place * width, (place + 1) * width);
    const square = own.reduce((sum, value) => sum + value * value, 0);
    sums[k] = (sums[k] ?? 0) + square / DRAWS;
  }
}

function fieldOf(order: Uint32Array, squares: Float64Array): Field {
  const target = last(order);
  const visible = Array.from(order.subarray(0, squares.length));
  return {
    norms: Array.from(squares, Math.sqrt),
    distances: visible.map((place) => distanceBetween(order.length, target, place)),
  };
}

/** The cross-check: the error of a hidden patch where everything beyond a radius is out of sight, by key masks. */
export interface SightLimiter {
  /**
   * Mean squared error of the patch that comes last in each order, with sight of visible patches up to a radius only.
   *
   * @param targets [L, P·P·C] of each image
   */
  error(
    images: readonly Float32Array[],
    orders: readonly Uint32Array[],
    targets: readonly Float32Array[],
    radius: number,
  ): Promise<number>;
  dispose(): void;
}

/** @param model as of `compileInstrumentedForward` @throws EngineError `out-of-memory` */
export async function compileSightLimiter(engine: Engine, { size, net }: Model, keep: number): Promise<SightLimiter> {
  const length = patchCount(size);
  const inputs = { ...maskedInputs(size), encoderKeys: u32(BATCH, 1 + keep), decoderKeys: u32(BATCH, 1 + length) };
  const program = await engine.compile(inputs, ({ images, idsShuffle, encoderKeys, decoderKeys }) => {
    const masks = givenMasks(idsShuffle, keep);
    const latent = net.forwardEncoder(images, masks, { keyMask: encoderKeys });
    return { prediction: net.forwardDecoder(net.forwardBranches(latent), masks, { keyMask: decoderKeys }) };
  });
  /** Of each visible patch in its order, whether it is seen from the last one. */
  const seen = (order: Uint32Array, radius: number): boolean[] =>
    Array.from(order.subarray(0, keep), (place) => distanceBetween(length, last(order), place) <= radius);
  const encoderKeys = (order: Uint32Array, radius: number): Uint32Array =>
    Uint32Array.of(1, ...seen(order, radius).map(Number));
  const decoderKeys = (order: Uint32Array, radius: number): Uint32Array => {
    const keys = new Uint32Array(1 + length).fill(1);
    for (const [k, isSeen] of seen(order, radius).entries()) keys[1 + at(order, k)] = Number(isSeen);
    return keys;
  };
  return {
    async error(images, orders, targets, radius) {
      const errors: number[] = [];
      for (const { part, from } of batches(orders, BATCH)) {
        const keysOf = (keys: typeof encoderKeys): Uint32Array =>
          filled(
            part.map((order) => keys(order, radius)),
            BATCH,
            Uint32Array,
          );
        await program.run({
          ...maskedValues(images.slice(from, from + BATCH), part),
          encoderKeys: keysOf(encoderKeys),
          decoderKeys: keysOf(decoderKeys),
        });
        const predictions = split(await program.outputs.prediction.data(), BATCH);
        for (const [index, order] of part.entries()) {
          const prediction = withoutClass(at(predictions, index), length);
          errors.push(patchError(prediction, at(targets, from + index), length, last(order)));
        }
      }
      return average(errors);
    },
    dispose: () => program.dispose(),
  };
}

/** Mean squared error of one patch. @param prediction [L, P·P·C], as `target` */
function patchError(prediction: Float32Array, target: Float32Array, length: number, place: number): number {
  const width = prediction.length / length;
  let error = 0;
  for (let i = place * width; i < (place + 1) * width; i++) {
    error += (at(prediction, i) - at(target, i)) ** 2 / width;
  }
  return error;
}
