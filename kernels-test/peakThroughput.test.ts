import {
  copyProbe,
  dispatchProbe,
  fmaProbe,
  fmaResult,
  matrixProbe,
  subgroupMatrix,
  workgroupProbe,
  type FmaVariant,
} from '../bench/peakThroughput';
import type { Engine } from '../src/engine/engine';
import { Graph } from '../src/tensor/graph';
import type { Tensor, DType } from '../src/tensor/tensor';
import { expectClose, random } from './allclose';
import { suite, type KernelTest } from './suite';

/** A probe that must leave exactly these numbers: the sums are whole and small, so nothing is rounded. */
function probeTest(
  name: string,
  record: (graph: Graph) => Tensor<DType> | undefined,
  wanted: (size: number) => ArrayLike<number>,
): KernelTest {
  return {
    name,
    run: async (engine: Engine) => {
      const graph = new Graph(engine);
      const result = record(graph);
      if (!result) return; // this device has no such unit
      graph.output(result);
      const program = await graph.compile();
      try {
        program.run();
        program.run(); // as benches do: what a run leaves must not reach into the next
        expectClose('result', await program.read(result), wanted(result.size), 0);
      } finally {
        program.dispose();
      }
    },
  };
}

const all = (value: number) => (size: number) => new Float64Array(size).fill(value);

const VARIANTS: readonly FmaVariant[] = [false, true].flatMap((half) => [
  { half, width: 1, chains: 8, unroll: 16 },
  { half, width: 2, chains: 8, unroll: 4 },
  { half, width: 4, chains: 16, unroll: 1 },
]);

function repeated(count: number, record: (before?: Tensor<DType>) => Tensor<DType>): Tensor<DType> {
  let result = record();
  for (let done = 1; done < count; done++) result = record(result);
  return result;
}

const x = random([4 * 1025], 1);

export default suite('peakThroughput', [
  ...VARIANTS.flatMap((variant) =>
    [1, 3].map((rounds) =>
      probeTest(
        `${variant.half ? 'f16' : 'f32'}, ${variant.chains} chains of ${variant.width}, ${rounds} rounds`,
        (graph) =>
          variant.half && !graph.engine.device.features.has('shader-f16')
            ? undefined
            : fmaProbe(graph, variant, { workgroups: 2, rounds }),
        all(fmaResult(variant, { workgroups: 2, rounds })),
      ),
    ),
  ),
  {
    name: 'subgroup matrices, where there are any',
    run: async (engine) => {
      const shape = subgroupMatrix(engine);
      if (!shape) return;
      await probeTest('', (graph) => matrixProbe(graph, shape, 4, { workgroups: 3, rounds: 5 }), all(5 * shape.k)).run(
        engine,
      );
    },
  },
  ...[1, 4].map((each) =>
    probeTest(
      `copy, ${each} vectors an invocation`,
      (graph) =>
        copyProbe(graph, copyProbe(graph, graph.input('x', x.shape, 'f32', Float32Array.from(x.data)), each), each),
      () => x.data,
    ),
  ),
  ...[64, 256].flatMap((lanes) =>
    [1, 33].map((rounds) =>
      probeTest(
        `workgroup memory, ${lanes} invocations, ${rounds} rounds`,
        (graph) => workgroupProbe(graph, { lanes, unroll: lanes / 64 }, { workgroups: 3, rounds }),
        all(16 * (lanes / 64) * rounds),
      ),
    ),
  ),
  ...[1, 65].map((count) =>
    probeTest(`${count} dispatches`, (graph) => repeated(count, (before) => dispatchProbe(graph, before)), all(count)),
  ),
]);
