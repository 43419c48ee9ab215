import source from '../../shaders/splitKReduce.wgsl';
import { workgroupRow } from '../gpu/recording';
import { kernelsOf } from '../gpu/shader';
import { overlap, Slice } from '../gpu/storage';
import type { Graph } from '../tensor/graph';
import type { Tensor } from '../tensor/tensor';

const kernels = kernelsOf('splitKReduce', source, ['splitKReduce']);

/** Pairs that the kernel takes at most: more are no gain. */
const MAX_PAIRS = 8;

/** Where a sum goes: in place of what is there, or on top of it. */
export interface Target {
  readonly out: Tensor;
  readonly accumulate: boolean;
}

/** Partial sums, and where their sum goes. */
export interface PartialSums extends Target {
  /** [splits, stride]: `out` is the sum of these rows, or of a part of them. */
  readonly partials: Tensor;
  readonly splits: number;
  /** Where that part begins in a row. */
  readonly first?: number;
  /** Into how many sums the splits are dealt out, which are added as a tree: 1, in the order of splits, or 16. */
  readonly lanes?: 1 | 16;
}

/** Sums of gradients of parameters that wait for more of their kind. */
const waiting = new WeakMap<Graph, readonly PartialSums[]>();

/**
 * Appends out (+)= Σ_s partials[s] of each. Sums that go to memory which outlives the program, such as gradients of
 * parameters, wait until something reads them, so that several are made in one dispatch: their bits stay the same.
 */
export function recordSplitKReduce(graph: Graph, ...sums: readonly PartialSums[]): void {
  for (const sum of sums) {
    if (!(sum.out.storage instanceof Slice)) {
      dispatchSums(graph, [sum]);
      continue;
    }
    if (!joins(graph, sum)) graph.settle();
    const together = [...(waiting.get(graph) ?? []), sum];
    waiting.set(graph, together);
    graph.defer({
      touched: together.flatMap(({ partials, out }) => [partials, out]),
      record: () => {
        waiting.delete(graph);
        dispatchSums(graph, together);
      },
    });
  }
}

/** Whether a sum may be made in the dispatch of those that wait. */
function joins(graph: Graph, sum: PartialSums): boolean {
  const others = waiting.get(graph) ?? [];
  const bindings = 2 * others.length + 2;
  if (bindings > Math.min(2 * MAX_PAIRS, graph.engine.device.limits.maxStorageBuffersPerShaderStage)) return false;
  return others.every((other) => isVec(other) === isVec(sum) && !overlap(other.out.storage, sum.out.storage));
}

const strideOf = ({ partials, splits }: PartialSums): number => partials.size / Math.max(1, splits);

function isVec(sum: PartialSums): boolean {
  return [sum.out.size, strideOf(sum), sum.first ?? 0].every((size) => size % 4 === 0);
}

function dispatchSums(graph: Graph, sums: readonly PartialSums[]): void {
  const VEC = sums.every(isVec);
  const four = VEC ? 4 : 1;
  const uniforms: Record<string, number> = {};
  const bindings: Record<string, Tensor> = {};
  let ACCUMULATE = 0;
  let end = 0;
  for (const [pair, sum] of sums.entries()) {
    const { partials, splits, out, accumulate, first = 0, lanes = 1 } = sum;
    const cells = out.size / four;
    end += Math.ceil((cells * lanes) / 64);
    const sizes = { end, splits, cells, stride: strideOf(sum) / four, first: first / four, lanes };
    for (const [name, size] of Object.entries(sizes)) uniforms[`${name}${pair}`] = size;
    bindings[`partials${pair}`] = partials;
    bindings[`out${pair}`] = out;
    if (accumulate) ACCUMULATE += 2 ** pair;
  }
  graph.dispatch({
    kernel: kernels.splitKReduce,
    params: { PAIRS: sums.length, VEC, OUT16: sums[0]?.out.dtype === 'f16', ACCUMULATE },
    uniforms,
    bindings,
    workgroups: workgroupRow(end),
  });
}
