import {
  accessSync,
  appendFileSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  statSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { readSessions, type Session, type SessionLine } from '../report/session';
import { UserError } from '../common/userError';
import {
  appendedLine,
  CHECKPOINTS,
  CONFIG,
  FINETUNE,
  METRICS,
  metricsBefore,
  runName,
  SESSIONS,
  type MetricsLine,
  type RunPosition,
} from '../imae/train/runFiles';
import { listCheckpoints, saveCheckpoint, type Checkpoint } from './checkpoints';
import { appendWhole, makeFolder, nearestExisting, TEMPORARY, writeWhole, writing } from '../node/durableFile';
import { errorCode, reason } from '../node/failure';
import { LOCK_FILE, RunLock } from './runLock';

/** What a folder is, and the file that shows it. */
export interface FolderKind {
  readonly file: string;
  readonly what: string;
  /** Who leaves such folders. */
  readonly maker: string;
}

/** Where runs lie, unless somebody says otherwise. */
const RUNS = 'runs';

const RUN: FolderKind = { file: CONFIG, what: 'run folder', maker: 'a run' };

/**
 * The folder of a run: `config.json`, `metrics.jsonl`, `sessions.jsonl`, `kernels.json`, `report.html`, `checkpoints/` and
 * `panels/`; `profile.json` and `trace.json` where it was profiled; `broken-images.txt` where image files could not be decoded.
 * Files appear whole or not at all. One process at a time writes to it.
 */
export class RunFolder {
  private metrics: number | undefined;
  private lock: RunLock | undefined;

  private constructor(readonly path: string) {}

  /**
   * Makes the folder of a new run: `out`, or one under `root` named by the local time and `name`.
   *
   * @throws UserError where `out` has something in it or cannot be made
   */
  static create(options: {
    readonly out?: string;
    readonly name: string;
    readonly root?: string;
    readonly now?: Date;
  }): RunFolder {
    const { out, name, root = RUNS, now = new Date() } = options;
    RunFolder.assertCreatable(out);
    const isNew = out === undefined || !existsSync(out);
    let path = out;
    try {
      path ??= makeUnder(root, runName(now, name));
      makeFolder(path);
      const folder = new RunFolder(path);
      folder.lock = RunLock.acquire(path);
      try {
        assertEmpty(path); // only now is it certain that nobody else begins a run in it
      } catch (error) {
        folder.close();
        throw error;
      }
      return folder;
    } catch (error) {
      if (isNew && path !== undefined && existsSync(path) && readdirSync(path).length === 0) rmdirSync(path);
      throw error instanceof UserError ? error : cannotBeMade(out, error);
    }
  }

  /**
   * Looks whether a new run can have its folder, without making it.
   *
   * @throws UserError as `create`
   */
  static assertCreatable(out: string | undefined): void {
    if (out !== undefined && existsSync(out)) assertEmpty(out);
    const existing = nearestExisting(out ?? RUNS);
    try {
      if (!statSync(existing).isDirectory()) throw new Error(`${existing} is a file`);
      accessSync(existing, constants.W_OK);
    } catch (error) {
      throw cannotBeMade(out, error);
    }
  }

  /**
   * Opens the folder of a run, for reading.
   *
   * @param flag that named it, for messages
   * @param kind of folder that it has to be
   * @throws UserError where it is none
   */
  static open(path: string, flag = '--resume', kind: FolderKind = RUN): RunFolder {
    if (existsSync(join(path, kind.file))) return new RunFolder(path.replace(/(?<=.)[/\\]+$/, ''));
    const what = !existsSync(path)
      ? `there is no ${path}, or it may not be read`
      : statSync(path).isDirectory()
        ? `${path} is no ${kind.what}, it has no ${kind.file}`
        : `${path} is a file, not a ${kind.what}`;
    throw new UserError(`${flag}: ${what}. Give a folder that ${kind.maker} has left, as runs/….`, { usage: true });
  }

  /**
   * Keeps other processes from writing to it, until `close`.
   *
   * @throws UserError where one does already, or nothing can be written there
   */
  claim(): void {
    this.lock ??= writing(this.path, () => RunLock.acquire(this.path));
  }

  /** Writes `config.json`. @throws StorageError */
  writeConfig(config: object): void {
    this.writeFile(CONFIG, `${JSON.stringify(config, null, 2)}\n`);
  }

  /**
   * The configuration of the run, not yet checked.
   *
   * @throws UserError where it is no JSON
   */
  readConfig(): unknown {
    const file = join(this.path, CONFIG);
    try {
      return JSON.parse(readFileSync(file, 'utf8')) as unknown;
    } catch (error) {
      throw new UserError(`${file} cannot be read: ${reason(error)}. Mend it, or start a new run.`);
    }
  }

  /** Appends a line to `metrics.jsonl`: one write, on the disk when this returns. @throws StorageError */
  appendMetrics(line: MetricsLine): void {
    const file = join(this.path, METRICS);
    writing(file, () => {
      this.metrics ??= openSync(file, 'a');
      appendWhole(this.metrics, `${JSON.stringify(line)}\n`);
    });
  }

  /** The lines of `metrics.jsonl`. */
  metricsLines(): MetricsLine[] {
    const file = join(this.path, METRICS);
    const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : [];
    return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as MetricsLine); // as they were written
  }

  /** Appends to a file, making its folder. @throws StorageError */
  append(name: string, content: Uint8Array): void {
    const file = join(this.path, name);
    writing(file, () => {
      makeFolder(dirname(file));
      appendFileSync(file, content);
    });
  }

  /**
   * Takes back the lines from a moment on, and a line that an interruption left unfinished, so that a resumed run writes
   * each line once.
   *
   * @throws StorageError
   */
  truncateMetrics(from: RunPosition): void {
    this.closeMetrics();
    const file = join(this.path, METRICS);
    if (!existsSync(file)) return;
    this.writeFile(METRICS, metricsBefore(readFileSync(file, 'utf8'), from));
  }

  /** Who worked on the run, the last last. */
  sessions(): readonly Session[] {
    const file = join(this.path, SESSIONS);
    return existsSync(file) ? readSessions(readFileSync(file, 'utf8')) : [];
  }

  /** Appends a line to `sessions.jsonl`: a process begins to work on the run, or ends. @throws StorageError */
  appendSession(line: SessionLine): void {
    const file = join(this.path, SESSIONS);
    writing(file, () => {
      const before = existsSync(file) ? readFileSync(file, 'utf8') : '';
      const descriptor = openSync(file, 'a');
      try {
        appendWhole(descriptor, appendedLine(before, line));
      } finally {
        closeSync(descriptor);
      }
    });
  }

  /**
   * Writes a file of the run whole or not at all, making its folder.
   *
   * @param name relative to the run folder, `panels/…`
   * @returns the file's path
   * @throws StorageError
   */
  writeFile(name: string, content: Uint8Array | string): string {
    const path = join(this.path, name);
    writeWhole(path, content);
    return path;
  }

  /** Writes a checkpoint and deletes those no longer needed: see `saveCheckpoint`. @throws StorageError */
  writeCheckpoint(moment: RunPosition, model: Uint8Array, state: Uint8Array): Checkpoint {
    return saveCheckpoint(this.checkpointFolder, moment, model, state);
  }

  /** The complete checkpoints, oldest first. */
  checkpoints(): readonly Checkpoint[] {
    return listCheckpoints(this.checkpointFolder);
  }

  private get checkpointFolder(): string {
    return join(this.path, CHECKPOINTS);
  }

  /** Lets other processes have it. */
  close(): void {
    this.closeMetrics();
    this.lock?.release();
    this.lock = undefined;
  }

  private closeMetrics(): void {
    if (this.metrics !== undefined) closeSync(this.metrics);
    this.metrics = undefined;
  }
}

