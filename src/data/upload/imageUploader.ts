import type { GpuEngine } from '../../gpu/gpuEngine';
import type { ImageChunk } from '../../ops/augment';
import { createTensor, type LastingTensor } from '../../tensor/tensor';
import { UserError } from '../../common/userError';
import { imageBytes, type SetFacts } from '../imageSet';

/** Chunks that lie in memory of their own. */
type LastingChunk = ImageChunk & { readonly images: LastingTensor<'u8'> };
export type ImageChunks = readonly [LastingChunk, ...LastingChunk[]];

/** Images in GPU memory that the views of training steps are made from: a whole set, or those of the step under way. */
export interface ImageUploader {
  /** What `augment` reads. */
  readonly chunks: ImageChunks;
  /**
   * Sees to it that what a step takes is at hand, and begins to fetch what the steps behind it take.
   *
   * @param imagesOf the images (indices into the set) that a step takes; undefined where there is no such step
   * @returns what to wait for; undefined where all is there
   * @throws UserError (a rejection) where an image cannot be had
   */
  ready(step: number, imagesOf: (step: number) => Uint32Array | undefined): Promise<void> | undefined;
  /**
   * Puts images of the step that is ready where `augment` finds them, in order with submitted work.
   *
   * @param lists indices into the set
   * @returns for each list, the numbers under which `augment` finds its images
   */
  place(lists: readonly Uint32Array[]): readonly Uint32Array[];
  dispose(): void;
}

/**
 * GPU memory for `count` images, in chunks no larger than a binding may be.
 *
 * @param data their bytes; zeros without
 * @throws UserError where a binding holds none of them, EngineError `out-of-memory`
 */
export function imageChunks(engine: GpuEngine, set: SetFacts, count: number, data?: Uint8Array): ImageChunks {
  const bytes = imageBytes(set);
  const perChunk = Math.min(count, mostPerChunk(engine.device.limits.maxStorageBufferBindingSize, set));
  const chunks: LastingChunk[] = [];
  for (let first = 0; first < count; first += perChunk) {
    const inChunk = Math.min(perChunk, count - first);
    const shape = [inChunk, set.channels, set.height, set.width];
    const part = data?.subarray(first * bytes, (first + inChunk) * bytes);
    chunks.push({ images: createTensor(engine, `${set.name} images from ${first}`, shape, 'u8', part), first });
  }
  return chunks as [LastingChunk, ...LastingChunk[]];
}

/** A chunk ends on a whole 32-bit word. @param binding bytes that a device binds at once */
function mostPerChunk(binding: number, set: SetFacts): number {
  const bytes = imageBytes(set);
  const inWords = [1, 2].find((images) => (images * bytes) % 4 === 0) ?? 4;
  const most = Math.floor(binding / bytes);
  if (most >= inWords) return most - (most % inWords);
  const size = `${set.width} × ${set.height} × ${set.channels}`;
  const what = inWords === 1 ? `an image of ${size} takes` : `${inWords} images of ${size}, whole words together, take`;
  throw new UserError(
    `--decode-size: ${what} ${inWords * bytes} bytes, and this device binds ${binding}. Give a smaller one.`,
  );
}
