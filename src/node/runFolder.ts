import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fdatasyncSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { readSessions, type SessionLine } from '../files/session';
import { UserError } from '../files/userError';
import type { Phase } from '../imae/config';
import { errorCode, reason } from './failure';
import { LOCK_FILE, RunLock } from './runLock';

/** The phases of a run in the order in which they are trained. */
const PHASE_ORDER: readonly Phase[] = ['teacher', 'imae', 'mae'];
const CHECKPOINT = /^(teacher|imae|mae)-(\d+)(\.state)?\.safetensors$/;
const CONFIG = 'config.json';
const METRICS = 'metrics.jsonl';
const SESSIONS = 'sessions.jsonl';
const TEMPORARY = '.tmp';
const KEPT = 2;

/** A line of `metrics.jsonl`: a phase, the number of steps done before it, and what was measured. */
export interface MetricsLine {
  readonly phase: Phase;
  readonly step: number;
  readonly [name: string]: unknown;
}

/** A checkpoint on disk. `step` is the number of optimizer steps done, so the next step to run. */
export interface Checkpoint {
  readonly phase: Phase;
  readonly step: number;
  /** The model alone, with the published parameter names. */
  readonly modelPath: string;
  /** All else that resuming needs. */
  readonly statePath: string;
}

/**
 * The folder of a run: `config.json`, `metrics.jsonl`, `sessions.jsonl`, `report.html`, `checkpoints/` and `panels/`.
 * Files appear whole or not at all; a checkpoint counts once both of its files exist, of which the state is written
 * last. One process at a time writes to it.
 */
export class RunFolder {
  private metrics: number | undefined;
  private lock: RunLock | undefined;

  private constructor(readonly path: string) {}

  /**
   * Makes the folder of a new run: `out`, or one under `runs/` named by the local time and the preset.
   *
   * @throws UserError where `out` has something in it or cannot be made
   */
  static create(options: { readonly out?: string; readonly preset: string; readonly now?: Date }): RunFolder {
    const { out, preset, now = new Date() } = options;
    RunFolder.assertCreatable(out);
    try {
      const path = out ?? makeUnder('runs', `${timeStamp(now)}-${preset}`);
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
      throw error instanceof UserError ? error : cannotBeMade(out, error);
    }
  }

