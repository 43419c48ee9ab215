import { split } from '../../common/batches';
import { Owned } from '../../common/owned';
import { sampleInMemory, type ImageSet, type TrainTest } from '../../data/imageSet';
import { philoxKey } from '../../data/philox';
import * as purposes from '../../data/purposes';
import type { Engine } from '../../engine/engine';
import { Bootstrap, type Estimate } from './bootstrap';
import { loadModel } from '../checkpoint/checkpoint';
import { patchCount, visiblePatches } from '../config/config';
import { type ImagePair, type Latents, compileLatentReader, type LatentReader } from './latents';
import { LeastSquares, squaredErrors, type LinearMap } from './leastSquares';
import { allocateModel, type Model } from '../model/mae';
import { describeModel, type ModelFacts } from '../checkpoint/modelFile';
import { meansOfImages } from './meansOfImages';
import { PerPositionMean } from './perPositionMean';
import type { NamedFile } from '../checkpoint/namedFile';
import { randomizeModel } from '../train/models';
import { heldOutPairs } from './heldOutPairs';
import { assertAlike, assertSet } from './separabilityChecks';
import {
  SIDES,
  type BranchRow,
  type LatentSource,
  type SeparabilityOptions,
  type SeparabilityResult,
  type SeparabilityRow,
  type Side,
  type Tokens,
} from './separabilityResult';

/*
 * Whether the latent of a mixture is linearly separable: can the teacher's latent of one image alone be had by a linear map
 * (with a bias, the same at all places) from the latent of the mixture? Three forms:
 *
 *   (a) f fitted from h_m, the encoder's output on the mixture, the same for every encoder;
 *   (b) the branches as they are, nothing fitted: how far z is from the teacher's latent of either image, and whether the
 *       nearest of N teacher latents is that of the right image;
 *   (c) the paper's form, f fitted from the branch's latent z.
 *
 * f is fitted on mixtures of training images and reported on mixtures of held-out ones, at the same visible places; one mask
 * a pair. Patch tokens and class token have maps of their own. The yardstick is the mean of the teacher's latents *at each
 * place*, since positions alone would flatter a map that is compared with one mean for all.
 */

const BATCH = 64;
/** Of the steps that masks are drawn at: one a split, and one for groups that share a mask. */
const MASKS = { fit: 0x101, heldOut: 0x102, shared: 0x103 } as const;

/**
 * Measures the linear separability of an i-MAE's latents, in all three forms, at each α and for both images.
 *
 * @throws UserError where the models are not of the same images, patches, normalisation or decoder width, or the sets have
 *   too few images
 */
export async function evaluateSeparability(engine: Engine, options: SeparabilityOptions): Promise<SeparabilityResult> {
  const { imae, teacher, baselines, data, settings } = options;
  const facts = describeModel(imae.file, imae.name);
  assertAlike(facts, imae.name, teacher, true);
  for (const { model } of baselines) assertAlike(facts, imae.name, model, false);
  assertSet(facts.size, data);
  const owned = new Owned();
  const make = (file: NamedFile | undefined, label: string): Model => {
    const { size, branches } = file ? describeModel(file.file, file.name) : facts;
    const model = allocateModel(engine, label, { size, branches }, { frozen: true });
    owned.own(model.parameters);
    if (file) loadModel(model, file.file, file.name);
    else randomizeModel(model, settings.seed);
    return model;
  };
  try {
    const alone = make(teacher, 'teacher');
    const mixed = [
      make(imae, 'i-MAE'),
      alone,
      make(undefined, 'random'),
      ...baselines.map(({ model, title }) => make(model, title)),
    ];
    const keep = visiblePatches(facts.size, settings.maskRatio);
    const readers: LatentReader[] = [];
    // Each image is in as many pairs of a set as another: a streamed one gives as many images as there are pairs.
    const train = await sampleInMemory(data.train, settings.fitImages);
    for (const set of [train, data.test]) {
      const { mask, maskRatio } = settings;
      const reader = await compileLatentReader(engine, {
        ...{ set, normalisation: facts.normalisation, models: { alone, mixed } },
        ...{ mask, maskRatio, batch: BATCH },
      });
      readers.push(owned.own(reader));
    }
    await engine.settle();
    const [fit, heldOut] = readers as [LatentReader, LatentReader];
    return await new Evaluation({ ...options, data: { ...data, train } }, facts, mixed, { fit, heldOut, keep }).run();
  } finally {
    owned.dispose();
  }
}

