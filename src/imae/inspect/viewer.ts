import { at } from '../../common/at';
import type { Engine } from '../../engine/engine';
import { f32, u32, u8 } from '../../engine/inputs';
import type { Safetensors } from '../../formats/safetensors';
import { givenMasks } from '../../ops/mask';
import { mixture } from '../../ops/mixture';
import type { Tensor } from '../../tensor/tensor';
import { loadModel } from '../checkpoint/checkpoint';
import { describeModel, type ModelFacts, type ModelOverrides } from '../checkpoint/modelFile';
import { patchCount } from '../config/config';
import { putBack } from '../eval/patches';
import { unmixingScore } from '../eval/unmixing';
import { complementaryCount, complementaryOrders } from '../mask/complementaryMasks';
import { compileMaskOrders, type FreeMask } from '../mask/maskOrders';
import { allocateModel, type Model } from '../model/mae';
import type { Normalisation } from '../model/normalisation';
import { viewImages, wholeBoxes } from '../model/views';

/** What a model makes of a mixture: both images, the subordinate alone, or, as a vanilla MAE, the whole mixture. */
export type ViewerTask = 'both' | 'subordinate' | 'mixture';

/** Two images, how they are blended, and what is hidden of the blend. */
export interface Blend {
  /** Each [C, H, W] bytes, of the model's size. */
  readonly images: readonly [Uint8Array, Uint8Array];
  /** Weight of the first image, 0 … 1. */
  readonly alpha: number;
  /** The patches in some order; the first `keep` are visible. */
  readonly order: Uint32Array;
  /** From 1 to L − 1. */
  readonly keep: number;
}

/** Mean squared errors over a whole image, in normalised pixels (with `normPix`, in normalised patches). */
export interface Errors {
  /** The composite to the image that it should be. */
  readonly own: number;
  /** What it must beat: the composite to the other image, and the mixture itself. None for a vanilla MAE. */
  readonly other?: number;
  readonly mixture?: number;
  /** What is best said without looking, where that is known. */
  readonly mean?: number;
}

/** An image as the model says it was. Patches in image order, patch vectors (row, column, channel), normalised pixels. */
export interface Reconstruction {
  /** What it should be: an image of the blend by its index, or the mixture. */
  readonly of: 0 | 1 | 'mixture';
  /** [C, H, W]. */
  readonly target: Float32Array;
  /** Shape [L, P·P·C]: every patch as predicted at the first look that did not show it. */
  readonly composite: Float32Array;
  /** Shape [L, P·P·C]: the first look alone. Noise in visible patches. */
  readonly raw: Float32Array;
  readonly errors: Errors;
}

/** The looks at a blend with one number of visible patches: a batch in which only the order of patches differs. */
type Looks = Awaited<ReturnType<typeof compileLooks>>;

/** Bytes on the GPU that the programs for all numbers of visible patches may hold. */
const PROGRAM_BYTES = 2 ** 28;

/**
 * A model on the GPU that is given images rather than a set of them, to be looked at. Whatever is data (images, weights,
 * order) changes without compiling; a number of visible patches is compiled when it is first asked for.
 */
export class Viewer {
  /** The least recently used first. */
  private readonly looks = new Map<number, Looks>();
  private queue: Promise<void> = Promise.resolve();

  private constructor(
    private readonly engine: Engine,
    readonly facts: ModelFacts,
    readonly model: Model,
    private readonly programBytes: number,
  ) {}

  /**
   * Loads a model from its file.
   *
   * @param engine where it is put
   * @param file the model, as `readSafetensors` gives it
   * @param source what messages call the file
   * @param options what is known beside the file
   * @param options.overrides what the user says of the model
   * @throws UserError where it is no model; EngineError where the device has no room for it
   */
  static async load(
    engine: Engine,
    file: Safetensors,
    source: string,
    {
      programBytes = PROGRAM_BYTES,
      overrides = {},
    }: { readonly programBytes?: number; readonly overrides?: ModelOverrides } = {},
  ): Promise<Viewer> {
    const facts = describeModel(file, source, overrides);
    const { size, branches } = facts;
    const model = allocateModel(engine, source, { size, branches }, { frozen: true });
    try {
      loadModel(model, file, source);
      await engine.settle();
      return new Viewer(engine, facts, model, programBytes);
    } catch (error) {
      model.parameters.dispose();
      throw error;
    }
  }

  get task(): ViewerTask {
    const { branches, phase } = this.facts;
    if (branches === 2) return 'both';
    return phase === 'imae' ? 'subordinate' : 'mixture';
  }

  /** The patches of an image in an order; the first are visible. @param seen [C, H, W], normalised @param seed of the mask */
  async drawOrder(mask: FreeMask, maskRatio: number, seen: Float32Array, seed: number): Promise<Uint32Array> {
    const orders = await compileMaskOrders(this.engine, this.model.size, mask, maskRatio);
    try {
      return at(await orders.draw([seen], seed), 0);
    } finally {
      orders.dispose();
    }
  }

