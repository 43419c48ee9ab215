import { purposes } from '../../data/philox';
import type { Engine } from '../../gpu/engine';
import { Graph, type TensorProgram } from '../../tensor/graph';
import type { Tensor } from '../../tensor/tensor';
import { patchCount, type ModelSize } from '../config/config';
import { ordersOf, recordMasks, type MaskKind } from './masks';

/** The masks that need no teacher. */
export type FreeMask = Exclude<MaskKind, 'attention'>;

const FREE: { readonly [kind in FreeMask]: true } = { random: true, block: true, grid: true, variance: true };
export const FREE_MASKS = Object.keys(FREE) as readonly FreeMask[];

/** What a model was trained to hide, where that needs no teacher; else any patches. */
export function freeMaskOf(mask: MaskKind | undefined): FreeMask {
  return FREE_MASKS.find((kind) => kind === mask) ?? 'random';
}

/** Of the steps that masks are drawn at: apart from those of held-out pairs. */
const FIRST_STEP = 0x10000;
/** Images of one program run. */
const BATCH = 16;

/** Draws masks of a kind for images that are given. */
export class MaskOrders {
  private constructor(
    private readonly program: TensorProgram,
    private readonly tensors: { readonly images: Tensor; readonly counter: Tensor; readonly idsShuffle: Tensor },
    private readonly length: number,
  ) {}

  static async create(engine: Engine, size: ModelSize, kind: FreeMask, maskRatio: number): Promise<MaskOrders> {
    const graph = new Graph(engine);
    const images = graph.input('images', [BATCH, size.channels, size.image, size.image]);
    const counter = graph.input('mask counter', [5], 'u32');
    const { idsShuffle } = recordMasks({ model: size, masking: { maskRatio } }, { kind, seen: images, counter });
    graph.output(idsShuffle);
    return new MaskOrders(await graph.compile(), { images, counter, idsShuffle }, patchCount(size));
  }

  /**
   * The patches of each image in an order; the first are visible.
   *
   * @param images [C, H, W] each, normalised
   * @param mask which of an image's masks
   */
  async draw(images: readonly Float32Array[], mask: number): Promise<Uint32Array[]> {
    const { program, tensors, length } = this;
    const orders: Uint32Array[] = [];
    for (let from = 0; from < images.length; from += BATCH) {
      const part = images.slice(from, from + BATCH);
      const all = new Float32Array(tensors.images.size);
      for (const [index, image] of part.entries()) all.set(image, index * image.length);
      program.write(tensors.images, all);
      program.write(tensors.counter, Uint32Array.of(0, 0, purposes.evaluation, FIRST_STEP + mask, from));
      program.run();
      orders.push(...ordersOf((await program.read(tensors.idsShuffle)) as Uint32Array, length, part.length));
    }
    return orders;
  }

  dispose(): void {
    this.program.dispose();
  }
}
