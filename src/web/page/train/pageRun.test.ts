import { afterEach, describe, expect, it } from 'vitest';
import type { Engine } from '../../../engine/engine';
import type { Config } from '../../../imae/config/config';
import { tinyConfig } from '../../../testing/tinyRun';
import { BUILT_IN } from '../../../imae/train/trainingData';
import { openEngine } from '../../../node/dawn';
import { testEngine } from '../../../testing/testEngine';
import { MemoryFolder, type Files } from '../../training/memoryFolder';
import { Training } from '../../training/service';
import { unzip, zipFolder } from '../../training/zip';
import { PageRun, type RunStatus, type TrainingClient } from './pageRun';

/* The page's run, with the worker's own service but in this process and on Node's device. */

const NAME = '2026-11-21_12-00-00-demo';
const config = tinyConfig({
  training: { budget: { steps: 8 }, batch: 8, seed: 5 },
  logging: { scoreEvery: 3, panelsEvery: 4, checkpointEvery: 2 },
});

/** Whether engines get devices of their own, which a test may lose. */
let areLost = false;
const engines: Engine[] = [];
const runs: PageRun[] = [];
afterEach(() => {
  for (const run of runs.splice(0)) run.dispose();
  expect(engines.splice(0).filter(({ device, pool }) => pool.liveBuffers > 0 && device.label !== 'lost')).toEqual([]);
});

/** A worker's like: what passes in and out is copied. */
function startTrainer(): TrainingClient {
  const service = new Training({
    openEngine: async () => {
      const engine = await (areLost ? openEngine() : testEngine());
      engines.push(engine);
      return engine;
    },
    drawPicture: () => Promise.resolve(new Uint8Array([1, 2, 3])),
    openDecoders: () => {
      throw new Error('There are no image files.');
    },
    transferBuffers: (event) => structuredClone(event),
  });
  return {
    api: {
      train: (leg, send) => service.train(structuredClone(leg), send),
      requestStop: () => Promise.resolve(service.requestStop()),
      check: (leg) => service.check(structuredClone(leg)),
    },
    terminate: () => service.dispose(),
  };
}

interface Watched {
  readonly run: PageRun;
  /** Resolves when the run stands so. */
  readonly until: (kind: RunStatus['kind']) => Promise<void>;
  /** Does something when the run has come to a step. */
  readonly at: (phase: string, step: number, what: () => void) => void;
}

function watched(
  folder: MemoryFolder,
  using: Config = config,
  start: (failed: (message: string) => void) => TrainingClient = startTrainer,
): Watched {
  const listeners = new Set<() => void>();
  const run = new PageRun(folder, using, {
    startTrainer: start,
    platform: 'Test 1',
    trainingImages: BUILT_IN.trainCount,
    changed: () => {
      for (const listener of [...listeners]) listener();
    },
  });
  runs.push(run);
  const once = (isDue: () => boolean, then: () => void): void => {
    const listener = (): void => {
      if (!isDue()) return;
      listeners.delete(listener);
      then();
    };
    listeners.add(listener);
    listener();
  };
  return {
    run,
    until: (kind) => new Promise((resolve) => once(() => run.standing.kind === kind, resolve)),
    at: (phase, step, what) => {
      const done = (): number => run.phases.find(({ id }) => id === phase)?.done ?? 0;
      once(() => run.standing.kind === 'running' && run.phase === phase && done() >= step, what);
    },
  };
}

const text = (files: Files, path: string): string => new TextDecoder().decode(files.get(path));

/** What a run leaves that the clock has no part in. */
function traces({ folder }: PageRun): unknown {
  const files = folder.files();
  const metrics = text(files, 'metrics.jsonl').replaceAll(/"imagesPerSecond":[^,}]+/g, '');
  const last = [...files].filter(([path]) => /-(3|8)(\.state)?\.safetensors$/.test(path));
  return {
    config: text(files, 'config.json'),
    metrics,
    last,
    panels: [...files.keys()].filter((path) => path.startsWith('panels/')),
  };
}

let whole: Promise<PageRun> | undefined;

/** The run that nobody interrupted, trained once. */
function wholeRun(): Promise<PageRun> {
  whole ??= (async () => {
    const { run, until } = watched(new MemoryFolder(NAME));
    run.go();
    await until('finished');
    engines.pop();
    return run;
  })();
  return whole;
}

