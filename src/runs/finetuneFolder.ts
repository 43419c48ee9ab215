import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../common/userError';
import { CHECKPOINTS, FINETUNE, RESULT } from '../imae/train/runFiles';
import { ClassifierCheckpoints } from './classifierCheckpoints';
import { reason } from '../node/failure';
import { RunFolder } from './runFolder';

const FORMAT = 1;
const KIND = { file: FINETUNE, what: 'folder of a fine-tuning', maker: 'node train.js finetune' };
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
  readonly checkpoints = new ClassifierCheckpoints(() => join(this.path, CHECKPOINTS));
  private made: RunFolder | undefined;

  private constructor(private readonly make: () => RunFolder) {}

  /** One that `begin` is to make. @param out as `RunFolder.create` */
  static plan(out: string | undefined, file: FinetuneFile): FinetuneFolder {
    return new FinetuneFolder(() => {
      const folder = RunFolder.create({ ...(out === undefined ? {} : { out }), name: 'finetune' });
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

  /** Leaves the results, and no checkpoints any more. */
  finish(leave: (folder: RunFolder) => void): void {
    leave(this.folder);
    this.checkpoints.remove();
  }

  close(): void {
    this.made?.close();
  }

  private get folder(): RunFolder {
    return (this.made ??= this.make());
  }
}

function readFile(path: string): FinetuneFile {
  try {
    const { format, ...file } = JSON.parse(readFileSync(path, 'utf8')) as FinetuneFile & { readonly format: unknown };
    if (format !== FORMAT)
      throw new UserError(`${path} is of format ${String(format)}, this version reads ${FORMAT}. Begin anew.`);
    if (typeof file.options !== 'object') throw new Error('it has no options');
    return file;
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`${path} cannot be read: ${reason(error)}. Mend it, or begin anew.`);
  }
}
