import { kernelsOf } from '../gpu/shader';
import { workgroupRow } from '../gpu/recording';
import source from '../../shaders/add.wgsl';
import type { Graph } from './graph';
import type { Tensor } from './tensor';

const kernels = kernelsOf('add', source, ['addInPlace']);

/** sum = value, or sum += value where `accumulate` is set. Same sizes, f32. */
export function addInPlace(graph: Graph, sum: Tensor, value: Tensor, accumulate: boolean): void {
  graph.dispatch({
    kernel: kernels.addInPlace,
    params: { ACCUMULATE: accumulate },
    uniforms: { count: sum.size },
    bindings: { value, sum },
    workgroups: workgroupRow(Math.ceil(sum.size / 256)),
  });
}