describe('a run in the page', () => {
  it('paused, saved, loaded elsewhere and gone on with is the run that was never paused', async () => {
    const uninterrupted = await wholeRun();
    expect(uninterrupted.isUnsaved).toBe(true);
    expect(uninterrupted.phases.map(({ id, done }) => [id, done])).toEqual([
      ['teacher', 3],
      ['imae', 8],
    ]);
    expect(uninterrupted.log.phase('imae').scores.map(({ step }) => step)).toEqual([3, 6, 8]);
    expect(uninterrupted.sheets.all.map(({ phase, step }) => `${phase} ${step}`)).toEqual([
      'teacher 3',
      'imae 4',
      'imae 8',
    ]);
    expect(uninterrupted.folder.sessions()).toMatchObject([
      { platform: 'Test 1', phase: 'teacher', step: 0, end: { ended: 'finished', phase: 'imae', step: 8 } },
    ]);

    const first = watched(new MemoryFolder(NAME));
    first.run.go();
    first.run.pause(); // before its first step
    await first.until('paused');
    expect(first.run.folder.lastCheckpoint()).toMatchObject({ phase: 'teacher', step: 0 });
    expect(engines.at(-1)?.pool.liveBytes).toBe(0);
    first.run.go();
    first.at('imae', 1, () => first.run.pause());
    await first.until('paused');
    expect(engines.at(-1)?.pool.liveBytes).toBe(0);
    const { phase, step } = first.run.folder.lastCheckpoint() ?? {};
    expect(phase).toBe('imae');

    const zip = await zipFolder(NAME, first.run.folder.files());
    const loaded = MemoryFolder.from('other', await unzip(zip, 'run.zip'));
    const second = watched(loaded, loaded.readConfig());
    expect(second.run.standing).toEqual({ kind: 'paused' });
    expect(second.run.isUnsaved).toBe(false);
    expect(second.run.phases.at(-1)).toMatchObject({ id: 'imae', done: step });
    expect(second.run.log.phase('teacher').curves.steps).toEqual([0, 1, 2]);
    second.run.go();
    await second.until('finished');
    expect(traces(second.run)).toEqual(traces(uninterrupted));
    expect(loaded.sessions().map(({ end }) => end?.ended)).toEqual(['stopped', 'stopped', 'finished']);
  });

  it('stopped is over, but can be gone on with elsewhere', async () => {
    const { run, until, at } = watched(new MemoryFolder(NAME));
    run.go();
    at('imae', 2, () => {
      run.stop();
      run.pause(); // does not take it back
    });
    await until('stopped');
    expect(engines).toHaveLength(1);
    expect(run.folder.lastCheckpoint()?.phase).toBe('imae');
    const loaded = watched(MemoryFolder.from('x', run.folder.files()));
    loaded.run.go();
    await loaded.until('finished');
    expect(traces(loaded.run)).toEqual(traces(await wholeRun()));
  });

  it('takes another learning rate on its way, and can be gone on with from any moment after', async () => {
    const { run, until, at } = watched(new MemoryFolder(NAME));
    expect(() => run.changeLearningRate(-1)).toThrow(/learningRate/);
    run.go();
    at('imae', 2, () => run.changeLearningRate(1e-3));
    await until('ending');
    expect(run.standing).toEqual({ kind: 'ending', intent: 'change' });
    await until('running');
    expect(run.learningRate).toBe(1e-3);
    await until('finished');
    const sessions = run.folder.sessions();
    expect(sessions).toMatchObject([
      { end: { ended: 'stopped' } },
      { changes: ['optimizer.learningRate 0.001 lr in the place of 0.003 lr'], end: { ended: 'finished' } },
    ]);
    const changedAt = sessions[1]?.step ?? 0;
    expect(run.folder.readConfig().optimizer.learningRate).toEqual({ lr: 1e-3 });
    const rates = run.log.phase('imae').curves.values.lr ?? [];
    const unchanged = (await wholeRun()).log.phase('imae').curves.values.lr ?? [];
    expect(rates.map((rate, step) => ((rate ?? 0) / (unchanged[step] || 1)).toFixed(3))).toEqual(
      rates.map((_, step) => (step === 0 ? '0.000' : step < changedAt ? '1.000' : '0.333')),
    );
    const again = watched(MemoryFolder.from('x', run.folder.files()), run.folder.readConfig());
    expect(again.run.standing.kind).toBe('finished');
  });

  it('changed while it waits, it changes when it goes on; its configuration never disagrees with its last checkpoint', async () => {
    const { run, until, at } = watched(new MemoryFolder(NAME));
    run.go();
    at('teacher', 0, () => run.pause());
    await until('paused');
    run.changeLearningRate(2e-3);
    run.changeLearningRate(1e-3);
    expect(run.learningRate).toBe(1e-3);
    const before = watched(MemoryFolder.from('x', run.folder.files()), run.folder.readConfig());
    expect(run.folder.readConfig()).toEqual(config);
    before.run.go();
    before.run.pause();
    await before.until('paused'); // it went on as it was saved
    run.go();
    run.pause();
    await until('paused');
    expect(run.folder.readConfig().teacher.learningRate).toEqual({ lr: 1e-3 });
    expect(run.folder.sessions().at(-1)?.changes).toEqual(['teacher.learningRate 0.001 lr in the place of same']);
    const after = watched(MemoryFolder.from('x', run.folder.files()), run.folder.readConfig());
    after.run.go();
    await after.until('finished');
  });
});

