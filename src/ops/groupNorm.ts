import source from '../../shaders/groupNorm.wgsl';
import reduce from '../../shaders/reduce.wgsl';
import { EngineError } from '../gpu/errors';
import { workgroupRow } from '../gpu/recording';
import { kernelsOf } from '../gpu/shader';
import { graphOf, type Graph } from '../tensor/graph';
import { formatShape, matchShape, sizeOf, type Shape } from '../tensor/shape';
import type { Gradients } from '../tensor/tape';
import type { Tensor } from '../tensor/tensor';
import { assertNumber, assertType } from './patchIndices';
import { lanesFor } from './reduce';

const kernels = kernelsOf(
  'groupNorm',
  source,
  [
    ...(['groupNormParts', 'groupNormSets', 'groupNormApply', 'groupNormRowSums', 'groupNormSetSums'] as const),
    ...(['groupNormParameters', 'groupNormBackward'] as const),
  ],
  { reduce },
);

/** Elements of a row that are summed together: short sums lose little, and give many workgroups work. */
const PART = 512;
const partsOf = (width: number): number => Math.max(1, Math.ceil(width / PART));

/** Scale and shift of each channel. */
export interface Affine {
  /** Scale [C]. */
  readonly weight?: Tensor | undefined;
  /** Shift [C]. */
  readonly bias?: Tensor | undefined;
}

/** What `groupNorm` may be told. */
export interface GroupNormOptions extends Affine {
  readonly eps?: number;
}

/** What is normalised together, as the shader has it. */
export interface Sets {
  readonly samples: number;
  readonly channels: number;
  /** Elements of a sample's channel. */
  readonly width: number;
  readonly sets: number;
  /** Rows of a set. */
  readonly count: number;
  readonly setStride: number;
  readonly rowStride: number;
  readonly perSet: number;
}

/** Batch, channels and the extents of space taken together. @throws EngineError `bad-shape` without channels */
export function channelsOf(operation: string, shape: Shape): Pick<Sets, 'samples' | 'channels' | 'width'> {
  const [samples, channels, ...space] = shape;
  if (samples !== undefined && channels !== undefined) return { samples, channels, width: sizeOf(space) };
  const what = `${operation}: x has shape ${formatShape(shape)}, not [B, C, ...].`;
  throw new EngineError('bad-shape', what, 'Reshape it.');
}

/** @throws EngineError `bad-shape` unless scale and shift are a number a channel */
export function assertAffine(operation: string, { weight, bias }: Affine, channels: number): void {
  for (const [name, given] of Object.entries({ weight, bias })) {
    if (!given) continue;
    assertType(operation, name, given, 'f32');
    matchShape(operation, name, given.shape, [channels]);
  }
}

/**
 * GroupNorm (Wu and He 2018): each sample's channels are normalised in groups, over their space, then scaled and
 * shifted. With one group it is LayerNorm over all of a sample, with one channel a group InstanceNorm.
 *
 * @param x [B, C, ...] f32
 * @param groups divides C
 * @returns f32, of x's shape
 * @throws EngineError `bad-shape`
 */
export function groupNorm<S extends Shape>(
  x: Tensor<'f32' | 'f16', S>,
  groups: number,
  { weight, bias, eps = 1e-5 }: GroupNormOptions = {},
): Tensor<'f32', S> {
  const graph = graphOf('groupNorm', x, weight, bias);
  assertType('groupNorm', 'x', x, 'f32');
  const { samples, channels, width } = channelsOf('groupNorm', x.shape);
  if (!Number.isInteger(groups) || groups < 1 || channels % groups !== 0) {
    const what = `groupNorm: ${channels} channels do not divide into ${groups} groups.`;
    throw new EngineError('bad-shape', what, 'Give a number of groups that divides the channels.');
  }
  assertNumber('groupNorm', 'eps', eps, 0);
  assertAffine('groupNorm', { weight, bias }, channels);
  if (x.size === groups) {
    const what = `groupNorm: x ${formatShape(x.shape)} has one number a group.`;
    throw new EngineError('bad-shape', what, 'Give fewer groups, or more numbers: one has no variance.');
  }
  const count = channels / groups;
  const form = { setStride: count, rowStride: 1, perSet: count };
  const sets: Sets = { samples, channels, width, sets: samples * groups, count, ...form };
  const statistics = recordStatistics(graph, x, sets, { eps });
  return recordNormalized(graph, 'groupNorm', { x, weight, bias, statistics }, sets, false);
}

/** Appends mean and 1/σ of each set: [2, sets]. @param options.running [C] each, moved by the sets, which are channels */
export function recordStatistics(
  graph: Graph,
  x: Tensor,
  { samples, channels, width, sets, count, setStride, rowStride }: Sets,
  {
    eps,
    momentum = 0,
    running,
  }: {
    readonly eps: number;
    readonly momentum?: number;
    readonly running?: { readonly runningMean: Tensor; readonly runningVar: Tensor } | undefined;
  },
): Tensor {
  const blocks = partsOf(width);
  const total = samples * channels * blocks;
  const parts = graph.empty('norm parts', [total, 2]);
  graph.byTraits('norm parts', (traits) => {
    const LANES = lanesFor(Math.min(width, PART), traits);
    graph.dispatch({
      kernel: kernels.groupNormParts,
      params: { LANES },
      uniforms: { parts: total, blocks, width },
      bindings: { x, parts },
      workgroups: workgroupRow(Math.ceil((total * LANES) / 64)),
    });
  });
  const statistics = graph.empty('norm statistics', [2, sets]);
  graph.byTraits('norm statistics', (traits) => {
    const LANES = lanesFor(count * blocks, traits);
    graph.dispatch({
      kernel: kernels.groupNormSets,
      params: { LANES, RUNNING: running !== undefined },
      uniforms: { sets, count, setStride, rowStride, blocks, width, eps, momentum },
      bindings: { parts, statistics, ...running },
      workgroups: workgroupRow(Math.ceil((sets * LANES) / 64)),
    });
  });
  return statistics;
}

