import { kernelsOf } from '../gpu/shader';
import { workgroupRow } from '../gpu/recording';
import source from '../../shaders/add.wgsl';
import type { Recorder } from './recorder';
import type { Tensor } from './tensor';

const kernels = kernelsOf('add', source, ['addInPlace']);

/** sum = value, or sum += value where `accumulate` is set. Same sizes; each f32 or f16, so that this also converts. */
export function addInPlace(recorder: Recorder, sum: Tensor, value: Tensor, accumulate: boolean): void {
  const VEC = sum.size % 4 === 0;
  const cells = VEC ? sum.size / 4 : sum.size;
  recorder.dispatch({
    kernel: kernels.addInPlace,
    params: { ACCUMULATE: accumulate, VALUE16: value.dtype === 'f16', SUM16: sum.dtype === 'f16', VEC },
    uniforms: { cells },
    bindings: { value, sum },
    workgroups: workgroupRow(Math.ceil(cells / 256)),
  });
}
