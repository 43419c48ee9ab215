import cells from '../../shaders/layerNorm/cells.wgsl';
import common from '../../shaders/layerNorm/common.wgsl';
import plain from '../../shaders/layerNorm/plain.wgsl';
import reduce from '../../shaders/reduce.wgsl';
import type { DeviceTraits } from '../gpu/deviceTraits';
import { workgroupRow } from '../gpu/recording';
import { kernelsOf } from '../gpu/shader';
import { graphOf, type Graph } from '../tensor/graph';
import { rowsOf, type Shape } from '../tensor/shape';
import type { Float, Tensor } from '../tensor/tensor';
import { assertAffine } from './groupNorm';
import { assertNumber, assertType } from './patchIndices';
import { lanesFor } from './reduce';
import { recordSplitKReduce, type PartialSums, type Target } from './splitKReduce';

const kernels = kernelsOf(
  'layerNorm',
  { common, plain, cells },
  [
    ...(['layerNormForward', 'layerNormBackward', 'layerNormParameters'] as const),
    ...(['layerNormCellsForward', 'layerNormCellsBackward'] as const),
  ],
  { reduce },
);

/** Cells that an invocation keeps in registers, and invocations of the largest workgroup that every device has. */
const MAX_CELLS = 4;
const MAX_GROUP = 256;

/** Blocks of rows whose sums of dγ and dβ are kept: enough to fill a GPU, and few beside the rows. */
const MAX_BLOCKS = 1024;
/** Times that a workgroup takes rows, at least: its sums are as much memory as two rows. */
const MIN_ROUNDS = 4;

/** How rows are shared out to invocations, where they are whole cells of four: see cells.wgsl. */
interface CellLayout {
  readonly LANES: number;
  readonly CELLS: number;
  readonly GROUP: number;
}

/** Undefined where the reference kernels are to run. */
function cellLayout(width: number, { software, plain: reference }: DeviceTraits): CellLayout | undefined {
  const CELLS = width / 4;
  if (software || reference || !Number.isInteger(CELLS) || CELLS === 0 || CELLS > MAX_CELLS * MAX_GROUP)
    return undefined;
  let LANES = 1;
  while (LANES * MAX_CELLS < CELLS) LANES *= 2;
  return { LANES, CELLS, GROUP: Math.max(64, LANES) };
}

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
    const layout = cellLayout(width, traits);
    const params = { HALF: y.dtype === 'f16', RMS, WEIGHT, BIAS: beta !== undefined };
    const bindings = { x, ...scale, ...(beta ? { beta } : {}), y, ...mean, rstd };
    if (layout) {
      graph.dispatch({
        kernel: kernels.layerNormCellsForward,
        params: { ...params, ...layout },
        uniforms: { rows, eps },
        bindings,
        workgroups: workgroupRow(Math.ceil((rows * layout.LANES) / layout.GROUP)),
      });
      return;
    }
    const LANES = lanesFor(width, traits);
    graph.dispatch({
      kernel: kernels.layerNormForward,
      params: { ...params, LANES },
      uniforms: { rows, width, eps },
      bindings,
      workgroups: workgroupRow(Math.ceil((rows * LANES) / 64)),
    });
  });
  graph.record(label, [y], (gradients) => {
    const dy = gradients.of(y);
    if (!dy) return;
    const dGamma = gamma && gradients.into(gamma);
    const dBeta = beta && gradients.into(beta);
    const dx = gradients.into(x);
    const operands = { x, ...scale, ...mean, rstd, dy };
    graph.byTraits(`${label} backward`, (traits) => {
      const layout = dx && cellLayout(width, traits);
      if (layout) {
        recordCellsBackward(graph, operands, { dx, dGamma, dBeta }, layout);
        return;
      }
      if (dGamma || dBeta) recordParameters(graph, operands, { dGamma, dBeta });
      if (dx) recordInput(graph, operands, dx, lanesFor(width, traits));
    });
  });
  return y;
}

