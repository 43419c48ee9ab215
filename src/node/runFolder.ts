import {
  closeSync,
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
import { dirname, join } from 'node:path';
import { UserError } from '../files/userError';
import type { Phase } from '../imae/config';
import { reason } from './failure';

/** The phases of a run in the order in which they are trained. */
const PHASE_ORDER: readonly Phase[] = ['teacher', 'imae', 'mae'];
const CHECKPOINT = /^(teacher|imae|mae)-(\d+)(\.state)?\.safetensors$/;
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
 * The folder of a run: `config.json`, `metrics.jsonl`, `checkpoints/` and `panels/`. Files appear whole or not at all;
 * a checkpoint counts once both of its files exist, of which the state is written last.
 */
export class RunFolder {
  private metrics: number | undefined;

  private constructor(readonly path: string) {}

  /**
   * Makes the folder of a new run: `out`, or one under `runs/` named by the local time and the preset.
   *
   * @throws UserError where `out` has something in it or cannot be made
   */
  static create(options: { readonly out?: string; readonly preset: string; readonly now?: Date }): RunFolder {
    const { out, preset, now = new Date() } = options;
    try {
      return new RunFolder(out === undefined ? makeUnder('runs', `${timeStamp(now)}-${preset}`) : makeEmpty(out));
    } catch (error) {
      if (error instanceof UserError) throw error;
      throw new UserError(
        `--out: the run folder ${out ?? 'under runs/'} cannot be made: ${reason(error)}. ` +
          'Give a folder that can be written to.',
      );
    }
  }

  /**
   * Opens the folder of a run to go on with it.
   *
   * @throws UserError where it is none
   */
  static open(path: string): RunFolder {
    if (!existsSync(join(path, 'config.json'))) {
      throw new UserError(
        `--resume: ${path} is no run folder, it has no config.json. Give a folder that a run has left, as runs/….`,
      );
    }
    return new RunFolder(path);
  }

  /** Writes `config.json`. */
  writeConfig(config: object): void {
    this.writeFile('config.json', `${JSON.stringify(config, null, 2)}\n`);
  }

  /**
   * The configuration of the run, not yet checked.
   *
   * @throws UserError where it is no JSON
   */
  readConfig(): unknown {
    const file = join(this.path, 'config.json');
    try {
      return JSON.parse(readFileSync(file, 'utf8')) as unknown;
    } catch (error) {
      throw new UserError(`${file} cannot be read: ${reason(error)}. Mend it, or start a new run.`);
    }
  }

  /** Appends a line to `metrics.jsonl`: one write, on the disk when this returns. */
  appendMetrics(line: MetricsLine): void {
    this.metrics ??= openSync(join(this.path, 'metrics.jsonl'), 'a');
    writeSync(this.metrics, `${JSON.stringify(line)}\n`);
    fdatasyncSync(this.metrics);
  }

  /**
   * Takes back the lines from `step` of `phase` on, of later phases, and a line that an interruption left unfinished,
   * so that a resumed run writes each line once.
   */
  truncateMetrics(phase: Phase, step: number): void {
    this.close();
    const file = join(this.path, 'metrics.jsonl');
    if (!existsSync(file)) return;
    const kept = readFileSync(file, 'utf8')
      .split('\n')
      .filter((text) => {
        const line = parseLine(text);
        return line !== undefined && isBefore(line, { phase, step });
      });
    this.writeFile('metrics.jsonl', kept.map((text) => `${text}\n`).join(''));
  }

  /**
   * Writes a file of the run whole or not at all, making its folder.
   *
   * @param name relative to the run folder, `panels/…`
   * @returns the file's path
   */
  writeFile(name: string, content: Uint8Array | string): string {
    const path = join(this.path, name);
    mkdirSync(dirname(path), { recursive: true });
    const temporary = path + TEMPORARY;
    const file = openSync(temporary, 'w');
    try {
      writeFileSync(file, content);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
    return path;
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

  /** Closes `metrics.jsonl`; a later line opens it again. */
  close(): void {
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

function makeUnder(root: string, name: string): string {
  mkdirSync(root, { recursive: true });
  for (let attempt = 1; ; attempt++) {
    const path = join(root, attempt === 1 ? name : `${name}-${attempt}`);
    try {
      mkdirSync(path);
      return path;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

function makeEmpty(path: string): string {
  if (existsSync(path)) {
    if (!statSync(path).isDirectory()) throw new UserError(`--out: ${path} is a file. Give a new folder.`);
    const content = readdirSync(path);
    if (content.includes('config.json') && (content.includes('metrics.jsonl') || content.includes('checkpoints'))) {
      throw new UserError(
        `--out: ${path} holds a run already. Give a new folder, or go on with that run by --resume ${path}.`,
      );
    }
    if (content.length > 0) {
      throw new UserError(`--out: ${path} is not empty (${content[0] ?? ''} …). Give a new or an empty folder.`);
    }
  }
  mkdirSync(path, { recursive: true });
  return path;
}

function timeStamp(now: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const date = [now.getFullYear(), two(now.getMonth() + 1), two(now.getDate())].join('-');
  return `${date}_${[two(now.getHours()), two(now.getMinutes()), two(now.getSeconds())].join('-')}`;
}
