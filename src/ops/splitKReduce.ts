import source from '../../shaders/splitKReduce.wgsl';
import { workgroupRow } from '../gpu/recording';
import { kernelsOf } from '../gpu/shader';
import { graphOf } from '../tensor/graph';
import type { Tensor } from '../tensor/tensor';

const kernels = kernelsOf('splitKReduce', source, ['splitKReduce']);

/** Where a sum goes: in place of what is there, or on top of it. */
export interface Target {
  readonly out: Tensor;
  readonly accumulate: boolean;
}

/** Partial sums, and where their sum goes. */
export interface PartialSums extends Target {
  /** [splits, ...out]. */
  readonly partials: Tensor;
}

/** Appends out (+)= Σ_s partials[s] in the order of s; of a second pair of as many splits in the same dispatch. */
export function recordSplitKReduce(splits: number, first: PartialSums, second?: PartialSums): void {
  const graph = graphOf('splitKReduce', first.partials, first.out, second?.partials, second?.out);
  const [count, countSecond] = [first.out.size, second?.out.size ?? 0];
  const VEC = count % 4 === 0 && countSecond % 4 === 0;
  const [cells, cellsSecond] = VEC ? [count / 4, countSecond / 4] : [count, countSecond];
  graph.dispatch({
    kernel: kernels.splitKReduce,
    params: {
      SECOND: second !== undefined,
      OUT16: first.out.dtype === 'f16',
      VEC,
      ACCUMULATE: first.accumulate,
      ACCUMULATE_SECOND: second?.accumulate ?? false,
    },
    uniforms: { splits, cells, cellsSecond },
    bindings: {
      partials: first.partials,
      out: first.out,
      ...(second ? { partialsSecond: second.partials, outSecond: second.out } : {}),
    },
    workgroups: workgroupRow(Math.ceil((cells + cellsSecond) / 64)),
  });
}
