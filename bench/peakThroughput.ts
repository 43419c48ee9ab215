import source from '../shaders/peakThroughput.wgsl';
import type { Engine } from '../src/engine/engine';
import { workgroupRow } from '../src/gpu/recording';
import { kernelsOf } from '../src/gpu/shader';
import type { Graph } from '../src/tensor/graph';
import type { Tensor, DType } from '../src/tensor/tensor';

const kernels = kernelsOf('peakThroughput', source, [
  'peakFma',
  'peakMatrix',
  'peakCopy',
  'peakWorkgroup',
  'peakDispatch',
]);

const WORKGROUP = 256;

/** How multiply-adds are laid out: elements of a register, and registers. */
export interface FmaVariant {
  readonly half: boolean;
  readonly width: 1 | 2 | 4;
  readonly chains: number;
  /** Operations of a chain between two turns of the loop, a divisor of 1024: many on a GPU, few where compiling is slow. */
  readonly unroll: number;
}

/**
 * How much of it: of `fmaProbe`, rounds of 1024 multiply-adds an element (in f16, `rounds` + `chains` + 1024 must stay within
 * 2048); of `matrixProbe`, a product a chain; of `workgroupProbe`, 4 · unroll reads.
 */
export interface ProbeSize {
  readonly workgroups: number;
  readonly rounds: number;
}

/** Floating-point operations of `fmaProbe`: a product and a sum count as two. */
export const fmaFlops = ({ width, chains }: FmaVariant, { workgroups, rounds }: ProbeSize): number =>
  2 * workgroups * WORKGROUP * rounds * 1024 * width * chains;

/** What every element of `fmaProbe` is. */
export const fmaResult = ({ width, chains }: FmaVariant, { rounds }: ProbeSize): number =>
  width * chains * (1 + rounds) + (width * chains * (chains - 1)) / 2;

/*
 * Probes that are dispatched again and again are given what the dispatch before returned: they write to the same memory, or
 * nothing would need the ones before the last, and they would be dropped.
 */

/** @returns [workgroups · 256] f32, each `fmaResult` */
export function fmaProbe(
  graph: Graph,
  variant: FmaVariant,
  { workgroups, rounds }: ProbeSize,
  before?: Tensor<DType>,
): Tensor<DType> {
  const out = before ?? graph.empty('fma', [workgroups * WORKGROUP]);
  const { half: HALF, width: WIDTH, chains: CHAINS, unroll: UNROLL } = variant;
  graph.dispatch({
    kernel: kernels.peakFma,
    params: { HALF, WIDTH, CHAINS, UNROLL },
    uniforms: { rounds, factor: 1, term: 1, drop: 1023 },
    bindings: { out },
    workgroups: [workgroups],
  });
  return out;
}

/** Sizes of the matrices that a subgroup multiplies: f16 into f32. */
export interface MatrixShape {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** Invocations of a subgroup. */
  readonly lanes: number;
}

/** The matrices that this device multiplies; undefined where there are none. */
export function subgroupMatrix({ traits: { matrixUnit }, info }: Engine): MatrixShape | undefined {
  return matrixUnit && { m: matrixUnit.M, n: matrixUnit.N, k: matrixUnit.K, lanes: info.subgroupMaxSize ?? 32 };
}

/** Floating-point operations of `matrixProbe`. */
export const matrixFlops = ({ m, n, k }: MatrixShape, chains: number, { workgroups, rounds }: ProbeSize): number =>
  2 * m * n * k * chains * workgroups * rounds;

/** @returns [workgroups, chains, m, n] f32, each rounds · k */
export function matrixProbe(
  graph: Graph,
  { m, n, k, lanes }: MatrixShape,
  chains: number,
  { workgroups, rounds }: ProbeSize,
  before?: Tensor<DType>,
): Tensor<DType> {
  const count = Math.max(m, n) * k;
  const ones = graph.input('ones', [count], 'f16', new Float32Array(count).fill(1));
  const out = before ?? graph.empty('matrix', [workgroups, chains, m, n]);
  graph.dispatch({
    kernel: kernels.peakMatrix,
    params: { M: m, N: n, K: k, CHAINS: chains, LANES: lanes },
    uniforms: { rounds },
    bindings: { ones, out },
    workgroups: [workgroups],
  });
  return out;
}

/**
 * @param x of a multiple of four elements
 * @param each vectors of four that an invocation copies
 * @returns a copy of `x`
 */
export function copyProbe(graph: Graph, x: Tensor<DType>, each: number): Tensor {
  const y = graph.empty('copy', x.shape);
  const count = x.size / 4;
  graph.dispatch({
    kernel: kernels.peakCopy,
    params: { EACH: each },
    uniforms: { count },
    bindings: { x, y },
    workgroups: workgroupRow(Math.ceil(count / each / WORKGROUP)),
  });
  return y;
}

/** How workgroup memory is read: by so many invocations a workgroup, each 4 · unroll vectors of 16 bytes a turn of the loop. */
export interface WorkgroupVariant {
  readonly lanes: number;
  readonly unroll: number;
}

/** Bytes that `workgroupProbe` reads from workgroup memory. */
export const workgroupBytes = ({ lanes, unroll }: WorkgroupVariant, { workgroups, rounds }: ProbeSize): number =>
  workgroups * lanes * rounds * 4 * unroll * 16;

/** What every element of `workgroupProbe` is. */
export const workgroupResult = ({ unroll }: WorkgroupVariant, { rounds }: ProbeSize): number => 16 * unroll * rounds;

/** @returns [workgroups · lanes] f32, each `workgroupResult` */
export function workgroupProbe(
  graph: Graph,
  { lanes, unroll }: WorkgroupVariant,
  { workgroups, rounds }: ProbeSize,
  before?: Tensor<DType>,
): Tensor<DType> {
  const out = before ?? graph.empty('workgroup', [workgroups * lanes]);
  graph.dispatch({
    kernel: kernels.peakWorkgroup,
    params: { LANES: lanes, UNROLL: unroll },
    uniforms: { rounds, one: 1 },
    bindings: { out },
    workgroups: [workgroups],
  });
  return out;
}

/** @returns [1] u32: the number of such dispatches so far, each of which waits for the one before */
export function dispatchProbe(graph: Graph, before?: Tensor<DType>): Tensor<DType> {
  const count = before ?? graph.empty('count', [1], 'u32');
  graph.dispatch({
    kernel: kernels.peakDispatch,
    uniforms: { first: before ? 0 : 1 },
    bindings: { count },
    workgroups: [1],
  });
  return count;
}
