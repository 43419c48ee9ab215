import source from '../../shaders/gradnorm.wgsl';
import { workgroupRow } from '../gpu/recording';
import { kernelsOf } from '../gpu/shader';
import { Slice } from '../gpu/storage';
import type { Arena } from '../nn/parameters';
import type { Graph } from '../tensor/graph';
import { Tensor } from '../tensor/tensor';

const kernels = kernelsOf('gradnorm', source, ['gradnormPartial', 'gradnormFinish']);

const BLOCK = 4096;

/**
 * The norm of all gradients and the factor that clips them.
 *
 * @param limit largest norm; 0 leaves gradients as they are
 * @returns [2]: norm, min(1, limit / (norm + 1e-6))
 */
export function gradientNorm(graph: Graph, arenas: readonly Pick<Arena, 'gradients' | 'size'>[], limit: number): Tensor {
  const blocksOf = (arena: Pick<Arena, 'size'>): number => Math.ceil(arena.size / 4 / BLOCK);
  const blocks = arenas.reduce((sum, arena) => sum + blocksOf(arena), 0);
  const partials = graph.empty('gradient norm partials', [blocks]);
  let firstBlock = 0;
  for (const arena of arenas) {
    const count = arena.size / 4;
    graph.dispatch({
      kernel: kernels.gradnormPartial,
      uniforms: { count, firstBlock },
      bindings: { grads: new Tensor([count], 'f32', new Slice(arena.gradients, 0, arena.size)), partials },
      workgroups: workgroupRow(blocksOf(arena)),
    });
    firstBlock += blocksOf(arena);
  }
  const result = graph.empty('gradient norm', [2]);
  graph.dispatch({ kernel: kernels.gradnormFinish, uniforms: { blocks, limit }, bindings: { partials, result }, workgroups: [1] });
  return result;
}
