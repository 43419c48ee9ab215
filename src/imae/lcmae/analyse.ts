import type { ImageSet } from '../../data/imageSet';
import { permutation, RandomStream } from '../../data/philox';
import * as purposes from '../../data/purposes';
import { scaleSquare } from '../../data/bicubic';
import type { Engine } from '../../engine/engine';
import { attentionRow } from '../inspect/attentionRow';
import { patchCount, visiblePatches } from '../config/config';
import { type FreeMask, compileMaskOrders } from '../mask/maskOrders';
import type { ModelFacts } from '../checkpoint/modelFile';
import type { Model } from '../model/mae';
import { randomizeModel } from '../train/models';
import { imageToPatches, normalisedPatches } from '../eval/patches';
import { normalise } from '../inspect/viewer';
import { attentionDistance, uniformDistance } from './attentionDistance';
import { centred, effectiveRank, linearCka, type Rows } from './consistency';
import { compileWindowedEncoder, type WindowedEncoder } from './windowedEncoder';
import { localContrastiveIdentity, type Identity } from './identity';
import { maskInvariance, meanOfPatches, type Invariance } from './invariance';
import { type Instrumented, compileInstrumentedForward } from './instrumentedForward';
import { average, radii } from './gridDistance';
import { positionOrContent, type PositionContent } from './positionContent';
import { summarise, uniformField, type FieldSummary, compileFieldFinder, compileSightLimiter } from './receptiveField';

/*
 * The seven measurements, in the spirit of Understanding Masked Autoencoders From a Local Contrastive Perspective (2023), whose
 * own settings are not known: made of a trained model, and in the same way of the same architecture with random weights.
 */

/** Masks under which each image is seen, to compare its features. */
const MASKS = 4;
/** Hidden places of an image whose maps of attention are compared. */
const COMPARED_PLACES = 8;
/** Tokens of which covariances are made, at most. */
const ROWS = 1024;

/** What was measured at one mask ratio. Layers of the encoder: what its first block is given, then what each block gives. */
export interface AtRatio {
  readonly ratio: number;
  readonly visible: number;
  readonly identity: Identity;
  /** Of each layer of the encoder. */
  readonly invariance: readonly Invariance[];
  /** Of each block of the decoder and each head, in patches. */
  readonly distance: readonly (readonly number[])[];
  readonly uniformDistance: number;
  readonly field: FieldSummary;
  readonly uniformField: FieldSummary;
  /** Mean squared error of a hidden patch with sight up to each of `radii`, and with all of it. */
  readonly errorWithin: readonly number[];
  readonly errorOfAll: number;
  /** Of each block of the decoder. */
  readonly attention: readonly PositionContent[];
  /** Of each layer of the encoder. */
  readonly consistency: readonly { readonly cka: number; readonly rank: number }[];
  /** Effective rank of the pixels of the same patches. */
  readonly pixelRank: number;
  /** Linear CKA of the encoder's output on the masked image with that on the whole one in a window of each of `radii`, and without a window. */
  readonly windows: readonly number[];
  readonly withoutWindow: number;
}

export interface Analysis {
  readonly images: number;
  readonly mask: FreeMask;
  readonly radii: readonly number[];
  readonly trained: readonly AtRatio[];
  readonly random: readonly AtRatio[];
}

export interface AnalyseOptions {
  readonly images: number;
  readonly mask: FreeMask;
  readonly ratios: readonly number[];
  /** Is told of each part that is done. */
  readonly progress: (done: number, total: number) => void;
}

/** Parts of the work at one ratio of one model. */
const PARTS = 4;

/**
 * Analyses a vanilla MAE.
 *
 * @param model with its weights, frozen; it is left with random ones
 * @param set whose images are shown: chosen at random, the same for every model
 */
