import type { Engine } from '../../engine/engine';
import { f32, u32 } from '../../engine/inputs';
import { givenMasks } from '../../ops/mask';
import type { Tensor } from '../../tensor/tensor';
import { patchCount } from '../config/config';
import type { Model } from '../model/mae';
import { attentionRow } from './attentionRow';

/** Two images and how they are blended and hidden. */
export interface InspectedPair {
  /** Normalised pixels [C, H, W]. */
  readonly image1: Float32Array;
  readonly image2: Float32Array;
  /** Weight of `image1`. */
  readonly alpha: number;
  /** The patches in an order; the first ones, as many as the inspector keeps, are visible. */
  readonly order: Uint32Array;
}

export type InspectedPart = 'encoder' | 'subordinate' | 'dominant';

/** A layer that attends: a block of the encoder, or of the decoder in the pass of one branch. */
export interface AttentionLayer {
  readonly part: InspectedPart;
  /** Of the part's blocks, from 0. */
  readonly block: number;
  readonly heads: number;
}

/** How one token of a layer attends to the others. */
export interface AttentionMap {
  /** Of each head: to each of the L places of the image; NaN where the layer has no token of it. */
  readonly toPlaces: readonly Float64Array[];
  /** Of each head, to the class token. All of a head's weights add up to 1. */
  readonly toClass: readonly number[];
}

/** How far the latent of a mixture is from the latents of its two images, in units of the distance between these two. */
export interface LatentDistances {
  readonly of: 'encoder' | 'subordinate' | 'dominant';
  /** At each of `LATENT_ALPHAS`. */
  readonly to1: readonly number[];
  readonly to2: readonly number[];
}

export interface Inspection {
  readonly layers: readonly AttentionLayer[];
  readonly latents: readonly LatentDistances[];
  /**
   * Of each place, where the encoder's latent of the mixture lies on the way from that of image 2 (0) to that of image 1
   * (1); NaN where it is hidden or both are the same.
   */
  readonly shares: Float64Array;
}

/** Weights of the first image for which latents are compared, the images by themselves at the ends. */
export const LATENT_ALPHAS: readonly number[] = Array.from({ length: 21 }, (_, i) => i / 20);

/** Latents at all of `LATENT_ALPHAS`, of the two images and the order in `of`. */
interface Encoded {
  readonly of: readonly (Float32Array | Uint32Array)[];
  /** [α, 1 + K, D] */
  readonly h: Float32Array;
  /** [branches·α, 1 + K, Dd] */
  readonly z: Float32Array;
}

interface Watched extends AttentionLayer {
  /** [N, 3·heads·d], packed as the layer computed it. */
  readonly qkv: Float32Array;
}

/** Looks into a model: what its layers attend to, and how its latents of a mixture relate to those of the two images. */
export class Inspector {
  private watched: readonly Watched[] = [];
  private encoded: Encoded | undefined;
  private order: Uint32Array = new Uint32Array();

  private constructor(
    private readonly model: Model,
    readonly keep: number,
    private readonly attention: Awaited<ReturnType<typeof compileAttention>>,
    private readonly latents: Awaited<ReturnType<typeof compileLatents>>,
  ) {}

  /**
   * @param model stays its owner's
   * @param keep how many patches are visible
   */
  static async create(engine: Engine, model: Model, keep: number): Promise<Inspector> {
    const attention = await compileAttention(engine, model, keep);
    return new Inspector(model, keep, attention, await compileLatents(engine, model, keep));
  }

  async inspect(pair: InspectedPair): Promise<Inspection> {
    const { image1, image2, alpha, order } = pair;
    const { outputs } = this.attention;
    await this.attention.run({ images: blend(image1, image2, alpha), idsShuffle: order });
    this.order = order;
    this.watched = await Promise.all(
      outputs.watched.map(async ({ qkv, pass, ...layer }) => {
        const values = await qkv.data();
        const size = values.length / (qkv.shape[0] ?? 1);
        return { ...layer, qkv: values.slice(pass * size, (pass + 1) * size) };
      }),
    );
    const { h, z } = await this.encode(pair);
    const mixed = await outputs.h.data();
    const branches = this.model.branches === 2 ? (['subordinate', 'dominant'] as const) : (['subordinate'] as const);
    const ofBranch = z.length / branches.length;
    return {
      layers: this.watched.map(({ part, block, heads }) => ({ part, block, heads })),
      latents: [
        { of: 'encoder', ...distances(h) },
        ...branches.map((of, index) => ({ of, ...distances(z.subarray(index * ofBranch, (index + 1) * ofBranch)) })),
      ],
      shares: this.sharesOfPlaces(mixed, h),
    };
  }

  /**
   * What a token of a layer attends to, in the pair inspected last.
   *
   * @param layer an index into the inspection's layers
   * @param place of the image; undefined for the class token
   * @returns undefined where the layer has no token of that place
   */
  attentionOf(layer: number, place: number | undefined): AttentionMap | undefined {
    const { qkv, part, heads } = this.watched[layer] as Watched;
    const length = patchCount(this.model.size);
    // Tokens after the class token's: the visible places in the order of the mask, or all in the image's.
    const places = part === 'encoder' ? this.order.subarray(0, this.keep) : Uint32Array.from({ length }, (_, i) => i);
    const token = place === undefined ? 0 : 1 + places.indexOf(place);
    if (place !== undefined && token === 0) return undefined;
    const weights = Array.from({ length: heads }, (_, head) =>
      attentionRow(qkv, 1 + places.length, heads, head, token),
    );
    return {
      toPlaces: weights.map((row) => {
        const map = new Float64Array(length).fill(NaN);
        for (const [index, at] of places.entries()) map[at] = row[1 + index] as number;
        return map;
      }),
      toClass: weights.map((row) => row[0] as number),
    };
  }

