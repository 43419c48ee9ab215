import source from '../../shaders/gradientNorm.wgsl';
import { workgroupRow } from '../gpu/recording';
import { kernelsOf } from '../gpu/shader';
import { Slice } from '../gpu/storage';
import type { Arena } from '../nn/parameters';
import type { Graph } from '../tensor/graph';
import { Tensor } from '../tensor/tensor';
import type { LossScaling } from './lossScaling';

const kernels = kernelsOf('gradientNorm', source, ['gradientNormPartial', 'gradientNormFinish']);

const BLOCK = 4096;

/**
 * The norm of all gradients and the factor that clips them.
 *
 * @param limit largest norm; 0 leaves gradients as they are
 * @param scaling by which the gradients are too large; its rule is applied
 * @returns of shape [2]: norm, min(1, limit / (norm + 1e-6)); with `scaling` of shape [5]: the norm, and the factor, of
 *   gradients as they should be; 0 where they are not finite, else 1; the scale that they had; the steps skipped so far
 */
export function gradientNorm(
  graph: Graph,
  arenas: readonly Pick<Arena, 'gradients' | 'size'>[],
  limit: number,
  scaling?: LossScaling,
): Tensor {
  const blocksOf = (arena: Pick<Arena, 'size'>): number => Math.ceil(arena.size / 4 / BLOCK);
  const blocks = arenas.reduce((sum, arena) => sum + blocksOf(arena), 0);
  const partials = graph.empty('gradient norm partials', [blocks]);
  let firstBlock = 0;
  for (const arena of arenas) {
    const count = arena.size / 4;
    graph.dispatch({
      kernel: kernels.gradientNormPartial,
      uniforms: { count, firstBlock },
      bindings: { grads: new Tensor([count], 'f32', new Slice(arena.gradients, 0, arena.size)), partials },
      workgroups: workgroupRow(Math.ceil(blocksOf(arena) / 4)),
    });
    firstBlock += blocksOf(arena);
  }
  const result = graph.empty('gradient norm', [scaling ? 5 : 2]);
  graph.dispatch({
    kernel: kernels.gradientNormFinish,
    params: { SCALED: scaling !== undefined },
    uniforms: { blocks, limit, ...(scaling ? { growth: scaling.growthSteps } : {}) },
    bindings: { partials, result, ...(scaling ? { state: scaling.state } : {}) },
    workgroups: [1],
  });
  return result;
}