/** A source of fitted maps at one α: which latents it takes, and the maps of patches and of class tokens. */
interface Fit {
  readonly source: LatentSource;
  readonly alpha: number;
  readonly width: number;
  readonly targets: readonly Side[];
  readonly of: (latents: readonly Latents[]) => Float32Array;
  readonly squares: Readonly<Record<Tokens, LeastSquares>>;
}

const TOKENS: readonly Tokens[] = ['patches', 'class'];

class Evaluation {
  private readonly fit: LatentReader;
  private readonly heldOut: LatentReader;
  private readonly bootstrap: Bootstrap;
  private readonly tokens: number;
  private readonly length: number;
  private done = 0;

  constructor(
    private readonly options: SeparabilityOptions & { readonly data: TrainTest<ImageSet> },
    private readonly facts: ModelFacts,
    private readonly mixed: readonly Model[],
    { fit, heldOut, keep }: { readonly fit: LatentReader; readonly heldOut: LatentReader; readonly keep: number },
  ) {
    this.fit = fit;
    this.heldOut = heldOut;
    this.bootstrap = new Bootstrap(options.settings.images, options.settings.seed);
    this.tokens = 1 + keep;
    this.length = patchCount(facts.size);
  }

  async run(): Promise<SeparabilityResult> {
    const { settings, data } = this.options;
    const width = this.mixed[1]?.size.dim ?? 0; // the teacher's
    const fits = settings.alphas.flatMap((alpha) => this.fitsAt(alpha, width));
    const means = new PerPositionMean(this.length, width);
    await this.eachBatch(this.fit, data.train, settings.fitImages, MASKS.fit, async (pairs, orders) => {
      const { first, second } = await this.fit.ofImages(pairs, orders);
      const targets = { subordinate: first.h, dominant: second.h };
      for (const side of SIDES) means.add(targets[side], orders, this.tokens);
      for (const alpha of settings.alphas) {
        const latents = await this.fit.ofMixtures(pairs, orders, alpha);
        for (const { of, squares, width: p, targets: sides } of fits.filter((each) => each.alpha === alpha)) {
          const x = of(latents);
          for (const tokens of TOKENS)
            squares[tokens].add(
              this.rows(x, p, tokens),
              sides.map((side) => this.rows(targets[side], width, tokens)),
            );
        }
      }
    });
    const fitted = await this.report(fits, means, width);
    return {
      settings,
      fitted,
      branches: await this.branches(),
      candidates: 2 * Math.min(BATCH, settings.images),
      data: data.train.name,
    };
  }

  /** What is fitted at an α: every encoder's output to both images, each branch of i-MAE to its own. */
  private fitsAt(alpha: number, width: number): Fit[] {
    const { baselines } = this.options;
    const widths = (sides: readonly Side[]): number[] => sides.map(() => width);
    const squares = (p: number, sides: readonly Side[]): Fit['squares'] => ({
      patches: new LeastSquares(p, widths(sides)),
      class: new LeastSquares(p, widths(sides)),
    });
    const titles = [
      { id: 'imae', title: 'i-MAE', reference: false },
      { id: 'teacher', title: 'vanilla MAE (the teacher)', reference: false },
      { id: 'random', title: 'random encoder', reference: true },
      ...baselines.map(({ title }, index) => ({ id: `baseline${index}`, title, reference: false })),
    ];
    const encoders = this.mixed.map((model, index): Fit => ({
      source: { ...(titles[index] as (typeof titles)[number]), form: 'encoder' },
      alpha,
      width: model.size.dim,
      targets: SIDES,
      of: (latents) => (latents[index] as Latents).h,
      squares: squares(model.size.dim, SIDES),
    }));
    const { size, branches } = this.facts;
    const ofBranches = SIDES.slice(0, branches).map((side, branch): Fit => ({
      source: { id: `z-${side}`, title: `i-MAE, from its ${side} branch`, form: 'branch', reference: false },
      alpha,
      width: size.decoderDim,
      targets: [side],
      of: (latents) => latents[0]?.z[branch] as Float32Array,
      squares: squares(size.decoderDim, [side]),
    }));
    return [...encoders, ...ofBranches];
  }