export async function analyse(
  engine: Engine,
  model: Model,
  facts: ModelFacts,
  set: ImageSet,
  options: AnalyseOptions,
): Promise<Analysis> {
  const { ratios, mask, progress } = options;
  const chosen = permutation(RandomStream.at(0, purposes.evaluation, 0x30000), set.count).slice(0, options.images);
  const bytes = set.channels * set.height * set.width;
  const images = Array.from(chosen, (at) => {
    const stored = set.images.subarray(at * bytes, (at + 1) * bytes); // larger than the model's, as photographs are kept
    return normalise(scaleSquare(stored, set, model.size.image), facts.normalisation);
  });
  const measured: AtRatio[][] = [];
  let done = 0;
  const step = (): void => progress(++done, 2 * PARTS * ratios.length);
  const whole = await compileWindowedEncoder(engine, model);
  try {
    for (const weights of ['trained', 'random']) {
      if (weights === 'random') randomizeModel(model, 0);
      const of: AtRatio[] = [];
      for (const ratio of ratios) of.push(await measure(engine, { model, facts, images, whole, mask, ratio, step }));
      measured.push(of);
    }
  } finally {
    whole.dispose();
  }
  const [trained = [], random = []] = measured;
  return { images: images.length, mask, radii: radii(patchCount(model.size)), trained, random };
}

interface Subject {
  readonly model: Model;
  readonly facts: ModelFacts;
  /** [C, H, W] each, normalised. */
  readonly images: readonly Float32Array[];
  readonly whole: WindowedEncoder;
  readonly mask: FreeMask;
  readonly ratio: number;
  readonly step: () => void;
}

async function measure(engine: Engine, subject: Subject): Promise<AtRatio> {
  const { model, images, mask: kind, ratio } = subject;
  const visible = visiblePatches(model.size, ratio);
  const looks = await compileInstrumentedForward(engine, model, visible);
  const drawn = await compileMaskOrders(engine, model.size, kind, ratio);
  try {
    const masks: Instrumented[][] = [];
    const orders: Uint32Array[][] = [];
    for (let mask = 0; mask < MASKS; mask++) orders.push(await drawn.draw(images, mask));
    for (const of of orders) masks.push(await looks.look(images, of));
    subject.step();
    const [one] = (await drawn.draw(images.slice(0, 1), MASKS)) as [Uint32Array];
    const shared = await looks.look(
      images,
      images.map(() => one),
    );
    const features = ofFeatures(subject, masks);
    const attention = ofAttention(subject, masks[0] as Instrumented[], shared, visible);
    subject.step();
    const field = await ofField(engine, subject, orders[0] as Uint32Array[], visible);
    subject.step();
    const windows = await ofWindows(subject, masks[0] as Instrumented[], visible);
    subject.step();
    return { ratio, visible, ...features, ...attention, ...field, ...windows };
  } finally {
    drawn.dispose();
    looks.dispose();
  }
}

/** What each patch should be predicted as. */
function targetsOf({ model, facts, images }: Subject): Float32Array[] {
  return images.map((image) => {
    const patches = imageToPatches(model.size, image);
    return facts.normPix ? normalisedPatches(patches, patches.length / patchCount(model.size)) : patches;
  });
}

/** Measurements 1, 2 and 6. */
function ofFeatures(
  subject: Subject,
  masks: readonly (readonly Instrumented[])[],
): Pick<AtRatio, 'identity' | 'invariance' | 'consistency' | 'pixelRank'> {
  const { model, images } = subject;
  const { dim, depth } = model.size;
  const targets = targetsOf(subject);
  const [a, b] = masks as [readonly Instrumented[], readonly Instrumented[]];
  const keep = (a[0]?.features[0]?.length ?? 0) / dim - 1;
  const pairs = images.map((_, index) => {
    const [one, other] = [a[index] as Instrumented, b[index] as Instrumented];
    return {
      a: one.prediction,
      b: other.prediction,
      orderA: one.order,
      orderB: other.order,
      target: targets[index] as Float32Array,
    };
  });
  const layers = Array.from({ length: depth + 1 }, (_, layer) => layer);
  const tokensOf = ({ features }: Instrumented, layer: number): Float32Array => features[layer] as Float32Array;
  const pixels = chosenRows(
    a.map(({ order }, index) =>
      rowsAt(imageToPatches(model.size, images[index] as Float32Array), order.length, order.subarray(0, keep)),
    ),
    keep,
  );
  return {
    identity: localContrastiveIdentity(pairs, keep),
    invariance: layers.map((layer) =>
      maskInvariance(
        images.map((_, index) =>
          masks.map((looks) => meanOfPatches(tokensOf(looks[index] as Instrumented, layer), dim)),
        ),
      ),
    ),
    consistency: layers.map((layer) => {
      const tokens = chosenRows(
        a.map((look) => tokensOf(look, layer).subarray(dim)),
        keep,
      );
      return { cka: linearCka(tokens, pixels), rank: effectiveRank(tokens) };
    }),
    pixelRank: effectiveRank(pixels),
  };
}

