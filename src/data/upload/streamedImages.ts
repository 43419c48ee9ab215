import type { GpuEngine } from '../../gpu/gpuEngine';
import { disposeTensor } from '../../tensor/tensor';
import { imageBytes, readImages, type TrainingSet } from '../imageSet';
import { imageChunks, type ImageChunks, type ImageUploader } from './imageUploader';

/** Bytes of fetched images that may wait for their steps. */
const WAITING_BYTES = 2 ** 28;
/** Steps that are fetched ahead: at least so that one is there when the one before it is done, and no more than it helps. */
const FEWEST_AHEAD = 2;
const MOST_AHEAD = 8;

/** What a step takes, fetched. */
interface Fetched {
  /** Where an image lies in `bytes`, by its index in the set. */
  readonly places: ReadonlyMap<number, number>;
  readonly bytes: Uint8Array;
}

/**
 * The images of the step under way, in GPU memory for one micro-batch; those of the steps behind it are fetched meanwhile.
 * The bytes that a step sees are those that it would see of a resident set.
 */
export class StreamedImages implements ImageUploader {
  readonly chunks: ImageChunks;
  private readonly bytes: number;
  private readonly ahead: number;
  private readonly fetching = new Map<number, Promise<Fetched>>();
  private current: Fetched = { places: new Map(), bytes: new Uint8Array(0) };

  /**
   * @param perStep images that a step takes, at most
   * @param perPart images that are placed at once, at most
   * @throws EngineError `out-of-memory`
   */
  constructor(
    private readonly engine: GpuEngine,
    private readonly set: TrainingSet,
    { perStep, perPart }: { readonly perStep: number; readonly perPart: number },
  ) {
    this.bytes = imageBytes(set);
    const room = Math.floor(WAITING_BYTES / (perStep * this.bytes));
    this.ahead = Math.max(FEWEST_AHEAD, Math.min(MOST_AHEAD, room));
    this.chunks = imageChunks(engine, set, perPart);
  }

  async ready(step: number, imagesOf: (step: number) => Uint32Array | undefined): Promise<void> {
    for (const known of this.fetching.keys())
      if (known < step || known > step + this.ahead) this.fetching.delete(known);
    for (let next = step; next <= step + this.ahead; next++) {
      if (this.fetching.has(next)) continue;
      const images = imagesOf(next);
      if (!images) break;
      const fetched = this.fetch(images);
      fetched.catch(() => undefined); // thrown where it is waited for
      this.fetching.set(next, fetched);
    }
    this.current = await (this.fetching.get(step) as Promise<Fetched>);
    this.fetching.delete(step);
  }

  private async fetch(images: Uint32Array): Promise<Fetched> {
    const distinct = [...new Set(images)];
    return {
      places: new Map(distinct.map((image, place) => [image, place])),
      bytes: await readImages(this.set, distinct),
    };
  }

  place(lists: readonly Uint32Array[]): readonly Uint32Array[] {
    const distinct = [...new Set(lists.flatMap((list) => [...list]))];
    const numbers = new Map(distinct.map((image, number) => [image, number]));
    const bytes = this.gather(distinct);
    for (const { images, first } of this.chunks) {
      const [inChunk = 0] = images.shape;
      const part = bytes.subarray(first * this.bytes, (first + inChunk) * this.bytes);
      if (part.length > 0) this.engine.write(images.storage, part);
    }
    return lists.map((list) => list.map((image) => numbers.get(image) as number));
  }

  /** The bytes of images of the current step, one behind the other: where they lie so already, as they lie. */
  private gather(images: readonly number[]): Uint8Array {
    const { places, bytes } = this.current;
    const first = places.get(images[0] as number) as number;
    const isRun = images.every((image, at) => places.get(image) === first + at);
    if (isRun) return bytes.subarray(first * this.bytes, (first + images.length) * this.bytes);
    const gathered = new Uint8Array(images.length * this.bytes);
    for (const [at, image] of images.entries()) {
      const place = places.get(image) as number;
      gathered.set(bytes.subarray(place * this.bytes, (place + 1) * this.bytes), at * this.bytes);
    }
    return gathered;
  }

  dispose(): void {
    this.fetching.clear();
    for (const { images } of this.chunks) disposeTensor(this.engine, images);
  }
}