interface Operands extends Affine {
  readonly x: Tensor;
  readonly statistics: Tensor;
}

/**
 * Appends (x − mean) · rstd · weight + bias, and its gradients.
 *
 * @param isFixed whether the statistics are given, so that no gradient flows through them
 */
export function recordNormalized<S extends Shape>(
  graph: Graph,
  label: string,
  { x, weight, bias, statistics }: Operands & { readonly x: Tensor<'f32' | 'f16', S> },
  sets: Sets,
  isFixed: boolean,
): Tensor<'f32', S> {
  const { channels, width, perSet } = sets;
  const requiresGrad = [x, weight, bias].some((operand) => operand?.requiresGrad);
  const y = graph.empty(label, x.shape, 'f32', requiresGrad);
  const place = {
    uniforms: { elements: x.size, width, channels, perSet, sets: sets.sets },
    workgroups: workgroupRow(Math.ceil(x.size / 64)),
  };
  const scale = weight ? { weight } : {};
  graph.dispatch({
    ...place,
    kernel: kernels.groupNormApply,
    params: { WEIGHT: weight !== undefined, BIAS: bias !== undefined },
    bindings: { x, statistics, y, ...scale, ...(bias ? { bias } : {}) },
  });
  graph.record(label, [y], (gradients) => {
    const dy = gradients.of(y);
    if (!dy) return;
    const needsParts = !isFixed || [weight, bias].some((operand) => operand?.requiresGrad);
    const parts = needsParts ? recordRowSums(graph, { x, statistics }, dy, sets) : undefined;
    if (parts) recordParameters(graph, { weight, bias }, parts, sets, gradients);
    const dx = gradients.into(x);
    if (!dx) return;
    const sums = isFixed || !parts ? undefined : recordSetSums(graph, parts, weight, sets);
    graph.dispatch({
      ...place,
      kernel: kernels.groupNormBackward,
      params: { WEIGHT: weight !== undefined, FIXED: sums === undefined, ACCUMULATE: dx.accumulate },
      bindings: { statistics, dy, dx: dx.out, ...scale, ...(sums ? { x, sums } : {}) },
    });
  });
  return y;
}

/** Appends Σ dy and Σ dy · x̂ of each block of a row: [rows · blocks, 2]. */
function recordRowSums(graph: Graph, { x, statistics }: Operands, dy: Tensor, of: Sets): Tensor {
  const { samples, channels, width, perSet, sets } = of;
  const blocks = partsOf(width);
  const total = samples * channels * blocks;
  const parts = graph.empty('norm row sums', [total, 2]);
  graph.byTraits('norm backward', (traits) => {
    const LANES = lanesFor(Math.min(width, PART), traits);
    graph.dispatch({
      kernel: kernels.groupNormRowSums,
      params: { LANES },
      uniforms: { parts: total, blocks, width, perSet, sets },
      bindings: { x, statistics, dy, parts },
      workgroups: workgroupRow(Math.ceil((total * LANES) / 64)),
    });
  });
  return parts;
}

/** Appends mean(g) and mean(g · x̂) of each set: [2, sets]. */
function recordSetSums(graph: Graph, parts: Tensor, weight: Tensor | undefined, of: Sets): Tensor {
  const { sets, count, setStride, rowStride, width, channels } = of;
  const blocks = partsOf(width);
  const sums = graph.empty('norm set sums', [2, sets]);
  graph.byTraits('norm backward', (traits) => {
    const LANES = lanesFor(count * blocks, traits);
    graph.dispatch({
      kernel: kernels.groupNormSetSums,
      params: { LANES, WEIGHT: weight !== undefined },
      uniforms: { sets, count, setStride, rowStride, blocks, width, channels },
      bindings: { parts, sums, ...(weight ? { weight } : {}) },
      workgroups: workgroupRow(Math.ceil((sets * LANES) / 64)),
    });
  });
  return sums;
}

function recordParameters(
  graph: Graph,
  { weight, bias }: Affine,
  parts: Tensor,
  { samples, channels, width }: Sets,
  gradients: Gradients,
): void {
  const dWeight = weight && gradients.into(weight);
  const dBias = bias && gradients.into(bias);
  if (!dWeight && !dBias) return;
  const blocks = partsOf(width);
  const unused = (): Tensor => graph.empty('unused gradient', [channels]);
  const bindings = { parts, dWeight: dWeight?.out ?? unused(), dBias: dBias?.out ?? unused() };
  graph.byTraits('norm backward', (traits) => {
    const LANES = lanesFor(samples * blocks, traits);
    graph.dispatch({
      kernel: kernels.groupNormParameters,
      params: {
        LANES,
        ACCUMULATE_WEIGHT: dWeight?.accumulate ?? false,
        ACCUMULATE_BIAS: dBias?.accumulate ?? false,
      },
      uniforms: { channels, count: samples, blocks },
      bindings,
      workgroups: workgroupRow(Math.ceil((channels * LANES) / 64)),
    });
  });
}
