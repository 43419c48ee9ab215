import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../files/userError';
import type { FinetuneSitting } from '../imae/finetune';
import type { SavedState } from '../imae/run';
import { CHECKPOINTS, FINETUNE } from '../imae/runFiles';
import { listCheckpoints, saveCheckpoint } from './checkpoints';
import { RESULT } from './evaluation';
import { reason } from './failure';
import { readCheckpoint } from './folderStore';
import { RunFolder } from './runFolder';

const FORMAT = 1;
const KIND = { file: FINETUNE, what: 'folder of a fine-tuning', maker: 'node train.js finetune' };
/** Share of the time that saving may take: a checkpoint of a large model after each of many short epochs would take most of it. */
const SAVING_SHARE = 0.05;

/** What a fine-tuning was begun with, as `finetune.json`. */
export interface FinetuneFile {
  /** Values of the command's options, by their flags. */
  readonly options: Readonly<Record<string, unknown>>;
  /** Digests of what it begins from and of all images. */
  readonly model: string;
  readonly data: string;
  readonly adapter: string;
}

/** The folder of a fine-tuning: `finetune.json` and `checkpoints/` until it is done, then the results. */
export class FinetuneFolder {
  private made: RunFolder | undefined;

  private constructor(private readonly make: () => RunFolder) {}

  /** One that `begin` is to make. @param out as `RunFolder.create` */
  static plan(out: string | undefined, file: FinetuneFile): FinetuneFolder {
    return new FinetuneFolder(() => {
      const folder = RunFolder.create({ ...(out === undefined ? {} : { out }), preset: 'finetune' });
      try {
        folder.writeFile(FINETUNE, `${JSON.stringify({ format: FORMAT, ...file }, null, 1)}\n`);
        return folder;
      } catch (error) {
        folder.close();
        throw error;
      }
    });
  }

  /** Opens the one that is to be gone on with. @throws UserError where it is none, or another process writes to it */
  static open(path: string): { readonly folder: FinetuneFolder; readonly file: FinetuneFile } {
    const opened = RunFolder.open(path, '--resume', KIND);
    const file = readFile(join(opened.path, FINETUNE));
    const folder = new FinetuneFolder(() => opened);
    if (!folder.isFinished) opened.claim();
    return { folder, file };
  }

  /** Makes it, where it is not there yet. @returns its path @throws UserError as `RunFolder.create` */
  begin(): string {
    return this.folder.path;
  }

  get hasBegun(): boolean {
    return this.made !== undefined;
  }

  get path(): string {
    return this.folder.path;
  }

  get isFinished(): boolean {
    return existsSync(join(this.path, RESULT));
  }

  /** The last checkpoint; undefined before the first. @throws UserError where it is damaged */
  last(): (SavedState & { readonly step: number }) | undefined {
    const last = listCheckpoints<'classifier'>(this.checkpoints).at(-1);
    return last && readCheckpoint(last);
  }

  /** What saves into it. @param stopRequested asked between steps */
  sitting(identity: string, resume: SavedState | undefined, stopRequested: () => boolean): FinetuneSitting {
    let saved = performance.now();
    let took = 0;
    let asked = saved;
    return {
      identity,
      resume,
      stopRequested,
      isDue: () => {
        asked = performance.now();
        return took <= SAVING_SHARE * (asked - saved);
      },
      save: (step, model, state) => {
        saveCheckpoint(this.checkpoints, { phase: 'classifier', step }, model, state);
        saved = performance.now();
        took = saved - asked;
      },
    };
  }

  /** Leaves the results, and no checkpoints any more. */
  finish(leave: (folder: RunFolder) => void): void {
    leave(this.folder);
    rmSync(this.checkpoints, { recursive: true, force: true });
  }

  close(): void {
    this.made?.close();
  }

  private get folder(): RunFolder {
    return (this.made ??= this.make());
  }

  private get checkpoints(): string {
    return join(this.path, CHECKPOINTS);
  }
}

function readFile(path: string): FinetuneFile {
  try {
    const { format, ...file } = JSON.parse(readFileSync(path, 'utf8')) as FinetuneFile & { readonly format: unknown };
    if (format !== FORMAT) throw new UserError(`${path} is of format ${String(format)}, this version reads ${FORMAT}. Begin anew.`);
    if (typeof file.options !== 'object') throw new Error('it has no options');
    return file;
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`${path} cannot be read: ${reason(error)}. Mend it, or begin anew.`);
  }
}
