import { batches, filled, split } from '../../common/batches';
import type { Engine } from '../../engine/engine';
import { f32 } from '../../engine/inputs';
import { patchCount } from '../config/config';
import type { Model } from '../model/mae';
import { distanceBetween } from './gridDistance';
import { BATCH } from './instrumentedForward';

/*
 * Measurement 7, the dual role: masking is an augmentation, and it narrows what a token can see. A whole image is encoded with
 * attention limited to a window, and its tokens compared with those that the encoder makes of the masked image at the same
 * places: at which window are they most alike?
 */

/** As a bias on scores: not attended to. */
const NEVER = -1e9;

/** Encodes whole images, with attention limited to a window. */
export interface WindowedEncoder {
  /** [1 + L, D] of each image. @param radius a patch attends to patches so far away, and, where that is `Infinity`, to the class token */
  encode(images: readonly Float32Array[], radius: number): Promise<Float32Array[]>;
  dispose(): void;
}

/** @throws EngineError `out-of-memory` */
export async function compileWindowedEncoder(engine: Engine, { size, net }: Model): Promise<WindowedEncoder> {
  const length = patchCount(size);
  const inputs = {
    images: f32(BATCH, size.channels, size.image, size.image),
    window: f32(1, 1, 1 + length, 1 + length),
  };
  const program = await engine.compile(inputs, ({ images, window }) => ({
    latent: net.forwardEncoder(images, undefined, { bias: window }),
  }));
  return {
    async encode(images, radius) {
      const window = windowBias(length, radius);
      const latents: Float32Array[] = [];
      for (const { part } of batches(images, BATCH)) {
        await program.run({ images: filled(part, BATCH, Float32Array), window });
        latents.push(...split(await program.outputs.latent.data(), BATCH).slice(0, part.length));
      }
      return latents;
    },
    dispose: () => program.dispose(),
  };
}

/** The class token attends to all; through it patches would see beyond their window, so that they do not attend to it. */
export function windowBias(length: number, radius: number): Float32Array {
  const tokens = 1 + length;
  return Float32Array.from({ length: tokens * tokens }, (_, i) => {
    const [query, key] = [Math.floor(i / tokens), i % tokens];
    if (query === 0 || radius === Infinity) return 0;
    return key > 0 && distanceBetween(length, query - 1, key - 1) <= radius ? 0 : NEVER;
  });
}
