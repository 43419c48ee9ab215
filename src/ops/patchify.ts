import source from '../../shaders/patchify.wgsl';
import { EngineError } from '../gpu/errors';
import { workgroupRow } from '../gpu/recording';
import { kernelsOf } from '../gpu/shader';
import { graphOf, type Graph } from '../tensor/graph';
import { matchShape } from '../tensor/shape';
import type { Tensor } from '../tensor/tensor';
import { checkKeep, matchIds } from './patchIndices';

const kernels = kernelsOf('patchify', source, ['patchify', 'unpatchify']);

/** Order of a patch's elements: (row, column, channel) as MAE's targets, or (channel, row, column) as convolutions. */
export type PatchOrder = 'channelsLast' | 'channelsFirst';

/** The patches that an encoder sees: the first `keep` of each row of `idsShuffle` [Bi, L] u32, in that order. */
export interface Visible {
  readonly idsShuffle: Tensor<'u32'>;
  readonly keep: number;
}

/** How the images [S, C, H, W] and the patches [S, keep, P·P·C] of one call correspond. */
interface Layout {
  readonly samples: number;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly patch: number;
  readonly order: PatchOrder;
  readonly visible: Visible | undefined;
}

/** Patches in a whole image. */
function patchCount(operation: string, { patch, height, width }: Layout): number {
  if (Number.isInteger(patch) && patch >= 1 && height % patch === 0 && width % patch === 0) {
    return (height / patch) * (width / patch);
  }
  throw new EngineError(
    'bad-shape',
    `${operation}: images of ${height}×${width} don't divide into patches of ${patch}×${patch}.`,
    'Choose a patch size that divides both.',
  );
}

function move(
  graph: Graph,
  to: 'patches' | 'images',
  layout: Layout,
  bindings: { readonly patches: Tensor; readonly images: Tensor },
  accumulate: boolean,
): void {
  const { samples, channels, height, width, patch, order, visible } = layout;
  const length = (height / patch) * (width / patch);
  const keep = visible?.keep ?? length;
  const places = to === 'images' && !accumulate ? length : keep;
  const count = samples * places * patch * patch * channels;
  const CHANNELS_FIRST = order === 'channelsFirst';
  const VEC = CHANNELS_FIRST && patch % 4 === 0;
  graph.dispatch({
    kernel: to === 'patches' ? kernels.patchify : kernels.unpatchify,
    params: {
      PATCH: patch,
      CHANNELS: channels,
      CHANNELS_FIRST,
      VEC,
      VISIBLE: visible !== undefined,
      ACCUMULATE: accumulate,
    },
    uniforms: { count, places, keep, height, width, idRows: visible?.idsShuffle.shape[0] ?? 1 },
    bindings: visible ? { ...bindings, ids: visible.idsShuffle } : bindings,
    workgroups: workgroupRow(Math.ceil(count / (VEC ? 1024 : 256))),
  });
}

/**
 * Cuts images into patches, left to right, then top to bottom. Gradients flow to the images; patches that are not
 * visible give 0.
 *
 * @param images [S, C, H, W], P dividing H and W
 * @param options.order of the elements of a patch
 * @param options.visible the patches to cut, all of them where it is absent
 * @returns [S, L or keep, P·P·C], L = (H/P)·(W/P)
 * @throws EngineError `bad-shape`
 */
export function patchify(
  images: Tensor,
  { patch, order, visible }: { readonly patch: number; readonly order: PatchOrder; readonly visible?: Visible },
): Tensor {
  const graph = graphOf('patchify', images, visible?.idsShuffle);
  const { S, C, H, W } = matchShape('patchify', 'images', images.shape, ['S', 'C', 'H', 'W']);
  const layout: Layout = { samples: S, channels: C, height: H, width: W, patch, order, visible };
  const length = patchCount('patchify', layout);
  if (visible) {
    matchIds('patchify', 'idsShuffle', visible.idsShuffle, S, length);
    checkKeep('patchify', visible.keep, length);
  }
  const patches = graph.empty('patchify', [S, visible?.keep ?? length, patch * patch * C], 'f32', images.requiresGrad);
  move(graph, 'patches', layout, { patches, images }, false);
  graph.record('patchify', [patches], (gradients) => {
    const dPatches = gradients.of(patches);
    const dImages = gradients.into(images);
    if (!dPatches || !dImages) return;
    move(graph, 'images', layout, { patches: dPatches, images: dImages.out }, dImages.accumulate);
  });
  return patches;
}

/**
 * Puts patches, their elements in the order (row, column, channel), together to images. Gradients flow to the patches.
 *
 * @param patches [S, L, P·P·C], L = (H/P)·(W/P)
 * @returns images [S, C, H, W]
 * @throws EngineError `bad-shape`
 */
export function unpatchify(
  patches: Tensor,
  size: { readonly patch: number; readonly channels: number; readonly height: number; readonly width: number },
): Tensor {
  const graph = graphOf('unpatchify', patches);
  const { patch, channels, height, width } = size;
  const samples = patches.shape[0] ?? 1;
  const layout: Layout = { samples, ...size, order: 'channelsLast', visible: undefined };
  const length = patchCount('unpatchify', layout);
  matchShape('unpatchify', 'patches', patches.shape, ['S', length, patch * patch * channels]);
  const images = graph.empty('unpatchify', [samples, channels, height, width], 'f32', patches.requiresGrad);
  move(graph, 'images', layout, { patches, images }, false);
  graph.record('unpatchify', [images], (gradients) => {
    const dImages = gradients.of(images);
    const dPatches = gradients.into(patches);
    if (!dImages || !dPatches) return;
    move(graph, 'patches', layout, { patches: dPatches.out, images: dImages }, dPatches.accumulate);
  });
  return images;
}