  /** The latents of a pair at all weights; they are computed once while only α changes. */
  private async encode({ image1, image2, order }: InspectedPair): Promise<Encoded> {
    const { outputs } = this.latents;
    const of = [image1, image2, order];
    if (this.encoded?.of.every((values, index) => isSame(values, of[index]))) return this.encoded;
    const blends = new Float32Array(LATENT_ALPHAS.length * image1.length);
    for (const [index, each] of LATENT_ALPHAS.entries()) blends.set(blend(image1, image2, each), index * image1.length);
    await this.latents.run({ images: blends, idsShuffle: order });
    const [h, z] = [await outputs.h.data(), await outputs.z.data()];
    return (this.encoded = { of: of.map((values) => values.slice()), h, z });
  }

  /** @param mixed [1 + K, D]; @param h of all `LATENT_ALPHAS`, the images by themselves first and last */
  private sharesOfPlaces(mixed: Float32Array, h: Float32Array): Float64Array {
    const { dim } = this.model.size;
    const shares = new Float64Array(patchCount(this.model.size)).fill(NaN);
    const [of2, of1] = [h.subarray(0, mixed.length), h.subarray(h.length - mixed.length)];
    for (let index = 0; index < this.keep; index++) {
      let along = 0;
      let whole = 0;
      for (let i = (1 + index) * dim; i < (2 + index) * dim; i++) {
        const way = (of1[i] as number) - (of2[i] as number);
        along += ((mixed[i] as number) - (of2[i] as number)) * way;
        whole += way * way;
      }
      shares[this.order[index] as number] = along / whole; // NaN where both are the same
    }
    return shares;
  }

  dispose(): void {
    this.attention.dispose();
    this.latents.dispose();
  }
}

/** What each layer computes its attention from: `pass` tells which sample of `qkv` it is; and the encoder's latent. */
function compileAttention(engine: Engine, model: Model, keep: number) {
  const { size, branches, net } = model;
  return engine.compile(inputs(model, 1), ({ images, idsShuffle }) => {
    const masks = givenMasks(idsShuffle, keep);
    const ofEncoder: Tensor[] = [];
    const ofDecoder: Tensor[] = [];
    const h = net.forwardEncoder(images, masks, { watch: (qkv) => ofEncoder.push(qkv) });
    net.forwardDecoder(net.forwardBranches(h), masks, { watch: (qkv) => ofDecoder.push(qkv) });
    const layers = (part: InspectedPart, heads: number, ofPart: readonly Tensor[], pass: number) =>
      ofPart.map((qkv, block) => ({ part, block, heads, qkv, pass }));
    const passes = (['subordinate', 'dominant'] as const).slice(0, branches);
    return {
      h,
      watched: [
        ...layers('encoder', size.heads, ofEncoder, 0),
        ...passes.flatMap((part, pass) => layers(part, size.decoderHeads, ofDecoder, pass)),
      ],
    };
  });
}

/** Latents of as many mixtures as there are `LATENT_ALPHAS`: `h` [α, 1 + K, D] and `z` [branches·α, 1 + K, Dd]. */
function compileLatents(engine: Engine, model: Model, keep: number) {
  return engine.compile(inputs(model, LATENT_ALPHAS.length), ({ images, idsShuffle }) => {
    const h = model.net.forwardEncoder(images, givenMasks(idsShuffle, keep));
    return { h, z: model.net.forwardBranches(h) };
  });
}

/** Samples under one mask. */
function inputs({ size }: Model, batch: number) {
  return { images: f32(batch, size.channels, size.image, size.image), idsShuffle: u32(1, patchCount(size)) };
}

function isSame(one: Float32Array | Uint32Array, other: Float32Array | Uint32Array | undefined): boolean {
  return other?.length === one.length && one.every((value, i) => value === other[i]);
}

function blend(image1: Float32Array, image2: Float32Array, alpha: number): Float32Array {
  return image1.map((value, i) => alpha * value + (1 - alpha) * (image2[i] as number));
}

/** @param latents of all `LATENT_ALPHAS`, one after the other */
function distances(latents: Float32Array): { to1: number[]; to2: number[] } {
  const size = latents.length / LATENT_ALPHAS.length;
  const at = (index: number): Float32Array => latents.subarray(index * size, (index + 1) * size);
  const [of2, of1] = [at(0), at(LATENT_ALPHAS.length - 1)];
  const apart = distance(of1, of2);
  const all = LATENT_ALPHAS.map((_, index) => at(index));
  return { to1: all.map((each) => distance(each, of1) / apart), to2: all.map((each) => distance(each, of2) / apart) };
}

function distance(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += ((a[i] as number) - (b[i] as number)) ** 2;
  return Math.sqrt(sum);
}
