import reduce from '../../shaders/reduce.wgsl';
import source from '../../shaders/scaledDotProductAttention.wgsl';
import { EngineError } from '../gpu/errors';
import { workgroupRow } from '../gpu/recording';
import { kernelsOf } from '../gpu/shader';
import { graphOf } from '../tensor/graph';
import { formatShape, matchShape, rowsOf, type Shape } from '../tensor/shape';
import type { DType, Tensor } from '../tensor/tensor';
import { add } from './add';
import { batchedMatmul } from './batchedMatmul';
import { axesOf, broadcastShape } from './broadcast';
import { assertNumber, assertType } from './patchIndices';
import { lanesFor } from './reduce';

const kernels = kernelsOf('scaledDotProductAttention', source, ['attentionWeights', 'attentionWeightsBackward'], {
  reduce,
});

const OPERATION = 'scaledDotProductAttention';

/** What `scaledDotProductAttention` may be told: masks, bias and scale. */
export interface AttentionOptions {
  /** Whether query i attends to keys 0 to i only: false by default. */
  readonly causal?: boolean;
  /** Stretched to [..., N, M]: 1 where a query attends to a key, 0 where it does not. A row of zeros gives 0. */
  readonly mask?: Tensor<'u32'>;
  /** Stretched to [..., N, M]: added to the scores. */
  readonly bias?: Tensor;
  /** What q·kᵀ is multiplied by: 1/√D by default. */
  readonly scale?: number;
}

/**
 * softmax(scale · q·kᵀ + bias)·v, as `F.scaled_dot_product_attention`; leading axes are stretched to one shape. A query that attends
 * to no key is given 0, where PyTorch has NaN or 0 by its version and way. The weights [..., N, M] are kept for the way back.
 *
 * @param q [..., N, D] f32
 * @param k [..., M, D] f32
 * @param v [..., M, E] f32
 * @returns [..., N, E]
 * @throws EngineError `bad-shape`
 */
export function scaledDotProductAttention(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  { causal = false, mask, bias, scale }: AttentionOptions = {},
): Tensor<'f32'> {
  graphOf(OPERATION, q, k, v, mask, bias);
  for (const [name, operand] of Object.entries({ q, k, v, ...(bias ? { bias } : {}) })) {
    assertType(OPERATION, name, operand, 'f32');
  }
  if (mask) assertType(OPERATION, 'mask', mask, 'u32');
  if (scale !== undefined) assertNumber(OPERATION, 'scale', scale);
  const { D } = matchShape(OPERATION, 'q, but for its leading axes,', q.shape.slice(-2), ['N', 'D']);
  const { M } = matchShape(OPERATION, 'k, but for its leading axes,', k.shape.slice(-2), ['M', 'D'], { D });
  matchShape(OPERATION, 'v, but for its leading axes,', v.shape.slice(-2), ['M', 'E'], { M });
  const products = batchedMatmul(OPERATION, q, k, { layout: 'nt', scale: scale ?? 1 / Math.sqrt(D) });
  if (bias) assertStretches('bias', bias, products.shape);
  const scores = bias ? add(products, bias) : products;
  return batchedMatmul(OPERATION, attentionWeights(scores, causal, mask), v);
}

/** @throws EngineError `bad-shape` unless an operand can be stretched to the shape of the scores */
function assertStretches(operand: string, { shape }: Tensor<DType>, scores: Shape): void {
  if (String(broadcastShape(`${OPERATION}: ${operand}`, shape, scores)) === String(scores)) return;
  throw new EngineError(
    'bad-shape',
    `${OPERATION}: ${operand} ${formatShape(shape)} can't be stretched to ${formatShape(scores)}.`,
    'Give it an extent of 1, or that of the scores, along each axis.',
  );
}

/** Each row as probabilities of the keys that are attended to. */
function attentionWeights(x: Tensor, causal: boolean, mask: Tensor<'u32'> | undefined): Tensor<'f32'> {
  const graph = graphOf(OPERATION, x, mask);
  if (mask) assertStretches('mask', mask, x.shape);
  const { rows, width } = rowsOf(x.shape);
  const maskWidth = mask?.shape.at(-1) ?? 1;
  const axes = mask ? axesOf(x.shape.slice(0, -1), mask.shape.slice(0, -1), []) : [];
  const y = graph.empty('attention weights', x.shape, 'f32', x.requiresGrad);
  const uniforms = { rows, width, queries: x.shape.at(-2) ?? 1, causal: Number(causal) };
  graph.byTraits(OPERATION, (traits) => {
    const LANES = lanesFor(width, traits);
    graph.dispatch({
      kernel: kernels.attentionWeights,
      params: { LANES, MASK: mask !== undefined, RANK: axes.length },
      uniforms: {
        ...uniforms,
        maskColumn: maskWidth > 1 ? 1 : 0,
        ...Object.fromEntries(
          axes.flatMap(({ size, a }, i) => [
            [`size${i}`, size],
            [`mask${i}`, a * maskWidth],
          ]),
        ),
      },
      bindings: { x, y, ...(mask ? { mask } : {}) },
      workgroups: workgroupRow(Math.ceil((rows * LANES) / 64)),
    });
  });
  graph.record('attention weights', [y], (gradients) => {
    const dy = gradients.of(y);
    const dx = gradients.into(x);
    if (!dy || !dx) return;
    graph.byTraits(`${OPERATION} backward`, (traits) => {
      const LANES = lanesFor(width, traits);
      graph.dispatch({
        kernel: kernels.attentionWeightsBackward,
        params: { LANES, ACCUMULATE: dx.accumulate },
        uniforms,
        bindings: { y, dy, dx: dx.out },
        workgroups: workgroupRow(Math.ceil((rows * LANES) / 64)),
      });
    });
  });
  return y;
}
