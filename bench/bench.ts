import type { Engine } from '../src/gpu/engine';
import { Graph } from '../src/tensor/graph';
import type { Tensor } from '../src/tensor/tensor';
import { expectClose, random, type Reference, type References } from '../kernels-test/compare';

/** One shape of an operation to time. Inputs are random; the result is checked before anything is timed. */
export interface BenchCase {
  readonly name: string;
  readonly inputs: Readonly<Record<string, readonly number[]>>;
  readonly operation: (graph: Graph, inputs: Readonly<Record<string, Tensor>>) => Readonly<Record<string, Tensor>>;
  /** The operation's reference in float64. */
  readonly forward: (inputs: never) => References;
  /** Times forward and backward together where set. */
  readonly backward?: boolean;
  /** Floating-point operations, and bytes that must at least be moved, of what is timed. */
  readonly flops: number;
  readonly bytes: number;
  readonly tolerance?: number;
}

export interface BenchSuite {
  readonly kernel: string;
  readonly cases: readonly BenchCase[];
}

export interface BenchResult {
  readonly kernel: string;
  readonly name: string;
  readonly microseconds: number;
  /** Half the distance between the quartiles, over the median. */
  readonly spread: number;
  readonly gflops: number;
  readonly gigabytes: number;
}

const SAMPLES = 7;
const SAMPLE_SECONDS = 0.02;
/** Browsers round their clock to so much, and may say that no time went by. */
const CLOCK_SECONDS = 1e-4;
const MOST_REPETITIONS = 2 ** 14;
/** Dispatches of one program. */
const MOST_REPEATS = 512;
/** What a program may read and write: more than caches hold, and no more than WebGPU's default limits allow. */
const MOST_BYTES = 2 ** 28;

/** Checks a case's result against its reference, then times it: several repetitions a sample, ≥ 20 ms, the median. */
export async function runBench(engine: Engine, kernel: string, test: BenchCase): Promise<BenchResult> {
  await check(engine, test);
  let repetitions = 1;
  let seconds = await time(engine, test, repetitions);
  while (seconds < SAMPLE_SECONDS && repetitions < MOST_REPETITIONS) {
    const enough = Math.ceil((repetitions * SAMPLE_SECONDS * 1.2) / Math.max(seconds, CLOCK_SECONDS));
    repetitions = Math.min(MOST_REPETITIONS, Math.max(repetitions * 2, enough));
    seconds = await time(engine, test, repetitions);
  }
  const samples = (await timeSamples(engine, test, repetitions, SAMPLES)).sort((a, b) => a - b);
  const quantile = (q: number): number => samples[Math.round(q * (samples.length - 1))] as number;
  const median = quantile(0.5);
  return {
    kernel,
    name: test.name,
    microseconds: median * 1e6,
    spread: (quantile(0.75) - quantile(0.25)) / 2 / median,
    gflops: test.flops / median / 1e9,
    gigabytes: test.bytes / median / 1e9,
  };
}

function inputReferences({ inputs }: BenchCase): Record<string, Reference> {
  return Object.fromEntries(Object.entries(inputs).map(([name, shape], index) => [name, random(shape, index + 1)]));
}

/** Records `repeats` runs of the operation, all on the same inputs; each keeps its results as outputs of the graph. */
function record(engine: Engine, test: BenchCase, repeats: number): { graph: Graph; outputs: Record<string, Tensor>[] } {
  const graph = new Graph(engine);
  const outputs: Record<string, Tensor>[] = [];
  const given = Object.entries(inputReferences(test)).map(
    ([name, { shape, data }]) => ({ name, shape, data: Float32Array.from(data) }),
  );
  for (let repeat = 0; repeat < repeats; repeat++) {
    const inputs = Object.fromEntries(
      given.map(({ name, shape, data }) => [name, graph.input(name, shape, 'f32', data, test.backward ?? false)]),
    );
    const results = { ...test.operation(graph, inputs) };
    if (test.backward) {
      for (const result of Object.values(results)) {
        const ones = graph.input('ones', result.shape, 'f32', new Float32Array(result.size).fill(1));
        if (result.requiresGrad) graph.backward(result, ones);
      }
      for (const [name, input] of Object.entries(inputs)) results[`d ${name}`] = graph.gradientOf(input);
    }
    outputs.push(results);
  }
  for (const results of outputs) graph.output(...Object.values(results));
  return { graph, outputs };
}

async function check(engine: Engine, test: BenchCase): Promise<void> {
  const { graph, outputs } = record(engine, test, 1);
  const program = await graph.compile();
  try {
    program.run();
    for (const [name, reference] of Object.entries(test.forward(inputReferences(test) as never))) {
      const result = outputs[0]?.[name];
      if (!result) throw new Error(`no output ${name}`);
      expectClose(name, await program.read(result), reference.data, test.tolerance ?? 2e-6);
    }
  } finally {
    program.dispose();
  }
}

/**
 * The seconds that one of `repetitions` takes, by sample. Each has inputs and outputs of its own, up to what one program
 * may hold; from there on, the program runs several times.
 */
async function timeSamples(engine: Engine, test: BenchCase, repetitions: number, samples: number): Promise<number[]> {
  const most = Math.max(1, Math.min(MOST_REPEATS, Math.floor(MOST_BYTES / test.bytes)));
  const repeats = Math.min(most, repetitions);
  const runs = Math.ceil(repetitions / repeats);
  const { graph } = record(engine, test, repeats);
  const program = await graph.compile();
  try {
    program.run();
    await engine.settle();
    const seconds: number[] = [];
    for (let sample = 0; sample < samples; sample++) {
      const start = performance.now();
      for (let run = 0; run < runs; run++) program.run();
      await engine.settle();
      seconds.push((performance.now() - start) / 1000 / (repeats * runs));
    }
    return seconds;
  } finally {
    program.dispose();
  }
}

/** The seconds that so many repetitions take together. */
async function time(engine: Engine, test: BenchCase, repetitions: number): Promise<number> {
  const [each = 0] = await timeSamples(engine, test, repetitions, 1);
  return each * repetitions;
}