  /** Solves the maps and measures them on held-out mixtures. */
  private async report(fits: readonly Fit[], means: PerPositionMean, width: number): Promise<SeparabilityRow[]> {
    const { settings, data } = this.options;
    const { images, alphas } = settings;
    const errors = (): Record<Tokens, Float64Array> => ({
      patches: new Float64Array(images),
      class: new Float64Array(images),
    });
    const ofMeans = { subordinate: errors(), dominant: errors() };
    const solved = fits.map((fit) => ({ fit, maps: mapsOf(fit), errors: fit.targets.map(() => errors()) }));
    await this.eachBatch(this.heldOut, data.test, images, MASKS.heldOut, async (pairs, orders, from) => {
      const { first, second } = await this.heldOut.ofImages(pairs, orders);
      const targets = { subordinate: first.h, dominant: second.h };
      for (const side of SIDES) {
        const found = means.squaredErrors(targets[side], orders, this.tokens);
        for (const tokens of TOKENS) ofMeans[side][tokens].set(meansOfImages(found[tokens], pairs.length), from);
      }
      for (const alpha of alphas) {
        const latents = await this.heldOut.ofMixtures(pairs, orders, alpha);
        for (const { fit, maps, errors: kept } of solved) {
          if (fit.alpha !== alpha) continue;
          const x = fit.of(latents);
          for (const [index, side] of fit.targets.entries()) {
            for (const tokens of TOKENS) {
              const map = maps[tokens][index] as LinearMap;
              const found = squaredErrors(
                map,
                this.rows(x, fit.width, tokens),
                this.rows(targets[side], width, tokens),
              );
              kept[index]?.[tokens].set(meansOfImages(found, pairs.length), from);
            }
          }
        }
      }
    });
    const row = (
      source: LatentSource,
      alpha: number,
      target: Side,
      tokens: Tokens,
      found: Float64Array,
    ): SeparabilityRow => ({
      source,
      alpha,
      target,
      tokens,
      distance: this.bootstrap.mean(found),
      r2: this.bootstrap.of([found, ofMeans[target][tokens]], ([error = 0, ofMean = 1]) => 1 - error / ofMean),
    });
    const mean: LatentSource = { id: 'mean', title: 'mean at each place', form: 'mean', reference: true };
    return [
      ...solved.flatMap(({ fit, errors: found }) =>
        fit.targets.flatMap((side, index) =>
          TOKENS.map((tokens) => row(fit.source, fit.alpha, side, tokens, found[index]?.[tokens] as Float64Array)),
        ),
      ),
      ...alphas.flatMap((alpha) =>
        SIDES.flatMap((side) => TOKENS.map((tokens) => row(mean, alpha, side, tokens, ofMeans[side][tokens]))),
      ),
    ];
  }