/** What gradients are made of. */
interface BackwardOperands {
  readonly x: Tensor;
  readonly gamma?: Tensor;
  readonly mean?: Tensor;
  readonly rstd: Tensor;
  readonly dy: Tensor;
}

/** Where the gradients of scale and shift go. */
interface ParameterTargets {
  readonly dGamma: Target | undefined;
  readonly dBeta: Target | undefined;
}

/** Appends all gradients in one pass over x and dy, and the sum of what blocks of rows leave of those of scale and shift. */
function recordCellsBackward(
  graph: Graph,
  operands: BackwardOperands,
  { dx, dGamma, dBeta }: ParameterTargets & { readonly dx: Target },
  layout: CellLayout,
): void {
  const { rows, width } = rowsOf(operands.x.shape);
  const PARAMETERS = dGamma !== undefined || dBeta !== undefined;
  const atOnce = layout.GROUP / layout.LANES;
  const rounds = PARAMETERS ? Math.max(MIN_ROUNDS, Math.ceil(rows / atOnce / MAX_BLOCKS)) : 1;
  const rowsPerBlock = atOnce * rounds;
  const blocks = Math.ceil(rows / rowsPerBlock);
  const partials = PARAMETERS ? graph.empty('layerNorm partials', [blocks, 2, width]) : undefined;
  graph.dispatch({
    kernel: kernels.layerNormCellsBackward,
    params: { ...layout, ...paramsOf(operands), PARAMETERS, ACCUMULATE: dx.accumulate },
    uniforms: { rows, rowsPerBlock },
    bindings: { ...operands, ...(partials ? { partials } : {}), dx: dx.out },
    workgroups: workgroupRow(blocks),
  });
  if (partials) recordSplitKReduce(graph, ...sumsOf(partials, { dGamma, dBeta }, 16));
}

function paramsOf({ dy, gamma, mean }: BackwardOperands): { HALF: boolean; RMS: boolean; WEIGHT: boolean } {
  return { HALF: dy.dtype === 'f16', RMS: mean === undefined, WEIGHT: gamma !== undefined };
}

/** What becomes of the sums of blocks, [blocks, 2, D]. */
function sumsOf(partials: Tensor, { dGamma, dBeta }: ParameterTargets, lanes: 1 | 16): PartialSums[] {
  const [splits = 0, , width = 0] = partials.shape;
  return [dGamma, dBeta].flatMap((target, which) =>
    target ? [{ ...target, partials, splits, first: which * width, lanes }] : [],
  );
}

/** Appends the gradient of x by the reference kernel. */
function recordInput(graph: Graph, operands: BackwardOperands, dx: Target, LANES: number): void {
  const { rows, width } = rowsOf(operands.x.shape);
  graph.dispatch({
    kernel: kernels.layerNormBackward,
    params: { LANES, ...paramsOf(operands), ACCUMULATE: dx.accumulate },
    uniforms: { rows, width },
    bindings: { ...operands, dx: dx.out },
    workgroups: workgroupRow(Math.ceil((rows * LANES) / 64)),
  });
}

/** Appends the gradients of scale and shift by the reference kernels. */
function recordParameters(graph: Graph, operands: BackwardOperands, targets: ParameterTargets): void {
  const { x, mean, rstd, dy } = operands;
  const { rows, width } = rowsOf(x.shape);
  // About √rows blocks of about √rows rows: both passes have work for many invocations.
  const blocks = Math.min(256, Math.ceil(Math.sqrt(rows)));
  const partials = graph.empty('layerNorm partials', [blocks, 2, width]);
  const { HALF, RMS } = paramsOf(operands);
  graph.dispatch({
    kernel: kernels.layerNormParameters,
    params: { HALF, RMS },
    uniforms: { rows, width, rowsPerBlock: Math.ceil(rows / blocks) },
    bindings: { x, rstd, dy, ...(mean ? { mean } : {}), partials },
    workgroups: [Math.ceil(width / 64), blocks],
  });
  recordSplitKReduce(graph, ...sumsOf(partials, targets, 1));
}
