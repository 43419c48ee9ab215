import type { Engine } from '../src/engine/engine';
import { Graph } from '../src/tensor/graph';
import type { TensorProgram } from '../src/tensor/tensorProgram';
import { takesGradients, type Tensor, type DType } from '../src/tensor/tensor';
import { checkCase, inputReferences, upstream, type CheckedCase, type Recorded } from './check';
import { rowOf, type BenchResult, type Ceilings, type Rate } from './roofline';
import { timeRepeated, timeRuns, type Clock } from './repeatedTiming';

/** One shape of an operation to time. Inputs are random; the result is checked before anything is timed. */
export interface BenchCase extends CheckedCase {
  readonly name: string;
  readonly operation: (
    inputs: Readonly<Record<string, Tensor>>,
    graph: Graph,
  ) => Readonly<Record<string, Tensor<DType>>>;
  /** Floating-point operations, and bytes that must at least be moved, of what is timed. */
  readonly flops: number;
  readonly bytes: number;
  /** The ceiling of its arithmetic; f32 by default. */
  readonly rate?: Rate;
}

export interface BenchSuite {
  readonly kernel: string;
  readonly cases: readonly BenchCase[];
}

/** What results are measured with, and against. */
export interface Measure {
  readonly clock: Clock;
  readonly ceilings: Ceilings;
}

/** Dispatches of one program. */
const MOST_REPEATS = 512;
/** What a program may read and write: more than caches hold, and no more than WebGPU's default limits allow. */
const MOST_BYTES = 2 ** 28;

/** Work that a software adapter would sit over for seconds a run, and a GPU is there for. */
const LARGE = { flops: 4e9, bytes: 2 ** 28 };

/** Whether a case is one for GPUs alone. */
export function isLarge({ flops, bytes }: Pick<BenchCase, 'flops' | 'bytes'>): boolean {
  return flops > LARGE.flops || bytes > LARGE.bytes;
}

/** Checks a case's result against its reference, then times it: several repetitions a sample, ≥ 20 ms, the median. */
export async function runBench(
  engine: Engine,
  kernel: string,
  test: BenchCase,
  { clock, ceilings }: Measure,
): Promise<BenchResult> {
  await checkCase(engine, test, () => record(engine, test, 1));
  const most = Math.max(1, Math.min(MOST_REPEATS, Math.floor(MOST_BYTES / test.bytes)));
  let compiled: { readonly program: TensorProgram; readonly repeats: number } | undefined;
  try {
    const timing = await timeRepeated(async (repetitions) => {
      // Each repetition has inputs and outputs of its own, up to what one program may hold; from there on, it runs again.
      const repeats = Math.min(most, repetitions);
      if (compiled?.repeats !== repeats) {
        compiled?.program.dispose();
        compiled = undefined;
        compiled = { program: await record(engine, test, repeats).graph.compile(), repeats };
        compiled.program.run();
        await engine.settle();
      }
      const runs = Math.ceil(repetitions / repeats);
      return ((await timeRuns(engine, clock, compiled.program, runs)) * repetitions) / (repeats * runs);
    });
    return rowOf(kernel, test, timing, ceilings);
  } finally {
    compiled?.program.dispose();
  }
}

/** Records `repeats` runs of the operation, all on the same inputs; each keeps its results as outputs of the graph. */
function record(engine: Engine, test: BenchCase, repeats: number): Recorded {
  const graph = new Graph(engine, { training: true });
  const outputs: Readonly<Record<string, Tensor<DType>>>[] = [];
  const given = Object.entries(inputReferences(test)).map(([name, { shape, data }]) => ({
    name,
    shape,
    data: Float32Array.from(data),
  }));
  const weights = new Map<string, Float32Array>();
  const weightsOf = (name: string, { shape }: Tensor): Float32Array => {
    let data = weights.get(name);
    if (!data) weights.set(name, (data = Float32Array.from(upstream(name, shape).data)));
    return data;
  };
  for (let repeat = 0; repeat < repeats; repeat++) {
    const inputs = Object.fromEntries(
      given.map(({ name, shape, data }) => [name, graph.input(name, shape, 'f32', data, test.backward !== undefined)]),
    );
    const results = { ...test.operation(inputs, graph) };
    if (test.backward) {
      for (const [name, result] of Object.entries(results)) {
        if (!takesGradients(result)) continue;
        graph.backward(result, graph.input(`d ${name}`, result.shape, 'f32', weightsOf(name, result)));
      }
      for (const [name, input] of Object.entries(inputs)) results[`d ${name}`] = graph.gradientOf(input);
    }
    outputs.push(results);
  }
  for (const results of outputs) graph.output(...Object.values(results));
  return { graph, outputs };
}