/** The rows of some places. @param rows [L, width] */
function rowsAt(rows: Float32Array, length: number, places: Uint32Array): Float32Array {
  const width = rows.length / length;
  return Float32Array.from(
    { length: places.length * width },
    (_, i) => rows[(places[Math.floor(i / width)] as number) * width + (i % width)] as number,
  );
}

/** Every image's rows, one after the other, evenly thinned to `ROWS`, less their mean. */
function chosenRows(parts: readonly Float32Array[], rowsEach: number): Rows {
  const width = (parts[0]?.length ?? 0) / rowsEach;
  const total = parts.length * rowsEach;
  const count = Math.min(total, ROWS);
  const data = new Float64Array(count * width);
  for (let row = 0; row < count; row++) {
    const from = Math.floor((row * total) / count);
    const at = (from % rowsEach) * width;
    data.set((parts[Math.floor(from / rowsEach)] as Float32Array).subarray(at, at + width), row * width);
  }
  return centred(data, width);
}

/** Measurements 3 and 5. */
function ofAttention(
  { model }: Subject,
  looks: readonly Instrumented[],
  shared: readonly Instrumented[],
  keep: number,
): Pick<AtRatio, 'distance' | 'uniformDistance' | 'attention'> {
  const { decoderHeads: heads, decoderDepth } = model.size;
  const length = patchCount(model.size);
  const blocks = Array.from({ length: decoderDepth }, (_, block) => block);
  const hidden = ({ order }: Instrumented): Uint32Array => order.subarray(keep);
  const meansOver = (rows: readonly (readonly number[])[]): number[] =>
    (rows[0] ?? []).map((_, head) => average(rows.map((row) => row[head] as number)));
  return {
    distance: blocks.map((block) =>
      meansOver(looks.map((look) => attentionDistance(look.qkv[block] as Float32Array, length, heads, hidden(look)))),
    ),
    uniformDistance: average(looks.map((look) => uniformDistance(length, hidden(look)))),
    attention: blocks.map((block) =>
      positionOrContent(
        shared.map((look) =>
          Array.from(hidden(look).slice(0, COMPARED_PLACES), (place) =>
            Array.from({ length: heads }, (_, head) =>
              attentionRow(look.qkv[block] as Float32Array, 1 + length, heads, head, 1 + place),
            ),
          ),
        ),
      ),
    ),
  };
}

/** Measurement 4. */
async function ofField(
  engine: Engine,
  subject: Subject,
  orders: readonly Uint32Array[],
  keep: number,
): Promise<Pick<AtRatio, 'field' | 'uniformField' | 'errorWithin' | 'errorOfAll'>> {
  const { model, images } = subject;
  const length = patchCount(model.size);
  const finder = await compileFieldFinder(engine, model, keep);
  const limiter = await compileSightLimiter(engine, model, keep);
  try {
    const fields = await finder.find(images, orders);
    const targets = targetsOf(subject);
    const errorWithin: number[] = [];
    for (const radius of radii(length)) errorWithin.push(await limiter.error(images, orders, targets, radius));
    return {
      field: summarise(fields, length),
      uniformField: summarise(fields.map(uniformField), length),
      errorWithin,
      errorOfAll: await limiter.error(images, orders, targets, Infinity),
    };
  } finally {
    finder.dispose();
    limiter.dispose();
  }
}

/** Measurement 7. */
async function ofWindows(
  { model, images, whole }: Subject,
  looks: readonly Instrumented[],
  keep: number,
): Promise<Pick<AtRatio, 'windows' | 'withoutWindow'>> {
  const { dim } = model.size;
  const masked = chosenRows(
    looks.map(({ features }) => (features.at(-1) as Float32Array).subarray(dim)),
    keep,
  );
  const alike = async (radius: number): Promise<number> => {
    const latents = await whole.encode(images, radius);
    const rows = latents.map((tokens, index) => {
      const { order } = looks[index] as Instrumented;
      return rowsAt(tokens.subarray(dim), order.length, order.subarray(0, keep));
    });
    return linearCka(masked, chosenRows(rows, keep));
  };
  const windows: number[] = [];
  for (const radius of radii(patchCount(model.size))) windows.push(await alike(radius));
  return { windows, withoutWindow: await alike(Infinity) };
}
