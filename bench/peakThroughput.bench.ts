import type { Engine } from '../src/engine/engine';
import {
  copyProbe,
  dispatchProbe,
  fmaFlops,
  fmaProbe,
  fmaResult,
  matrixFlops,
  matrixProbe,
  subgroupMatrix,
  workgroupBytes,
  workgroupProbe,
  workgroupResult,
  type FmaVariant,
  type ProbeSize,
} from '../bench/peakThroughput';
import { Graph } from '../src/tensor/graph';
import type { TensorProgram } from '../src/tensor/tensorProgram';
import type { Tensor, DType } from '../src/tensor/tensor';
import type { Measure } from './bench';
import type { Ceiling, Ceilings } from './roofline';
import { judgeClock, timeRepeated, timeRuns, type Clock } from './repeatedTiming';

/** One way to try for a ceiling. */
interface Probe {
  readonly name: string;
  /** Appends one dispatch, and returns what it leaves; `before` is what the dispatch before left. */
  readonly record: (graph: Graph, before?: Tensor<DType>) => Tensor<DType>;
  /** What element `index` is after so many dispatches. */
  readonly wanted: (index: number, dispatches: number) => number;
  /** Work of one dispatch: floating-point operations or bytes, or 1. */
  readonly work: number;
}

/** Dispatches of one program. */
const MOST_REPEATS = 512;
/** Long enough that what the host adds, waking up above all, is little. */
const LONG_SECONDS = 0.1;

/**
 * Finds how the GPU is to be timed, then what it can do at most: several probes of each kind, each checked before it is
 * timed, the best of them. Takes some seconds.
 *
 * @throws Error where a probe's result is wrong
 */
export async function measureCeilings(engine: Engine): Promise<Measure> {
  const sizes = sizesFor(engine);
  const clock = await clockOf(engine, fmaProbe32(sizes));
  const best = (probes: readonly Probe[]): Promise<Ceiling> => highest(engine, clock, probes);
  const matrices = matrixProbes(engine);
  const dispatches = await best([DISPATCHES]);
  const ceilings: Ceilings = {
    f32: await best(fmaProbes(sizes, false)),
    ...(engine.device.features.has('shader-f16') ? { f16: await best(fmaProbes(sizes, true)) } : {}),
    ...(matrices.length > 0 ? { subgroupMatrix: await best(matrices) } : {}),
    copy: await best(copyProbes(sizes)),
    workgroup: await best(workgroupProbes(sizes)),
    dispatch: { ...dispatches, value: 1 / (1e3 * dispatches.value) }, // from 10⁹ a second to µs each
  };
  return { clock, ceilings };
}

/** How much of it: enough to fill a large GPU some times over, and on a CPU no more than it takes. */
interface Sizes {
  readonly workgroups: number;
  /** Of arithmetic: see `FmaVariant`. */
  readonly unroll: number;
  /** Rounds of reading workgroup memory, and invocations a workgroup that are tried. */
  readonly rounds: number;
  readonly lanes: readonly number[];
  /** Floats that are copied: more than caches hold. */
  readonly copied: number;
}

function sizesFor({ traits, device }: Engine): Sizes {
  if (traits.software) return { workgroups: 16, unroll: 4, rounds: 128, lanes: [64], copied: 2 ** 22 };
  return {
    workgroups: 8192,
    unroll: 16,
    rounds: 512,
    lanes: [64, 256],
    copied: Math.min(2 ** 25, device.limits.maxStorageBufferBindingSize / 4),
  };
}

function fmaOf(variant: FmaVariant, size: ProbeSize): Probe {
  const { half, width, chains } = variant;
  const result = fmaResult(variant, size);
  return {
    name: `${chains} chains of ${half ? 'f16' : 'f32'}${width > 1 ? `×${width}` : ''}`,
    record: (graph, before) => fmaProbe(graph, variant, size, before),
    wanted: () => result,
    work: fmaFlops(variant, size),
  };
}

const fmaProbe32 = ({ workgroups, unroll }: Sizes): Probe =>
  fmaOf({ half: false, width: 1, chains: 8, unroll }, { workgroups, rounds: 1 });

function fmaProbes({ workgroups, unroll }: Sizes, half: boolean): Probe[] {
  const shapes = half
    ? ([
        [1, 8],
        [2, 8],
        [4, 8],
      ] as const)
    : ([
        [1, 8],
        [1, 16],
        [4, 8],
      ] as const);
  return shapes.map(([width, chains]) => fmaOf({ half, width, chains, unroll }, { workgroups, rounds: 1 }));
}

