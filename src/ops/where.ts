import source from '../../shaders/where.wgsl';
import { workgroupRow } from '../gpu/recording';
import { kernelsOf } from '../gpu/shader';
import { graphOf } from '../tensor/graph';
import type { Shape } from '../tensor/shape';
import { takesGradients, Tensor, type DType, type Float, type Scalar } from '../tensor/tensor';
import { recordGradientOfChoice } from './binary';
import { asTensor, axisUniforms, broadcastShape, cellsOf, stretchedAxes } from './broadcast';
import { assertType } from './patchIndices';

const kernels = kernelsOf('where', source, ['where']);

type Operand = Tensor<DType> | number;

/** `a` where the condition is not 0, else `b`, broadcast: f32 where both are numbers. */
export interface Where {
  <S extends Shape>(
    condition: Tensor<'u32', S>,
    a: Tensor<Float, NoInfer<S>> | Scalar | number,
    b: Tensor<Float, NoInfer<S>> | Scalar | number,
  ): Tensor<'f32', S>;
  (condition: Tensor<'u32'>, a: Tensor | number, b: Tensor | number): Tensor<'f32'>;
  <D extends 'i32' | 'u32'>(condition: Tensor<'u32'>, a: Tensor<D>, b: Tensor<NoInfer<D>> | number): Tensor<D>;
  <D extends 'i32' | 'u32'>(condition: Tensor<'u32'>, a: number, b: Tensor<D>): Tensor<D>;
}

/**
 * `a` where `condition` is not 0, else `b`: all three broadcast. Gradients go to whichever was taken. As `torch.where`.
 *
 * @param condition u32, of any shape
 * @param a f32, i32 or u32, of a shape that stretches with the others, or a number
 * @param b of a's type, of a shape that stretches with the others, or a number
 * @returns of a's type, f32 where both are numbers; of the broadcast shape
 * @throws EngineError `bad-shape` where the shapes can't be stretched to one, the condition is not u32, or a and b are
 *   of two types, or neither f32, i32 nor u32
 */
export const where: Where = (condition: Tensor<'u32'>, first: Operand, second: Operand): Tensor<never, never> => {
  const tensors = [first, second].filter((operand) => operand instanceof Tensor);
  const graph = graphOf('where', condition, ...tensors);
  assertType('where', 'condition', condition, 'u32');
  const dtype = tensors[0]?.dtype ?? 'f32';
  const of = dtype === 'i32' || dtype === 'u32' ? dtype : 'f32';
  const a = asTensor({ operation: 'where', operand: 'a' }, graph, first, of);
  const b = asTensor({ operation: 'where', operand: 'b' }, graph, second, of);
  const shape = broadcastShape('where', condition.shape, broadcastShape('where', a.shape, b.shape));
  const { axes, VEC, wide } = cellsOf(stretchedAxes(shape, [condition.shape, a.shape, b.shape]), 3);
  const y = graph.empty('where', shape, of as DType, a.requiresGrad || b.requiresGrad);
  const count = VEC ? y.size / 4 : y.size;
  const [WIDE_CONDITION = false, WIDE_A = false, WIDE_B = false] = wide;
  graph.dispatch({
    kernel: kernels.where,
    params: { RANK: axes.length, VEC, WIDE_CONDITION, WIDE_A, WIDE_B },
    uniforms: { count, ...axisUniforms(axes, ['condition', 'a', 'b']) },
    bindings: { condition, a, b, y },
    workgroups: workgroupRow(Math.ceil(count / 64)),
  });
  if (takesGradients(y)) {
    graph.record('where', [y], (gradients) => {
      const dy = gradients.of(y);
      if (!dy) return;
      for (const [isFirst, own] of [
        [true, a],
        [false, b],
      ] as const) {
        const target = takesGradients(own) ? gradients.into(own) : undefined;
        if (target && takesGradients(own)) {
          recordGradientOfChoice(graph, { own, other: condition, dy }, isFirst, target);
        }
      }
    });
  }
  return y as Tensor<never, never>; // of the type and shape that the signature at hand says
};
