import source from '../../shaders/mask.wgsl';
import philox from '../../shaders/philox.wgsl';
import { EngineError } from '../gpu/errors';
import { workgroupRow } from '../gpu/recording';
import { kernelsOf } from '../gpu/shader';
import type { Graph } from '../tensor/graph';
import { matchShape } from '../tensor/shape';
import type { Tensor } from '../tensor/tensor';
import { assertU32, checkKeep } from './ids';

const kernels = kernelsOf('mask', source, ['drawMasks', 'invertPermutation'], { philox });

/** As many as have their noise in 16 KiB of workgroup memory. */
const MAX_LENGTH = 4096;

/** Random orders of patches; what `patchify` and `keepTokens` take as visible, and the way back. */
export interface Masks {
  /** [B, L] u32: the patches of a sample in their order; the first `keep` are visible. */
  readonly idsShuffle: Tensor;
  /** [B, L] u32: the place of each patch in that order; patch i is visible where it is below `keep`. */
  readonly idsRestore: Tensor;
  readonly keep: number;
}

/**
 * Draws which patches are visible, as He et al. (2021) do: noise for each patch, sorted ascending, ties by index; the
 * noise is Philox's 32-bit words, so a mask is a function of seed, purpose, step and sample.
 *
 * @param options.length L, patches of an image
 * @param options.keep how many of them are visible
 * @param options.counter [5] u32: seed's low and high 32 bits, purpose, step, and the number of the first sample within
 *   the step, where a batch is drawn in parts
 * @throws EngineError `bad-shape`; `limit-exceeded` for more than 4096 patches
 */
export function drawMasks(
  graph: Graph,
  options: {
    readonly batch: number;
    readonly length: number;
    readonly keep: number;
    readonly counter: Tensor;
  },
): Masks {
  const { batch, length, keep, counter } = options;
  matchShape('drawMasks', 'counter', counter.shape, [5]);
  assertU32('drawMasks', 'counter', counter);
  checkKeep('drawMasks', keep, length);
  if (length > MAX_LENGTH) {
    const what = `drawMasks: ${length} patches; it orders at most ${MAX_LENGTH}.`;
    throw new EngineError('limit-exceeded', what, 'Use a larger patch.');
  }
  const idsShuffle = graph.empty('idsShuffle', [batch, length], 'u32');
  const idsRestore = graph.empty('idsRestore', [batch, length], 'u32');
  graph.dispatch({
    kernel: kernels.drawMasks,
    params: { LENGTH: length },
    bindings: { counter, idsShuffle, idsRestore },
    workgroups: [batch],
  });
  return { idsShuffle, idsRestore, keep };
}

/**
 * The inverse of each row, for orders that were given rather than drawn.
 *
 * @param idsShuffle [B, L] u32; every row is a permutation of 0 … L−1, or the result is undefined
 * @returns idsRestore [B, L] u32
 * @throws EngineError `bad-shape`
 */
export function invertPermutation(graph: Graph, idsShuffle: Tensor): Tensor {
  const { B, L } = matchShape('invertPermutation', 'idsShuffle', idsShuffle.shape, ['B', 'L']);
  assertU32('invertPermutation', 'idsShuffle', idsShuffle);
  const idsRestore = graph.empty('idsRestore', [B, L], 'u32');
  graph.dispatch({
    kernel: kernels.invertPermutation,
    uniforms: { count: B * L, length: L },
    bindings: { idsShuffle, idsRestore },
    workgroups: workgroupRow(Math.ceil((B * L) / 256)),
  });
  return idsRestore;
}
