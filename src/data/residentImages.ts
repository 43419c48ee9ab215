import type { Engine } from '../gpu/engine';
import type { ImageChunk } from '../ops/augment';
import { createTensor, disposeTensor } from '../tensor/tensor';
import { imageBytes, type ImageSet } from './imageSet';

/** An image set's bytes in GPU memory, in chunks no larger than a binding may be. */
export class ResidentImages {
  readonly chunks: readonly [ImageChunk, ...ImageChunk[]];

  /** @throws EngineError `out-of-memory` */
  constructor(
    private readonly engine: Engine,
    set: ImageSet,
  ) {
    const bytes = imageBytes(set);
    const most = Math.floor(engine.device.limits.maxStorageBufferBindingSize / bytes);
    // A chunk ends on a whole 32-bit word.
    const perChunk = Math.min(set.count, most - (most % 4));
    const chunks: ImageChunk[] = [];
    for (let first = 0; first < set.count; first += perChunk) {
      const count = Math.min(perChunk, set.count - first);
      const data = set.images.subarray(first * bytes, (first + count) * bytes);
      const shape = [count, set.channels, set.height, set.width];
      chunks.push({ images: createTensor(engine, `${set.name} images from ${first}`, shape, 'u8', data), first });
    }
    this.chunks = chunks as [ImageChunk, ...ImageChunk[]];
  }

  dispose(): void {
    for (const { images } of this.chunks) disposeTensor(this.engine, images);
  }
}
