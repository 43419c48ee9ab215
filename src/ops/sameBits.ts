import source from '../../shaders/sameBits.wgsl';
import { kernelsOf } from '../gpu/shader';
import { graphOf } from '../tensor/graph';
import { matchShape } from '../tensor/shape';
import type { Tensor, DType } from '../tensor/tensor';

const kernels = kernelsOf('sameBits', source, ['sameBits']);

/** Enough invocations to fill a GPU, few enough to read their counts back. */
const MOST_INVOCATIONS = 16384;

/**
 * Compares two tensors of one shape, of four-byte elements, bit for bit.
 *
 * @returns u32 counts of differing elements: all zero where there is none
 * @throws EngineError `bad-shape`
 */
export function sameBits(a: Tensor<DType>, b: Tensor<DType>): Tensor<'u32'> {
  const graph = graphOf('sameBits', a, b);
  matchShape('sameBits', 'b', b.shape, a.shape);
  const invocations = Math.min(MOST_INVOCATIONS, a.size);
  const differences = graph.empty('differences', [invocations], 'u32');
  graph.dispatch({
    kernel: kernels.sameBits,
    uniforms: { count: a.size, invocations },
    bindings: { a, b, differences },
    workgroups: [Math.ceil(invocations / 64)],
  });
  return differences;
}
