import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../engine/engine';
import { testEngine } from '../../testing/testEngine';
import { FINETUNE_DEFAULTS, runFinetune, type Finetuned, type FinetuneCheckpointing } from './finetune';
import { LearningStopped } from './learning';
import type { NamedFile, SavedState } from '../checkpoint/namedFile';
import { COLOURED, Points, untrainedModel } from '../../testing/pointClassifier';
import { named } from '../../testing/tinyRun';

/* Fine-tuning that is left and gone on with: the same bits. */

const SETTINGS = { ...FINETUNE_DEFAULTS, epochs: 3, warmupEpochs: 1, batch: 12, blr: 0.1, seed: 1 };
/** 96 images by 12, three times. */
const STEPS = 24;

/** Leaves after some steps, and keeps checkpoints in memory. */
class Memory implements FinetuneCheckpointing {
  readonly saved: { readonly step: number; readonly model: Uint8Array; readonly state: Uint8Array }[] = [];
  readonly watcher = new Points();

  constructor(
    private readonly stopAfter = Infinity,
    readonly resume?: SavedState,
    readonly identity = 'the same',
  ) {}

  stopRequested(): boolean {
    return this.watcher.steps >= this.stopAfter;
  }

  isDue(): boolean {
    return true;
  }

  save(step: number, model: Uint8Array, state: Uint8Array): void {
    this.saved.push({ step, model, state });
  }

  point(index = -1): SavedState {
    const { model, state } = this.saved.at(index) ?? {};
    return { model: named('model', model ?? new Uint8Array()), state: named('state', state ?? new Uint8Array()) };
  }
}

describe('fine-tuning that is left', () => {
  let engine: Engine;
  let model: NamedFile;
  let whole: Finetuned;
  const run = (checkpointing: Memory): Promise<Finetuned> =>
    runFinetune(engine, {
      model,
      from: 'trained',
      data: COLOURED,
      settings: SETTINGS,
      watcher: checkpointing.watcher,
      checkpointing,
    });
  beforeAll(async () => {
    engine = await testEngine();
    model = await untrainedModel(engine);
    whole = await runFinetune(engine, {
      model,
      from: 'trained',
      data: COLOURED,
      settings: SETTINGS,
      watcher: new Points(),
    });
  });
  afterAll(() => {
    expect(engine.pool.liveBuffers).toBe(0);
    engine.dispose();
  });

  it('is not changed by being saved, and goes on from any epoch, the last too', async () => {
    const saving = new Memory();
    expect(await run(saving)).toEqual(whole);
    expect(saving.saved.map(({ step }) => step)).toEqual([8, 16, STEPS]);
    for (const [index, left] of [16, 8, 0].entries()) {
      const again = new Memory(Infinity, saving.point(index));
      expect(await run(again)).toEqual(whole);
      expect(again.watcher.steps).toBe(left);
    }
  });

  // In an epoch; before its end is judged; before anything; when all steps are done.
  it.each([11, 16, 0, STEPS])('ends with the same bits, left after %i steps', async (steps) => {
    const first = new Memory(steps);
    await expect(run(first)).rejects.toThrow(LearningStopped);
    const { step = -1 } = first.saved.at(-1) ?? {};
    expect(step).toBe(first.watcher.steps); // what was under way was finished
    const second = new Memory(Infinity, first.point());
    expect(await run(second)).toEqual(whole);
    expect(second.watcher.steps).toBe(STEPS - step);
  });

  it('refuses a checkpoint of another training, or a damaged one', async () => {
    const first = new Memory(3);
    await expect(run(first)).rejects.toThrow(LearningStopped);
    await expect(run(new Memory(Infinity, first.point(), 'another'))).rejects.toThrow(
      'state is of a fine-tuning with other settings, model or images',
    );
    for (const part of ['model', 'state'] as const) {
      const bytes = first.saved.at(-1)?.[part].slice() ?? new Uint8Array();
      bytes[bytes.length - 20] = (bytes[bytes.length - 20] ?? 0) ^ 1;
      const damaged = { ...first.point(), [part]: named(part, bytes) };
      await expect(run(new Memory(Infinity, damaged))).rejects.toThrow(`${part} is damaged`);
    }
    const { model: good, state } = first.point();
    const { learning = '' } = state.file.metadata;
    const edited = {
      ...state.file,
      metadata: { ...state.file.metadata, learning: learning.replace('"lossSum":', '"lossSum":1') },
    };
    await expect(run(new Memory(Infinity, { model: good, state: { name: 'state', file: edited } }))).rejects.toThrow(
      'state is damaged',
    );
  });
});
