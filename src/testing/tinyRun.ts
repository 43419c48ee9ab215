import type { TrainTest } from '../data/imageSet';
import { makeShapesTrainTest } from '../data/shapes';
import type { ImageGrid } from '../report/imageGrid';
import { readSafetensors } from '../formats/safetensors';
import type { Engine } from '../engine/engine';
import { resolveConfig, type Config, type Phase } from '../imae/config/config';
import type { PartialSettings } from '../imae/config/options';
import { runTraining } from '../imae/train/run';
import type { ResumePoint, RunOptions, RunResult, RunStore, RunWatcher } from '../imae/train/runStore';
import type { NamedFile } from '../imae/checkpoint/namedFile';
import type { StepMetrics } from '../imae/train/trainer';

/* What tests of training share: a run of a moment, kept in memory. */

/** A teacher of 3 steps and an i-MAE of 4, on 16 × 16 pixels. */
export const TINY = {
  model: { image: 16, patch: 4, dim: 16, depth: 1, heads: 2, decoderDim: 16, decoderDepth: 1, decoderHeads: 2 },
  masking: { maskRatio: 0.5, alpha: { law: 'uniform', low: 0.1, high: 0.45 }, alphaPer: 'sample' },
  optimizer: { learningRate: { lr: 3e-3 }, muon: 0 },
  teacher: { budget: { steps: 3 }, warmup: { steps: 1 } },
  schedule: { warmup: { steps: 1 }, decay: 'cosine' },
  training: { budget: { steps: 4 }, batch: 8, seed: 5 },
  logging: { logEvery: 1, scoreEvery: 2, checkpointEvery: 2, panelsEvery: 0 },
} as const satisfies PartialSettings;

/** The tiny run with other settings, in the form of a config file. */
export function tinyConfig(settings: PartialSettings = {}): Config {
  return resolveConfig([
    { source: 'tiny', values: TINY },
    { source: 'test', values: settings },
  ]);
}

export const TINY_DATA = makeShapesTrainTest({ trainCount: 48, testCount: 24, size: 16, seed: 0 });

type Line = Parameters<RunStore['appendMetrics']>[0];

/** A run's checkpoint, as a run folder would hold it. */
interface Checkpoint {
  readonly phase: Phase;
  readonly step: number;
  readonly model: Uint8Array;
  readonly state: Uint8Array;
}

/** A run folder in memory. */
export class MemoryStore implements RunStore {
  lines: Line[] = [];
  readonly checkpoints: Checkpoint[] = [];
  readonly sheets = new Map<string, ImageGrid>();

  appendMetrics(line: Line): void {
    this.lines.push(line);
  }

  writeCheckpoint(phase: Phase, step: number, model: Uint8Array, state: Uint8Array): string {
    this.checkpoints.push({ phase, step, model, state });
    return `${phase}-${step}`;
  }

  writePanels(name: string, sheet: ImageGrid): Promise<void> {
    this.sheets.set(name, sheet);
    return Promise.resolve();
  }

  finished(phase: Phase): NamedFile | undefined {
    const last = this.checkpoints.filter((checkpoint) => checkpoint.phase === phase).at(-1);
    return last && named(`${phase}-${last.step}`, last.model);
  }

  /** Where to go on; takes back the lines that come again, as a run folder does. */
  resumePoint(): ResumePoint {
    const { phase, step, model, state } = this.checkpoints.at(-1) as Checkpoint;
    this.lines = this.lines.filter((line) => line.phase !== phase || line.step < step);
    return { phase, step, model: named('model', model), state: named('state', state) };
  }

  /** The lines without what a clock measured. */
  get timeless(): readonly object[] {
    return this.lines.map((line) =>
      Object.fromEntries(Object.entries(line).filter(([name]) => name !== 'imagesPerSecond' && name !== 'waiting')),
    );
  }
}

export function named(name: string, bytes: Uint8Array): NamedFile {
  return { name, file: readSafetensors(bytes, name) };
}

/** Remembers every step, and asks to stop after some. */
export class StepWatcher implements RunWatcher {
  readonly steps: StepMetrics[] = [];

  constructor(private readonly stopAfter = Infinity) {}

  phase(): void {}
  score(): void {}

  step({ step, loss, parts, lr, gradNorm, scaling }: StepMetrics): void {
    this.steps.push({ step, loss, parts, lr, gradNorm, ...(scaling ? { scaling } : {}) });
  }

  stopRequested(): boolean {
    return this.steps.length >= this.stopAfter;
  }
}

/** What a tiny run left. */
export interface TinyRun {
  readonly store: MemoryStore;
  readonly steps: readonly StepMetrics[];
  readonly result: RunResult;
}

/** Trains on `TINY_DATA`, or other images of its size. */
export async function tinyRun(
  engine: Engine,
  config: Config,
  { store = new MemoryStore(), stopAfter, ...options }: RunOptions & { store?: MemoryStore; stopAfter?: number } = {},
  data: TrainTest = TINY_DATA,
): Promise<TinyRun> {
  const watcher = new StepWatcher(stopAfter);
  const result = await runTraining(engine, config, data, { store, watcher }, options);
  return { store, steps: watcher.steps, result };
}