function makeUnder(root: string, name: string): string {
  makeFolder(root);
  for (let attempt = 1; ; attempt++) {
    const path = join(root, attempt === 1 ? name : `${name}-${attempt}`);
    try {
      mkdirSync(path);
      return path;
    } catch (error) {
      if (errorCode(error) !== 'EEXIST') throw error;
    }
  }
}

function assertEmpty(path: string): void {
  if (!statSync(path).isDirectory()) throw usage(`--out: ${path} is a file. Give a new folder.`);
  // What a process leaves that was ended before its run began is nothing.
  const content = readdirSync(path).filter((name) => !name.startsWith(LOCK_FILE) && name !== CONFIG + TEMPORARY);
  if (content.includes(CONFIG)) {
    throw usage(`--out: ${path} holds a run already. Give a new folder, or go on with that run by --resume ${path}.`);
  }
  if (content.includes(FINETUNE)) {
    throw usage(
      `--out: ${path} holds a fine-tuning already. Give a new folder, or go on with that one by finetune --resume ${path}.`,
    );
  }
  if (content.length > 0) {
    throw usage(`--out: ${path} is not empty (${content[0] ?? ''} …). Give a new or an empty folder.`);
  }
}

function usage(message: string): UserError {
  return new UserError(message, { usage: true });
}

function cannotBeMade(out: string | undefined, error: unknown): UserError {
  return new UserError(
    `--out: the run folder ${out ?? 'under runs/'} cannot be made: ${reason(error)}. ` +
      'Give a folder that can be written to.',
  );
}
