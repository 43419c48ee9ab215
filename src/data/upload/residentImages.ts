import type { GpuEngine } from '../../gpu/gpuEngine';
import { disposeTensor } from '../../tensor/tensor';
import type { ImageSet } from '../imageSet';
import { imageChunks, type ImageChunks, type ImageUploader } from './imageUploader';

/** An image set's bytes in GPU memory. */
export class ResidentImages implements ImageUploader {
  readonly chunks: ImageChunks;

  /** @throws EngineError `out-of-memory` */
  constructor(
    private readonly engine: GpuEngine,
    set: ImageSet,
  ) {
    this.chunks = imageChunks(engine, set, set.count, set.images);
  }

  ready(): undefined {
    // All of them are there.
  }

  place(lists: readonly Uint32Array[]): readonly Uint32Array[] {
    return lists;
  }

  dispose(): void {
    for (const { images } of this.chunks) disposeTensor(this.engine, images);
  }
}
