import { isInMemory, type SetFacts, type TrainingSet } from '../../data/imageSet';
import { CROP_VALUES, wholeCrop } from '../../data/sampler';
import type { ImageUploader } from '../../data/upload/imageUploader';
import { ResidentImages } from '../../data/upload/residentImages';
import { StreamedImages } from '../../data/upload/streamedImages';
import type { Engine } from '../../engine/engine';
import { augment, type AugmentInputs } from '../../ops/augment';
import type { Graph } from '../../tensor/graph';
import type { Tensor } from '../../tensor/tensor';
import type { EncoderSize } from '../config/config';
import type { Normalisation } from './normalisation';

/** What a model sees of images that are on the GPU. */
export interface SetView {
  readonly images: Pick<AugmentInputs, 'chunks'>;
  readonly size: Pick<EncoderSize, 'image'>;
  readonly normalisation: Normalisation;
}

/** The images of a set on the GPU: all of them where they are in memory, else those of a step at a time. @throws EngineError `out-of-memory` */
export function imagesOf(engine: Engine, set: TrainingSet, batch: number): ImageUploader {
  return isInMemory(set)
    ? new ResidentImages(engine, set)
    : new StreamedImages(engine, set, { perStep: batch, perPart: batch });
}

/**
 * Images as a model sees them: [B, C, H, W], normalised.
 *
 * @param indices [B]
 * @param crops [B, 5], as of `augment`
 */
export function viewImages(
  { images: { chunks }, size, normalisation }: SetView,
  indices: Tensor<'u32'>,
  crops: Tensor,
): Tensor {
  return augment({ chunks, indices, crops, ...normalisation, size: size.image });
}

/** Boxes that hold the whole of each image: of one that is not square, the largest square in its middle. */
export function wholeBoxes(program: Graph, set: Pick<SetFacts, 'width' | 'height'>, batch: number): Tensor {
  const box = [...wholeCrop(set.width, set.height), 0];
  const boxes = Float32Array.from({ length: batch * CROP_VALUES }, (_, i) => box[i % CROP_VALUES] ?? 0);
  return program.input('boxes', [batch, CROP_VALUES], 'f32', boxes);
}
