import source from '../../shaders/philox.wgsl';
import { workgroupRow } from '../gpu/recording';
import { kernelsOf } from '../gpu/shader';
import type { Graph } from '../tensor/graph';
import type { Tensor } from '../tensor/tensor';

const kernels = kernelsOf('philox', source, ['philoxFill']);

/** Where a stream of words lies: the key, and the counter's words after the first, which counts blocks of four. */
export interface PhiloxStream {
  readonly key: readonly [number, number];
  readonly counter: readonly [number, number, number];
}

/**
 * Random words: element n is word n mod 4 of philox((n div 4, ...counter), key), as in `src/data/philox.ts`.
 *
 * @returns [count] u32
 */
export function philoxFill(graph: Graph, count: number, { key, counter }: PhiloxStream): Tensor<'u32'> {
  const [k0, k1] = key;
  const [c1, c2, c3] = counter;
  const out = graph.empty('philoxFill', [count], 'u32');
  graph.dispatch({
    kernel: kernels.philoxFill,
    uniforms: { count, k0, k1, c1, c2, c3 },
    bindings: { out },
    workgroups: workgroupRow(Math.ceil(count / 256)),
  });
  return out;
}