  /**
   * Takes a blend apart; a call may come while others are under way.
   *
   * @param mean [L, P·P·C] what is best said without looking, to compare with: see `meanTarget`
   * @returns of each branch, the subordinate's first
   */
  async takeApart(blend: Blend, mean?: Float32Array): Promise<Reconstruction[]> {
    const { size, branches } = this.model;
    const orders = complementaryOrders(blend.order, blend.keep);
    // One after the other: a program that is in use is neither written to nor let go of.
    const looking = this.queue.then(() => this.look(blend, orders));
    this.queue = looking.then(
      () => undefined,
      () => undefined, // thrown to who asked
    );
    const predicted = await looking;
    const { mixed, targets, names } = this.targetsOf(blend);
    const values = predicted.length / (orders.length * branches);
    const width = values / (patchCount(size) + 1);
    const predictions = targets.slice(0, branches).map((target, branch) => {
      const looks = orders.map((_, look) => {
        const at = (branch * orders.length + look) * values;
        const patches = predicted.slice(at + width, at + values); // without the class token's row
        return this.facts.normPix ? putBack(size, patches, target) : patches;
      });
      return { raw: looks[0] as Float32Array, composite: compose(looks, orders, blend.keep) };
    });
    const composed = {
      mixed,
      targets,
      predictions: predictions.map(({ composite }) => composite),
      removed: Array.from(blend.order, () => true),
    };
    const score = unmixingScore(size, [composed], mean ?? new Float32Array(mixed.length), this.facts);
    return predictions.map((pictures, branch) => {
      const {
        own,
        other,
        mixture,
        mean: meanError,
      } = branch === 0 ? score.subordinate : (score.dominant ?? score.subordinate);
      return {
        ...pictures,
        of: names[branch] ?? 'mixture',
        target: targets[branch] as Float32Array,
        errors: { own, ...(this.task === 'mixture' ? {} : { other, mixture }), ...(mean ? { mean: meanError } : {}) },
      };
    });
  }

  /** The mixture, and what each branch should make of it, in normalised pixels. */
  private targetsOf({ images, alpha }: Blend): {
    mixed: Float32Array;
    targets: Float32Array[];
    names: Reconstruction['of'][];
  } {
    const [one, two] = images.map((pixels) => normalise(pixels, this.facts.normalisation)) as [
      Float32Array,
      Float32Array,
    ];
    const mixed = one.map((value, i) => alpha * value + (1 - alpha) * (two[i] as number));
    if (this.task === 'mixture') return { mixed, targets: [mixed, mixed], names: ['mixture'] };
    // Of two that weigh the same, the first is the subordinate, as in training.
    return alpha <= 0.5 ? { mixed, targets: [one, two], names: [0, 1] } : { mixed, targets: [two, one], names: [1, 0] };
  }

  private async look(blend: Blend, orders: readonly Uint32Array[]): Promise<Float32Array> {
    const looks = await this.looksWith(blend.keep);
    await looks.run({
      images: joined(blend.images, Uint8Array),
      alpha: Float32Array.of(blend.alpha),
      idsShuffle: joined(orders, Uint32Array),
    });
    return await looks.outputs.prediction.data();
  }

  private async looksWith(keep: number): Promise<Looks> {
    const looks = this.looks.get(keep) ?? (await compileLooks(this.engine, this.model, this.facts.normalisation, keep));
    this.looks.delete(keep);
    this.looks.set(keep, looks);
    let bytes = 0;
    for (const [each, program] of [...this.looks].reverse()) {
      bytes += program.statistics.arenaBytes;
      if (bytes <= this.programBytes || each === keep) continue;
      this.looks.delete(each);
      program.dispose();
    }
    return looks;
  }

  /** Frees all that it has on the GPU, after what is under way. */
  async dispose(): Promise<void> {
    await this.queue;
    for (const program of this.looks.values()) program.dispose();
    this.looks.clear();
    this.model.parameters.dispose();
  }
}

function compileLooks(engine: Engine, { size, net }: Model, normalisation: Normalisation, keep: number) {
  const count = complementaryCount(patchCount(size), keep);
  const inputs = {
    images: u8(2, size.channels, size.image, size.image),
    alpha: f32(1),
    idsShuffle: u32(count, patchCount(size)),
  };
  return engine.compile(inputs, ({ images, alpha, idsShuffle }, program) => {
    const boxes = wholeBoxes(program, { width: size.image, height: size.image }, count);
    // Every look is at the same pair.
    const view = (which: number): Tensor => {
      const indices = program.input(`image ${which}`, [count], 'u32', new Uint32Array(count).fill(which));
      return viewImages({ images: { chunks: [{ images, first: 0 }] }, size, normalisation }, indices, boxes);
    };
    const { mixed } = mixture(view(0), view(1), alpha);
    const { prediction } = net.forward(mixed, givenMasks(idsShuffle, keep));
    return { prediction };
  });
}

/** Every patch as predicted at the first look that did not show it. */
function compose(looks: readonly Float32Array[], orders: readonly Uint32Array[], keep: number): Float32Array {
  const composite = new Float32Array(looks[0]?.length ?? 0);
  const width = composite.length / (orders[0]?.length ?? 1);
  // The first look last, so that it has the last word.
  for (const [index, order] of [...orders.entries()].reverse()) {
    for (const place of order.subarray(keep)) {
      const [from, to] = [place * width, (place + 1) * width];
      composite.set((looks[index] as Float32Array).subarray(from, to), from);
    }
  }
  return composite;
}

/** [C, H, W] bytes → normalised pixels. */
export function normalise(pixels: ArrayLike<number>, { mean, std }: Normalisation): Float32Array {
  const plane = pixels.length / mean.length;
  return Float32Array.from(pixels, (value, i) => {
    const channel = Math.floor(i / plane);
    return (value / 255 - (mean[channel] as number)) / (std[channel] as number);
  });
}

function joined<T extends Uint8Array | Uint32Array>(parts: readonly T[], Kind: new (length: number) => T): T {
  const all = new Kind(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