  /** (b): pairs of a batch share a mask, so that latents of all of their images can be compared. */
  private async branches(): Promise<BranchRow[]> {
    const { settings, data } = this.options;
    const { images, alphas } = settings;
    const models = [
      { model: 'imae', title: 'i-MAE', of: 0 },
      { model: 'teacher', title: 'before training (from the teacher)', of: 1 },
      { model: 'random', title: 'random weights', of: 2 },
    ] as const;
    const ofTeacher = {
      subordinate: new Float64Array(images),
      dominant: new Float64Array(images),
      apart: new Float64Array(images),
    };
    const found = models.flatMap(({ of, ...named }) =>
      alphas.flatMap((alpha) =>
        SIDES.slice(0, this.facts.branches).map((branch, index) => ({
          ...named,
          branch,
          alpha,
          of: (latents: readonly Latents[]): Float32Array => {
            const { z } = latents[of] as Latents;
            return (z[index] ?? z[0]) as Float32Array; // both branches begin as the teacher's one
          },
          to: { subordinate: new Float64Array(images), dominant: new Float64Array(images) },
          nearest: { subordinate: new Float64Array(images), dominant: new Float64Array(images) },
        })),
      ),
    );
    await this.eachBatch(this.heldOut, data.test, images, MASKS.shared, async (pairs, orders, from) => {
      const shared = orders.map(() => orders[0] as Uint32Array);
      const { first, second } = await this.heldOut.ofImages(pairs, shared);
      const candidates = [first.z[0] as Float32Array, second.z[0] as Float32Array].flatMap((z) =>
        split(z, pairs.length),
      );
      for (let pair = 0; pair < pairs.length; pair++) {
        ofTeacher.apart[from + pair] = squaredDistance(
          candidates[pair] as Float32Array,
          candidates[pairs.length + pair] as Float32Array,
        );
      }
      for (const alpha of alphas) {
        const latents = await this.heldOut.ofMixtures(pairs, shared, alpha);
        for (const each of found.filter((one) => one.alpha === alpha)) {
          for (const [pair, z] of split(each.of(latents), pairs.length).entries()) {
            const { distances, nearest } = nearestOf(z, candidates);
            for (const [index, side] of SIDES.entries()) {
              const own = index * pairs.length + pair;
              each.to[side][from + pair] = distances[own] as number;
              each.nearest[side][from + pair] = isSameImage(pairs, nearest, own) ? 1 : 0;
            }
          }
        }
      }
    });
    const relative = (values: Float64Array): Estimate =>
      this.bootstrap.of([values, ofTeacher.apart], ([distance = 0, apart = 1]) => distance / apart);
    return found.map(({ model, title, branch, alpha, to, nearest }) => ({
      model,
      title,
      branch,
      alpha,
      to: { subordinate: relative(to.subordinate), dominant: relative(to.dominant) },
      nearest: {
        subordinate: this.bootstrap.mean(nearest.subordinate),
        dominant: this.bootstrap.mean(nearest.dominant),
      },
    }));
  }

  private async eachBatch(
    reader: LatentReader,
    set: ImageSet,
    count: number,
    masks: number,
    work: (pairs: readonly ImagePair[], orders: readonly Uint32Array[], from: number) => Promise<void>,
  ): Promise<void> {
    const { settings, progress } = this.options;
    const batches = (images: number): number => Math.ceil(images / BATCH);
    const pairs = heldOutPairs(set, count, () => 0);
    for (let from = 0; from < count; from += reader.batch) {
      const part = pairs.slice(from, from + reader.batch);
      const orders = await reader.orders(
        part,
        Uint32Array.of(...philoxKey(settings.seed), purposes.evaluation, masks, from),
      );
      await work(part, orders, from);
      progress?.(++this.done, batches(settings.fitImages) + 2 * batches(settings.images));
    }
  }

  /** The rows of patch tokens, or of class tokens, of samples [n, 1 + K, width]. */
  private rows(values: Float32Array, width: number, tokens: Tokens): Float32Array {
    const sample = this.tokens * width;
    const [from, to] = tokens === 'class' ? [0, width] : [width, sample];
    const count = values.length / sample;
    const rows = new Float32Array(count * (to - from));
    for (let index = 0; index < count; index++)
      rows.set(values.subarray(index * sample + from, index * sample + to), index * (to - from));
    return rows;
  }
}

function mapsOf({ squares }: Fit): Record<Tokens, LinearMap[]> {
  return { patches: squares.patches.solve(), class: squares.class.solve() };
}

/** Two candidates may be one image, that several pairs have. */
function isSameImage(pairs: readonly ImagePair[], one: number, other: number): boolean {
  const image = (candidate: number): number => {
    const { first, second } = pairs[candidate % pairs.length] as ImagePair;
    return candidate < pairs.length ? first : second;
  };
  return image(one) === image(other);
}

/** The squared distance of a latent from each candidate, and which is the nearest. */
export function nearestOf(
  z: Float32Array,
  candidates: readonly Float32Array[],
): { readonly distances: number[]; readonly nearest: number } {
  const distances = candidates.map((candidate) => squaredDistance(z, candidate));
  return { distances, nearest: distances.indexOf(Math.min(...distances)) };
}

function squaredDistance(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = (a[i] as number) - (b[i] as number);
    sum += difference * difference;
  }
  return sum;
}
