import type { Engine } from '../src/engine/engine';
import { configOf, StepRun, steps, type StepCase } from './step.bench';

/** How long it takes until a training has done its first step. Times in seconds. */
export interface StartUp {
  readonly kernel: 'startUp';
  /** `cold`: the first of the process (a driver may keep what it compiled from one process to the next); `warm`: once more. */
  readonly name: 'cold' | 'warm';
  /** From the start of the process, or of the worker, until it began: loading the program. Of `cold` alone. */
  readonly load?: number;
  /** Finding the adapter and opening a device on it. */
  readonly open: number;
  /** Making the model, recording the step and compiling all its pipelines. */
  readonly compile: number;
  /** The first step: drivers compile late. */
  readonly firstStep: number;
  /** All of it. */
  readonly total: number;
  /** How many were compiled. */
  readonly pipelines: number;
}

/** What is started. */
const CASE = steps.find(({ name }) => name === 'cifar-p4 two-way') as StepCase;

/** Starts a training on an engine of its own. To be cold, it must be the first thing that a process does with the GPU. */
export async function startUp(name: StartUp['name'], openEngine: () => Promise<Engine>): Promise<StartUp> {
  const begin = performance.now();
  const since = (start: number): number => (performance.now() - start) / 1000;
  const engine = await openEngine();
  try {
    const open = since(begin);
    const compiling = performance.now();
    const run = await StepRun.open(engine, configOf(CASE, engine.traits.software), CASE.phase);
    try {
      const compile = since(compiling);
      const { seconds: firstStep } = await run.run(1);
      const load = name === 'cold' ? { load: begin / 1000 } : {};
      const total = since(begin) + (load.load ?? 0);
      return { kernel: 'startUp', name, ...load, open, compile, firstStep, total, pipelines: engine.pipelineCount };
    } finally {
      run.dispose();
    }
  } finally {
    engine.dispose();
  }
}
