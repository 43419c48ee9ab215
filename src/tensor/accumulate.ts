import { kernelsOf } from '../gpu/shader';
import { workgroupRow } from '../gpu/recording';
import source from '../../shaders/add.wgsl';
import type { Graph } from './graph';
import type { Tensor } from './tensor';

const kernels = kernelsOf('add', source, ['addInPlace']);

/** target = value, or target += value where `accumulate` is set. Same sizes, f32. */
export function addInPlace(graph: Graph, target: Tensor, value: Tensor, accumulate: boolean): void {
  graph.dispatch({
    kernel: kernels.addInPlace,
    params: { ACCUMULATE: accumulate },
    uniforms: { count: target.size },
    bindings: { value, target },
    workgroups: workgroupRow(Math.ceil(target.size / 256)),
  });
}
