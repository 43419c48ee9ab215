import source from '../../shaders/layerNorm.wgsl';
import reduce from '../../shaders/reduce.wgsl';
import { workgroupRow } from '../gpu/recording';
import { kernelsOf } from '../gpu/shader';
import { graphOf, type Graph } from '../tensor/graph';
import { rowsOf, type Shape } from '../tensor/shape';
import type { Gradients } from '../tensor/tape';
import type { Float, Tensor } from '../tensor/tensor';
import { assertAffine } from './groupNorm';
import { assertNumber, assertType } from './patchIndices';
import { lanesFor } from './reduce';

const kernels = kernelsOf(
  'layerNorm',
  source,
  ['layerNormForward', 'layerNormBackward', 'layerNormParameters', 'layerNormReduce'],
  { reduce },
);

/** Whether the mean is taken off, and what names it in messages. */
interface RowNorm {
  readonly label: string;
  readonly RMS: boolean;
  readonly eps: number;
}

/**
 * LayerNorm over the last axis (Ba et al. 2016).
 *
 * @param x [..., D] f32
 * @param weight scale [D]; without it 1
 * @param bias shift [D]; without it 0
 * @returns of x's shape, of the graph's precision: it is what products read
 * @throws EngineError `bad-shape`
 */
export function layerNorm<S extends Shape>(
  x: Tensor<Float, S>,
  weight?: Tensor,
  bias?: Tensor,
  eps = 1e-6,
): Tensor<Float, S> {
  return rowNorm(x, weight, bias, { label: 'layerNorm', RMS: false, eps });
}

/**
 * RMSNorm over the last axis (Zhang and Sennrich 2019): x / √(mean(x²) + eps) · weight.
 *
 * @param x [..., D] f32
 * @param weight scale [D]; without it 1
 * @returns of x's shape, of the graph's precision: it is what products read
 * @throws EngineError `bad-shape`
 */
export function rmsNorm<S extends Shape>(x: Tensor<Float, S>, weight?: Tensor, eps = 1e-6): Tensor<Float, S> {
  return rowNorm(x, weight, undefined, { label: 'rmsNorm', RMS: true, eps });
}

function rowNorm<S extends Shape>(
  x: Tensor<Float, S>,
  gamma: Tensor | undefined,
  beta: Tensor | undefined,
  { label, RMS, eps }: RowNorm,
): Tensor<Float, S> {
  const graph = graphOf(label, x, gamma, beta);
  assertNumber(label, 'eps', eps, 0);
  assertType(label, 'x', x, 'f32');
  const { rows, width } = rowsOf(x.shape);
  assertAffine(label, { weight: gamma, bias: beta }, width);
  const requiresGrad = [x, gamma, beta].some((input) => input?.requiresGrad);
  const y = graph.empty(label, x.shape, graph.precision, requiresGrad);
  const mean = RMS ? {} : { mean: graph.empty('layerNorm mean', [rows]) };
  const rstd = graph.empty('layerNorm rstd', [rows]);
  const WEIGHT = gamma !== undefined;
  const scale = gamma ? { gamma } : {};
  graph.byTraits(label, (traits) => {
    const LANES = lanesFor(width, traits);
    graph.dispatch({
      kernel: kernels.layerNormForward,
      params: { LANES, HALF: y.dtype === 'f16', RMS, WEIGHT, BIAS: beta !== undefined },
      uniforms: { rows, width, eps },
      bindings: { x, ...scale, ...(beta ? { beta } : {}), y, ...mean, rstd },
      workgroups: workgroupRow(Math.ceil((rows * LANES) / 64)),
    });
  });
  graph.record(label, [y], (gradients) => {
    const dy = gradients.of(y);
    if (!dy) return;
    const HALF = dy.dtype === 'f16';
    recordParameters(graph, { x, rstd, dy, ...mean }, { gamma, beta }, gradients);
    const dx = gradients.into(x);
    if (!dx) return;
    graph.byTraits(`${label} backward`, (traits) => {
      const LANES = lanesFor(width, traits);
      graph.dispatch({
        kernel: kernels.layerNormBackward,
        params: { LANES, HALF, RMS, WEIGHT, ACCUMULATE: dx.accumulate },
        uniforms: { rows, width },
        bindings: { x, ...scale, ...mean, rstd, dy, dx: dx.out },
        workgroups: workgroupRow(Math.ceil((rows * LANES) / 64)),
      });
    });
  });
  return y;
}

/** Appends the gradients of scale and shift. */
function recordParameters(
  graph: Graph,
  operands: { readonly x: Tensor; readonly rstd: Tensor; readonly dy: Tensor; readonly mean?: Tensor },
  { gamma, beta }: { readonly gamma: Tensor | undefined; readonly beta: Tensor | undefined },
  gradients: Gradients,
): void {
  const dGamma = gamma && gradients.into(gamma);
  const dBeta = beta && gradients.into(beta);
  if (!dGamma && !dBeta) return;
  const { rows, width } = rowsOf(operands.x.shape);
  // About √rows blocks of about √rows rows: both passes have work for many invocations.
  const blocks = Math.min(256, Math.ceil(Math.sqrt(rows)));
  const partials = graph.empty('layerNorm partials', [blocks, 2, width]);
  graph.dispatch({
    kernel: kernels.layerNormParameters,
    params: { HALF: operands.dy.dtype === 'f16', RMS: operands.mean === undefined },
    uniforms: { rows, width, rowsPerBlock: Math.ceil(rows / blocks) },
    bindings: { ...operands, partials },
    workgroups: [Math.ceil(width / 64), blocks],
  });
  const unused = (): Tensor => graph.empty('unused gradient', [width]);
  graph.dispatch({
    kernel: kernels.layerNormReduce,
    params: { ACCUMULATE: dGamma?.accumulate ?? false, ACCUMULATE_BETA: dBeta?.accumulate ?? false },
    uniforms: { width, blocks },
    bindings: { partials, dGamma: dGamma?.out ?? unused(), dBeta: dBeta?.out ?? unused() },
    workgroups: [Math.ceil(width / 64)],
  });
}