function matrixProbes(engine: Engine): Probe[] {
  const shape = subgroupMatrix(engine);
  if (!shape) return [];
  const size = { workgroups: 4096, rounds: 64 };
  return [4, 8].map((chains) => ({
    name: `${chains} chains of ${shape.m}×${shape.n}×${shape.k}, f16 into f32`,
    record: (graph, before) => matrixProbe(graph, shape, chains, size, before),
    wanted: () => size.rounds * shape.k,
    work: matrixFlops(shape, chains, size),
  }));
}

function copyProbes({ copied }: Sizes): Probe[] {
  const data = new Float32Array(copied);
  for (let index = 0; index < copied; index++) data[index] = index % 8191;
  return [1, 4].map((each) => ({
    name: `${each} × 16 bytes an invocation`,
    record: (graph, before) => copyProbe(graph, before ?? graph.input('x', [copied], 'f32', data), each),
    wanted: (index) => index % 8191,
    work: 2 * 4 * copied,
  }));
}

function workgroupProbes({ workgroups, rounds, lanes, unroll }: Sizes): Probe[] {
  const size = { workgroups, rounds };
  return lanes.map((count) => {
    const variant = { lanes: count, unroll: unroll / 4 };
    const result = workgroupResult(variant, size);
    return {
      name: `${count} invocations a workgroup`,
      record: (graph, before) => workgroupProbe(graph, variant, size, before),
      wanted: () => result,
      work: workgroupBytes(variant, size),
    };
  });
}

const DISPATCHES: Probe = {
  name: 'each waiting for the one before',
  record: dispatchProbe,
  wanted: (_, dispatches) => dispatches,
  work: 1,
};

/** Compiles a probe and checks what it leaves after so many dispatches. */
async function compileProbe(
  engine: Engine,
  { name, record, wanted }: Probe,
  dispatches: number,
): Promise<TensorProgram> {
  const graph = new Graph(engine);
  let result = record(graph);
  for (let done = 1; done < dispatches; done++) result = record(graph, result);
  graph.output(result);
  const program = await graph.compile();
  try {
    program.run();
    const found = await program.read(result);
    // Millions of numbers, so one by one.
    for (let index = 0; index < found.length; index++) {
      const expected = wanted(index, dispatches);
      if (found[index] !== expected)
        throw new Error(`the probe '${name}' leaves ${found[index] ?? 'nothing'} at ${index}, not ${expected}`);
    }
    return program;
  } catch (error) {
    program.dispose();
    throw error;
  }
}

/** Holds one run of about `LONG_SECONDS` against the host's clock. */
async function clockOf(engine: Engine, probe: Probe): Promise<Clock> {
  if (!engine.hasTimestamps) return { kind: 'host clock', note: 'this device has no timestamps' };
  for (let dispatches = 8; ;) {
    const program = await compileProbe(engine, probe, dispatches);
    try {
      const start = performance.now();
      const gpu = await program.runTimed();
      const host = (performance.now() - start) / 1000;
      if (host >= LONG_SECONDS || dispatches === MOST_REPEATS) return judgeClock(gpu, host);
      dispatches = Math.min(MOST_REPEATS, Math.ceil((1.5 * dispatches * LONG_SECONDS) / host));
    } finally {
      program.dispose();
    }
  }
}

/** The highest rate among probes, in 10⁹ a second. */
async function highest(engine: Engine, clock: Clock, probes: readonly Probe[]): Promise<Ceiling> {
  const found: Ceiling[] = [];
  for (const probe of probes) {
    let compiled: { readonly program: TensorProgram; readonly repeats: number } | undefined;
    try {
      const { seconds, spread } = await timeRepeated(async (repetitions) => {
        const repeats = Math.min(MOST_REPEATS, repetitions);
        if (compiled?.repeats !== repeats) {
          compiled?.program.dispose();
          compiled = undefined;
          compiled = { program: await compileProbe(engine, probe, repeats), repeats };
        }
        const runs = Math.ceil(repetitions / repeats);
        return ((await timeRuns(engine, clock, compiled.program, runs)) * repetitions) / (repeats * runs);
      });
      found.push({ value: probe.work / seconds / 1e9, spread, probe: probe.name });
    } finally {
      compiled?.program.dispose();
    }
  }
  return found.reduce((a, b) => (b.value > a.value ? b : a));
}
