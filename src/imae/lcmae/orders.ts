import { purposes } from '../../data/philox';
import type { Engine } from '../../gpu/engine';
import { Graph, type TensorProgram } from '../../tensor/graph';
import type { Tensor } from '../../tensor/tensor';
import { patchCount, type ModelSize } from '../config';
import { recordMasks, type MaskKind } from '../masks';
import { BATCH, filled } from './looks';

/** Of the steps that masks are drawn at: apart from those of held-out pairs. */
const FIRST_STEP = 0x10000;

/** Draws masks of a kind for images: any of random, block, grid and variance, which need nothing else. */
export class Orders {
  private constructor(
    private readonly program: TensorProgram,
    private readonly tensors: { readonly images: Tensor; readonly counter: Tensor; readonly idsShuffle: Tensor },
    private readonly length: number,
  ) {}

  static async create(engine: Engine, size: ModelSize, kind: Exclude<MaskKind, 'attention'>, maskRatio: number): Promise<Orders> {
    const graph = new Graph(engine);
    const images = graph.input('images', [BATCH, size.channels, size.image, size.image]);
    const counter = graph.input('mask counter', [5], 'u32');
    const { idsShuffle } = recordMasks(graph, { model: size, masking: { maskRatio } }, { kind, seen: images, counter });
    graph.output(idsShuffle);
    return new Orders(await graph.compile(), { images, counter, idsShuffle }, patchCount(size));
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
      program.write(tensors.images, filled(part, Float32Array));
      program.write(tensors.counter, Uint32Array.of(0, 0, purposes.evaluation, FIRST_STEP + mask, from));
      program.run();
      const ids = (await program.read(tensors.idsShuffle)) as Uint32Array;
      orders.push(...part.map((_, index) => ids.slice(index * length, (index + 1) * length)));
    }
    return orders;
  }

  dispose(): void {
    this.program.dispose();
  }
}
