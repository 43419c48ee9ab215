import type { TrainTest } from '../../data/imageSet';
import type { Engine } from '../../engine/engine';
import { readSafetensors } from '../../formats/safetensors';
import type { ImageGrid } from '../../report/imageGrid';
import { UserError } from '../../common/userError';
import type { NamedFile, SavedState } from '../checkpoint/namedFile';
import { resolveConfig, type Config, type Phase } from '../config/config';
import type { PartialSettings } from '../config/options';
import type { PresetName } from '../config/presets';
import { runTraining } from './run';
import { CHECKPOINTS, checkpointFiles } from './runFiles';
import type { ResumePoint, RunOptions, RunResult, RunStore, RunWatcher } from './runStore';

/** A place for some of what a run makes. */
export interface PartialStore extends Partial<Pick<RunStore, 'appendMetrics' | 'finished'>> {
  /** Keeps a checkpoint; may return what messages call it. */
  writeCheckpoint?(phase: Phase, step: number, model: Uint8Array, state: Uint8Array): string | undefined;
  /** Keeps a picture of what the model makes. */
  writePanels?(name: string, sheet: ImageGrid): Promise<void> | undefined;
}

/** Who is told of a training, and where it goes on. */
export interface TrainOptions extends RunOptions {
  /** Is told of phases, steps and scores, as they come; leave out what is not wanted. */
  readonly watcher?: Partial<RunWatcher>;
  /**
   * Is given checkpoints as bytes, lines of metrics and sheets of panels; leave out what is not wanted. A run that is
   * resumed in its second phase needs `finished`, which gives the model of the first.
   */
  readonly store?: PartialStore;
  /** Aborted, it ends the run early, after a checkpoint; what it came to then says `stopped`. */
  readonly signal?: AbortSignal;
}

/**
 * Trains a masked autoencoder: what `node train.js` and the page do, without their files and pictures.
 *
 * @param objective what is minimised, on what model and for how long: see `configure`
 * @param images to train on, and held-out ones, by which it is scored
 * @throws UserError where a phase does not fit into memory, a checkpoint is of another run, or a loss is not finite;
 *   EngineError where the GPU fails
 */
export async function train(
  engine: Engine,
  objective: Config,
  images: TrainTest,
  options: TrainOptions = {},
): Promise<RunResult> {
  const { watcher = {}, store = {}, signal, ...rest } = options;
  const models = new Map<Phase, NamedFile>();
  const told: RunWatcher = {
    phase: (...facts) => watcher.phase?.(...facts),
    step: (metrics) => watcher.step?.(metrics),
    score: (...facts) => watcher.score?.(...facts),
    stopRequested: () => signal?.aborted === true || watcher.stopRequested?.() === true,
  };
  const kept: RunStore = {
    appendMetrics: (line) => store.appendMetrics?.(line),
    writeCheckpoint: (phase, step, model, state) => {
      const name = `${CHECKPOINTS}/${checkpointFiles({ phase, step }).model}`;
      // A copy: whoever is given the bytes may send them away.
      if (!store.finished && phase === 'teacher')
        models.set(phase, { name, file: readSafetensors(model.slice(), name) });
      return store.writeCheckpoint?.(phase, step, model, state) ?? name;
    },
    writePanels: async (name, sheet) => await store.writePanels?.(name, sheet),
    finished: (phase) => (store.finished ? store.finished(phase) : models.get(phase)),
  };
  return await runTraining(engine, objective, images, { store: kept, watcher: told }, rest);
}

/**
 * What to train: a preset, with settings of one's own in its place, in the form of `config.json`. `training.mode` says what
 * is minimised: `all` (a teacher's MAE, then i-MAE), `imae`, `mae` or `lcmae`.
 *
 * @throws UserError that names the setting, its value and what is allowed
 */
export function configure(settings: PartialSettings & { readonly preset?: PresetName } = {}): Config {
  return resolveConfig([{ source: 'configure', values: settings }]);
}

/**
 * Where a training was left, for `TrainOptions.resume`.
 *
 * @param model and @param state the bytes that `RunStore.writeCheckpoint` was given
 * @throws UserError where they are no checkpoint
 */
export function readCheckpoint(model: Uint8Array, state: Uint8Array): ResumePoint {
  const saved: SavedState = {
    model: { name: 'the checkpoint', file: readSafetensors(model, 'the checkpoint') },
    state: { name: "the checkpoint's state", file: readSafetensors(state, "the checkpoint's state") },
  };
  const { phase, step } = saved.state.file.metadata;
  if (phase === undefined || step === undefined) {
    throw new UserError('The checkpoint does not say of which phase and step it is. Give what `train` has saved.');
  }
  return { ...saved, phase: phase as Phase, step: Number(step) }; // `train` wrote it; another is refused as of another run
}
