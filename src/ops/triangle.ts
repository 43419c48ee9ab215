import source from '../../shaders/triangle.wgsl';
import { EngineError } from '../gpu/errors';
import { workgroupRow } from '../gpu/recording';
import { kernelsOf } from '../gpu/shader';
import { graphOf } from '../tensor/graph';
import { formatShape, type Shape } from '../tensor/shape';
import { takesGradients, type DType, type Tensor } from '../tensor/tensor';
import { assertWords, type Word } from './axes';

const kernels = kernelsOf('triangle', source, ['triangle']);

/**
 * A part of matrices.
 *
 * @param x [..., H, W] f32, i32 or u32
 * @returns of x's shape, 0 outside of the part
 * @throws EngineError `bad-shape` for less than two axes, or a diagonal that is no whole number
 */
type Triangle = <D extends Word, S extends Shape>(x: Tensor<D, S>, diagonal?: number) => Tensor<D, S>;

/* @__NO_SIDE_EFFECTS__ */
function triangle(name: string, UPPER: boolean): Triangle {
  return (x, diagonal = 0) => {
    const graph = graphOf(name, x);
    assertWords(name, 'x', x);
    const [height, width] = x.shape.slice(-2);
    if (height === undefined || width === undefined || !Number.isInteger(diagonal)) {
      throw new EngineError(
        'bad-shape',
        `${name}: ${formatShape(x.shape)} has no diagonal ${diagonal}.`,
        'Give matrices, [..., H, W], and a whole number.',
      );
    }
    const record = (from: Tensor<DType>, to: Tensor<DType>, ACCUMULATE: boolean): void => {
      graph.dispatch({
        kernel: kernels.triangle,
        params: { UPPER, ACCUMULATE },
        uniforms: { count: x.size, height, width, diagonal },
        bindings: { x: from, y: to },
        workgroups: workgroupRow(Math.ceil(x.size / 64)),
      });
    };
    const y = graph.empty(name, x.shape, x.dtype, x.requiresGrad);
    record(x, y, false);
    if (takesGradients(x) && takesGradients(y)) {
      graph.record(name, [y], (gradients) => {
        const dy = gradients.of(y);
        const dx = gradients.into(x);
        if (dy && dx) record(dy, dx.out, dx.accumulate);
      });
    }
    return y;
  };
}

/**
 * The matrices [..., H, W] with 0 above a diagonal, as `torch.tril`, of f32, i32 or u32.
 *
 * @param diagonal 0 is the main one; a positive one lies above it
 */
export const tril = triangle('tril', false);
/** The matrices [..., H, W] with 0 below a diagonal, as `torch.triu`; see `tril`. */
export const triu = triangle('triu', true);