function lose(engine: Engine | undefined): void {
  if (engine) engine.device.label = 'lost';
  engine?.device.destroy();
}

describe('what fails', () => {
  it(
    'a lost device: what was saved stays, and the run goes on with another as if nothing had happened',
    { tags: ['thorough'] },
    async () => {
      areLost = true;
      const { run, until, at } = watched(new MemoryFolder(NAME));
      run.go();
      at('imae', 3, () => lose(engines[0]));
      await until('failed');
      expect(run.standing).toMatchObject({ kind: 'failed', why: 'device-lost' });
      expect(run.folder.sessions().at(-1)?.end).toMatchObject({ ended: 'failed', phase: 'imae' });
      // The device is gone a moment after step 3 was heard of, by when another checkpoint may be there.
      expect(run.folder.lastCheckpoint()).toMatchObject({ phase: 'imae', step: expect.toBeOneOf([2, 4]) as number });
      run.go();
      at('imae', 4, () => run.pause());
      await until('paused');
      lose(engines[1]); // while nobody uses it
      run.go();
      await until('finished');
      areLost = false;
      expect(engines).toHaveLength(3);
      expect(traces(run)).toEqual(traces(await wholeRun()));
    },
  );

  it('a worker that ends, or never began', async () => {
    let fail: (message: string) => void = () => undefined;
    const mute: TrainingClient = {
      api: {
        train: () => new Promise(() => undefined),
        requestStop: () => Promise.resolve(),
        check: () => Promise.resolve(),
      },
      terminate: () => undefined,
    };
    const { run } = watched(new MemoryFolder(NAME), config, (failed) => {
      fail = failed;
      return mute;
    });
    run.go();
    fail('training.js could not be loaded.');
    expect(run.standing).toEqual({ kind: 'failed', why: 'defect', message: 'training.js could not be loaded.' });
    expect(run.isUnsaved).toBe(false);
    fail('again');
    expect(run.standing).toMatchObject({ message: 'training.js could not be loaded.' });
  });

  it('a loss beyond all bounds, which a lower learning rate mends', async () => {
    const steep = tinyConfig({
      optimizer: { learningRate: { lr: 1e30 } },
      teacher: { learningRate: { lr: 1e-3 } },
      logging: { checkpointEvery: 0, scoreEvery: 0 },
    });
    const { run, until } = watched(new MemoryFolder(NAME), steep);
    run.go();
    await until('failed');
    expect(run.standing).toMatchObject({ why: 'diverged' });
    expect(run.phase).toBe('imae');
    run.changeLearningRate(1e-3);
    run.go();
    await until('finished');
  });

  it('a checkpoint that is not what was saved is refused before anything goes on', async () => {
    const { run, until, at } = watched(new MemoryFolder(NAME));
    run.go();
    at('imae', 1, () => run.pause());
    await until('paused');
    const files = run.folder.files();
    const last = run.folder.lastCheckpoint()?.model.name ?? '';
    const damaged = (files.get(last) as Uint8Array).slice();
    damaged[damaged.length - 1] = (damaged.at(-1) ?? 0) ^ 1;
    files.set(last, damaged);
    const folder = MemoryFolder.from('x', files);
    const trainer = startTrainer();
    const resume = folder.lastCheckpoint();
    if (!resume) throw new Error('It has no checkpoint.');
    await expect(trainer.api.check({ config, resume })).rejects.toThrow(`${last} is damaged`);
    await expect(trainer.api.check({ config: tinyConfig({ masking: { maskRatio: 0.25 } }), resume })).rejects.toThrow(
      /^masking\./,
    );
    const intact = run.folder.lastCheckpoint();
    await trainer.api.check({ config: run.folder.readConfig(), ...(intact ? { resume: intact } : {}) });
  });
});