  /**
   * Looks whether a new run can have its folder, without making it.
   *
   * @throws UserError as `create`
   */
  static assertCreatable(out: string | undefined): void {
    const path = out ?? 'runs';
    if (out !== undefined && existsSync(out)) assertEmpty(out);
    let existing = resolve(path);
    while (!existsSync(existing)) existing = dirname(existing);
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
   * @throws UserError where it is none
   */
  static open(path: string): RunFolder {
    if (existsSync(join(path, CONFIG))) return new RunFolder(path);
    const what = !existsSync(path)
      ? `there is no ${path}`
      : statSync(path).isDirectory()
        ? `${path} is no run folder, it has no ${CONFIG}`
        : `${path} is a file, not a run folder`;
    throw new UserError(`--resume: ${what}. Give a folder that a run has left, as runs/….`, { usage: true });
  }

  /**
   * Keeps other processes from writing to it, until `close`.
   *
   * @throws UserError where one does already, or nothing can be written there
   */
  claim(): void {
    this.lock ??= this.writing(this.path, () => RunLock.acquire(this.path));
  }

  /** Writes `config.json`. */
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

  /** Appends a line to `metrics.jsonl`: one write, on the disk when this returns. */
  appendMetrics(line: MetricsLine): void {
    const file = join(this.path, METRICS);
    this.writing(file, () => {
      this.metrics ??= openSync(file, 'a');
      appendWhole(this.metrics, `${JSON.stringify(line)}\n`);
    });
  }

  /** Whether the run came to its end: what the last session says. */
  get isFinished(): boolean {
    const file = join(this.path, SESSIONS);
    if (!existsSync(file)) return false;
    return readSessions(readFileSync(file, 'utf8')).at(-1)?.end?.ended === 'finished';
  }

  /** Appends a line to `sessions.jsonl`: a process begins to work on the run, or ends. */
  appendSession(line: SessionLine): void {
    const file = join(this.path, SESSIONS);
    this.writing(file, () => {
      const descriptor = openSync(file, 'a');
      try {
        appendWhole(descriptor, `${JSON.stringify(line)}\n`);
      } finally {
        closeSync(descriptor);
      }
    });
  }

  /**
   * Takes back the lines from `step` of `phase` on, of later phases, and a line that an interruption left unfinished,
   * so that a resumed run writes each line once.
   */
  truncateMetrics(phase: Phase, step: number): void {
    this.closeMetrics();
    const file = join(this.path, METRICS);
    if (!existsSync(file)) return;
    const kept = readFileSync(file, 'utf8')
      .split('\n')
      .filter((text) => {
        const line = parseLine(text);
        return line !== undefined && isBefore(line, { phase, step });
      });
    this.writeFile(METRICS, kept.map((text) => `${text}\n`).join(''));
  }

  /**
   * Writes a file of the run whole or not at all, making its folder.
   *
   * @param name relative to the run folder, `panels/…`
   * @returns the file's path
   */
  writeFile(name: string, content: Uint8Array | string): string {
    const path = join(this.path, name);
    const temporary = path + TEMPORARY;
    this.writing(path, () => {
      makeFolder(dirname(path));
      try {
        const file = openSync(temporary, 'w');
        try {
          writeFileSync(file, content);
          fsyncSync(file);
        } finally {
          closeSync(file);
        }
        renameSync(temporary, path);
      } catch (error) {
        rmSync(temporary, { force: true }); // on a full disk, it would take what is left
        throw error;
      }
    });
    return path;
  }

  /** Does what may fail for the disk's sake, and then says which file it was and that the run is not lost. */
  private writing<T>(path: string, write: () => T): T {
    try {
      return write();
    } catch (error) {
      if (errorCode(error) === undefined) throw error;
      throw new UserError(
        `${path} cannot be written: ${reason(error)}. What was written before is kept: when that is mended, go on with ` +
          `node train.js --resume ${this.path}`,
      );
    }
  }

  /**
   * Writes a checkpoint, then deletes those no longer needed: the last two of this phase stay, and the last one of each
   * phase before it, which is its final one.
   *
   * @param step optimizer steps done in the phase
   * @param model the model's safetensors file, published names
   * @param state the file with all else that resuming needs
   */
  writeCheckpoint(phase: Phase, step: number, model: Uint8Array, state: Uint8Array): Checkpoint {
    const name = `checkpoints/${phase}-${step}`;
    const modelPath = this.writeFile(`${name}.safetensors`, model);
    const statePath = this.writeFile(`${name}.state.safetensors`, state);
    this.deleteOldCheckpoints(phase);
    return { phase, step, modelPath, statePath };
  }

  /** The complete checkpoints, oldest first. */
  checkpoints(): readonly Checkpoint[] {
    const folder = join(this.path, 'checkpoints');
    const names = new Set(existsSync(folder) ? readdirSync(folder) : []);
    return [...names]
      .map((name) => CHECKPOINT.exec(name))
      .filter((match) => match?.[3] !== undefined)
      .map((match) => ({ phase: match?.[1] as Phase, step: Number(match?.[2]) }))
      .filter(({ phase, step }) => names.has(`${phase}-${step}.safetensors`))
      .sort((a, b) => (isBefore(a, b) ? -1 : 1))
      .map(({ phase, step }) => ({
        phase,
        step,
        modelPath: join(folder, `${phase}-${step}.safetensors`),
        statePath: join(folder, `${phase}-${step}.state.safetensors`),
      }));
  }

  /** The checkpoint to go on from, or undefined before the first. */
  lastCheckpoint(): Checkpoint | undefined {
    return this.checkpoints().at(-1);
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

  private deleteOldCheckpoints(current: Phase): void {
    const complete = this.checkpoints();
    const kept = PHASE_ORDER.flatMap((phase) =>
      complete.filter((checkpoint) => checkpoint.phase === phase).slice(phase === current ? -KEPT : -1),
    );
    const keptNames = new Set(kept.flatMap(({ modelPath, statePath }) => [modelPath, statePath]));
    const folder = join(this.path, 'checkpoints');
    for (const name of readdirSync(folder)) {
      const ours = CHECKPOINT.test(name.endsWith(TEMPORARY) ? name.slice(0, -TEMPORARY.length) : name);
      if (ours && !keptNames.has(join(folder, name))) rmSync(join(folder, name));
    }
  }
}

interface Moment {
  readonly phase: Phase;
  readonly step: number;
}

function isBefore(a: Moment, b: Moment): boolean {
  return a.phase === b.phase ? a.step < b.step : PHASE_ORDER.indexOf(a.phase) < PHASE_ORDER.indexOf(b.phase);
}

function parseLine(text: string): Moment | undefined {
  try {
    return JSON.parse(text) as Moment;
  } catch {
    return undefined;
  }
}

/** One write of the whole text, on the disk when this returns. */
function appendWhole(descriptor: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; ) at += writeSync(descriptor, bytes, at);
  fdatasyncSync(descriptor);
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

/** Makes a folder and those above it. Node's own recursive way never returns where the system has no room for one. */
function makeFolder(path: string): void {
  const missing: string[] = [];
  for (let folder = resolve(path); !existsSync(folder); folder = dirname(folder)) missing.push(folder);
  for (const folder of missing.reverse()) {
    try {
      mkdirSync(folder);
    } catch (error) {
      if (errorCode(error) !== 'EEXIST') throw error; // another process made it
    }
  }
}

/** What a process leaves that was ended before its run began. */
const NOTHING: ReadonlySet<string> = new Set([LOCK_FILE, CONFIG + TEMPORARY]);

function assertEmpty(path: string): void {
  if (!statSync(path).isDirectory()) throw usage(`--out: ${path} is a file. Give a new folder.`);
  const content = readdirSync(path).filter((name) => !NOTHING.has(name));
  if (content.includes(CONFIG)) {
    throw usage(`--out: ${path} holds a run already. Give a new folder, or go on with that run by --resume ${path}.`);
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

function timeStamp(now: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const date = [now.getFullYear(), two(now.getMonth() + 1), two(now.getDate())].join('-');
  return `${date}_${[two(now.getHours()), two(now.getMinutes()), two(now.getSeconds())].join('-')}`;
}
