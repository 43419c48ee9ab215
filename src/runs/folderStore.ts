import { UserError } from '../common/userError';
import type { Phase } from '../imae/config/config';
import type { ResumePoint, RunStore } from '../imae/train/runStore';
import type { NamedFile, SavedState } from '../imae/checkpoint/namedFile';
import { PANELS, type RunPosition, type Trained } from '../imae/train/runFiles';
import type { Checkpoint } from './checkpoints';
import { panelsPng } from '../node/picture';
import { readModelFile } from '../node/readModel';
import type { RunFolder } from './runFolder';
import type { RunLogs } from './runLogs';

/** A run folder as the place where a run leaves what it makes. */
export class FolderStore implements RunStore {
  /**
   * @param isResumed whether there may be metrics that will come again: they are taken back when the first new line comes,
   *   so that a resumption which fails before loses none
   * @param changed is told when there is something new to show
   * @param logs keeps copies for other programs
   */
  constructor(
    private readonly folder: RunFolder,
    private isResumed: boolean,
    private readonly changed: () => void,
    private readonly logs?: RunLogs,
  ) {}

  appendMetrics(line: Parameters<RunStore['appendMetrics']>[0]): void {
    if (this.isResumed) this.folder.truncateMetrics(line);
    this.isResumed = false;
    this.folder.appendMetrics(line);
    this.logs?.metrics(line);
  }

  writeCheckpoint(phase: Phase, step: number, model: Uint8Array, state: Uint8Array): string {
    const { modelPath } = this.folder.writeCheckpoint({ phase, step }, model, state);
    this.logs?.table();
    this.changed();
    return modelPath;
  }

  async writePanels(name: string, sheet: Parameters<RunStore['writePanels']>[1]): Promise<void> {
    const png = await panelsPng(sheet);
    this.folder.writeFile(`${PANELS}/${name}.png`, png);
    this.logs?.picture(name, png);
    this.changed();
  }

  finished(phase: Phase): NamedFile | undefined {
    const last = this.folder
      .checkpoints()
      .filter((checkpoint) => checkpoint.phase === phase)
      .at(-1);
    return last && readNamed(last.modelPath);
  }
}

/** @throws UserError as `readModelFile` */
export function readNamed(path: string): NamedFile {
  return { name: path, file: readModelFile(path) };
}

/**
 * The checkpoint to go on from; undefined before the first.
 *
 * @throws UserError where it is damaged
 */
export function resumePoint(folder: RunFolder): ResumePoint | undefined {
  const last = folder.checkpoints().at(-1);
  return last && readCheckpoint(last);
}

/** @throws UserError where a file of it is damaged */
export function readCheckpoint<P extends Trained>({
  phase,
  step,
  modelPath,
  statePath,
}: Checkpoint<P>): RunPosition<P> & SavedState {
  try {
    return { phase, step, model: readNamed(modelPath), state: readNamed(statePath) };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new UserError(
      `${error.message} Or delete it: --resume then goes on from the checkpoint before, if there is one.`,
    );
  }
}
