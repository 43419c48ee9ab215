import type { Engine } from '../../gpu/engine';
import { Graph, type TensorProgram } from '../../tensor/graph';
import type { Tensor } from '../../tensor/tensor';
import { patchCount } from '../config/config';
import type { Model } from '../model/mae';
import { BATCH, filled, split } from './instrumentedForward';
import { distanceBetween } from './gridDistance';

/*
 * Measurement 7, the dual role: masking is an augmentation, and it narrows what a token can see. A whole image is encoded with
 * attention limited to a window, and its tokens compared with those that the encoder makes of the masked image at the same
 * places: at which window are they most alike?
 */

/** As a bias on scores: not attended to. */
const NEVER = -1e9;

/** Encodes whole images, with attention limited to a window. */
export class WindowedEncoder {
  private constructor(
    private readonly program: TensorProgram,
    private readonly tensors: { readonly images: Tensor; readonly bias: Tensor; readonly latent: Tensor },
    private readonly length: number,
  ) {}

  static async create(engine: Engine, { size, net }: Model): Promise<WindowedEncoder> {
    const graph = new Graph(engine);
    const tokens = 1 + patchCount(size);
    const images = graph.input('images', [BATCH, size.channels, size.image, size.image]);
    const bias = graph.input('window', [1, 1, tokens, tokens]);
    const latent = net.forwardEncoder(images, undefined, { bias });
    graph.output(latent);
    return new WindowedEncoder(await graph.compile(), { images, bias, latent }, patchCount(size));
  }

  /** [1 + L, D] of each image. @param radius a patch attends to patches so far away, and, where that is `Infinity`, to the class token */
  async encode(images: readonly Float32Array[], radius: number): Promise<Float32Array[]> {
    const { program, tensors } = this;
    program.write(tensors.bias, windowBias(this.length, radius));
    const latents: Float32Array[] = [];
    for (let from = 0; from < images.length; from += BATCH) {
      const part = images.slice(from, from + BATCH);
      program.write(tensors.images, filled(part, Float32Array));
      program.run();
      latents.push(...split((await program.read(tensors.latent)) as Float32Array).slice(0, part.length));
    }
    return latents;
  }

  dispose(): void {
    this.program.dispose();
  }
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
