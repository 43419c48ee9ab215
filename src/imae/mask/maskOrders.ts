import { batches, filled } from '../../common/batches';
import * as purposes from '../../data/purposes';
import type { Engine } from '../../engine/engine';
import { f32, u32 } from '../../engine/inputs';
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
export interface MaskOrders {
  /**
   * The patches of each image in an order; the first are visible.
   *
   * @param images [C, H, W] each, normalised
   * @param mask which of an image's masks
   */
  draw(images: readonly Float32Array[], mask: number): Promise<Uint32Array[]>;
  dispose(): void;
}

/** @throws EngineError `out-of-memory` */
export async function compileMaskOrders(
  engine: Engine,
  size: ModelSize,
  kind: FreeMask,
  maskRatio: number,
): Promise<MaskOrders> {
  const inputs = { images: f32(BATCH, size.channels, size.image, size.image), counter: u32(5) };
  const program = await engine.compile(inputs, ({ images, counter }) => {
    const { idsShuffle } = recordMasks({ model: size, masking: { maskRatio } }, { kind, seen: images, counter });
    return { idsShuffle };
  });
  return {
    async draw(images, mask) {
      const orders: Uint32Array[] = [];
      for (const { part, from } of batches(images, BATCH)) {
        const counter = Uint32Array.of(0, 0, purposes.evaluation, FIRST_STEP + mask, from);
        await program.run({ images: filled(part, BATCH, Float32Array), counter });
        orders.push(...ordersOf(await program.outputs.idsShuffle.data(), patchCount(size), part.length));
      }
      return orders;
    },
    dispose: () => program.dispose(),
  };
}
