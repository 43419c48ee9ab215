import { readSessions, type Session, type SessionLine } from '../../report/session';
import { UserError } from '../../common/userError';
import { resolveConfig, type Config, type Phase } from '../../imae/config/config';
import {
  appendedLine,
  BROKEN_IMAGES,
  checkpointFiles,
  CHECKPOINTS,
  completeCheckpoints,
  CONFIG,
  isBefore,
  isCheckpointFile,
  keptCheckpointFiles,
  METRICS,
  metricsBefore,
  PANELS,
  SESSIONS,
  type MetricsLine,
  type RunPosition,
} from '../../imae/train/runFiles';

/** A file with the name under which messages speak of it. */
export interface FolderEntry {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** A complete checkpoint: all that a run needs to go on from it. */
export interface SavedCheckpoint extends RunPosition {
  readonly model: FolderEntry;
  readonly state: FolderEntry;
}

/** The files of a folder by their paths in it, with slashes. */
export type Files = ReadonlyMap<string, Uint8Array>;

const SHEET = new RegExp(`^${PANELS}/(teacher|imae|mae)-(\\d+)\\.png$`);

/**
 * A run folder in memory: the same files under the same names as Node's, of which only those are kept that a run can go
 * on without. It outlives the worker that trains.
 */
export class MemoryFolder {
  private configText = '';
  private metricsText = '';
  private sessionsText = '';
  private brokenText = '';
  /** Checkpoints and panels, by their paths. */
  private readonly binary = new Map<string, Uint8Array>();
  private comesAgain = false;

  constructor(
    /** What the folder is called. */
    readonly name: string,
  ) {}

  /**
   * A folder of files that were loaded: those of a run, or of a folder with a run in it.
   *
   * @param name what the folder is called where the files do not say
   * @throws UserError where there is no run among them
   */
  static from(name: string, files: Files): MemoryFolder {
    const [root, another] = rootsOf(files);
    if (root === undefined) {
      throw new UserError(
        `${name} is no run: it has no ${CONFIG}. Give a run that this page saved, or a folder that Node left under runs/.`,
      );
    }
    if (another !== undefined)
      throw new UserError(`${name} holds several runs: ${root}, ${another} … Give one of them.`);
    const folder = new MemoryFolder(root.split('/').at(-2) ?? name);
    const text = (file: string): string => new TextDecoder().decode(files.get(root + file));
    folder.configText = text(CONFIG);
    folder.metricsText = text(METRICS);
    folder.sessionsText = text(SESSIONS);
    folder.brokenText = text(BROKEN_IMAGES);
    for (const [path, bytes] of files) {
      if (!path.startsWith(root)) continue;
      const [part, file, ...deeper] = path.slice(root.length).split('/');
      if (file === undefined || deeper.length > 0) continue;
      if ((part === CHECKPOINTS && isCheckpointFile(file)) || (part === PANELS && file.endsWith('.png'))) {
        folder.binary.set(`${part}/${file}`, bytes);
      }
    }
    return folder;
  }

  /** Every file, by its path in the folder. */
  files(): Map<string, Uint8Array> {
    const encoder = new TextEncoder();
    const texts = Object.entries({
      [CONFIG]: this.configText,
      [METRICS]: this.metricsText,
      [SESSIONS]: this.sessionsText,
      [BROKEN_IMAGES]: this.brokenText,
    });
    return new Map([
      ...texts.filter(([, text]) => text !== '').map(([path, text]) => [path, encoder.encode(text)] as const),
      ...this.binary,
    ]);
  }

  /** Bytes of all files, nearly. */
  get size(): number {
    const texts = this.configText.length + this.metricsText.length + this.sessionsText.length;
    return [...this.binary.values()].reduce((sum, bytes) => sum + bytes.length, texts);
  }

  writeConfig(config: Config): void {
    this.configText = `${JSON.stringify(config, null, 2)}\n`;
  }

  /** @throws UserError where it is no JSON, or no configuration */
  readConfig(): Config {
    const source = `${this.name}/${CONFIG}`;
    return resolveConfig([{ source, values: parseJson(this.configText, source) }]);
  }

  /** The text of `metrics.jsonl`. */
  get metrics(): string {
    return this.metricsText;
  }

  /** The run goes on from its last checkpoint: lines from there on will come again, and the first new one takes them back. */
  goOn(): void {
    this.comesAgain = true;
  }

  appendMetrics(line: MetricsLine): void {
    if (this.comesAgain) this.metricsText = metricsBefore(this.metricsText, line);
    this.comesAgain = false;
    this.metricsText += `${JSON.stringify(line)}\n`;
  }

  /** Who worked on the run, the last last. */
  sessions(): readonly Session[] {
    return readSessions(this.sessionsText);
  }

  appendSession(line: SessionLine): void {
    this.sessionsText += appendedLine(this.sessionsText, line);
  }

  /** Notes an image file that could not be decoded, once. */
  noteBroken(path: string, why: string): void {
    const line = `${path}: ${why}\n`;
    if (!this.brokenText.includes(line)) this.brokenText += line;
  }

  /** The image files that could not be decoded and have others in their place, a line each. */
  get broken(): readonly string[] {
    return this.brokenText.split('\n').filter((line) => line !== '');
  }

  /** Keeps a sheet of panels. */
  writePicture(name: string, png: Uint8Array): void {
    this.binary.set(`${PANELS}/${name}.png`, png);
  }

  /** The last sheet of panels. */
  lastPicture(): FolderEntry | undefined {
    const sheets = [...this.binary]
      .map(([name, bytes]) => ({ name, bytes, match: SHEET.exec(name) }))
      .flatMap(({ name, bytes, match }) =>
        match ? [{ name, bytes, phase: match[1] as Phase, step: Number(match[2]) }] : [],
      );
    return sheets.sort((a, b) => (isBefore(a, b) ? -1 : 1)).at(-1);
  }

  /** Keeps a checkpoint, and drops those no longer needed, as Node does. */
  writeCheckpoint(moment: RunPosition, model: Uint8Array, state: Uint8Array): void {
    const files = checkpointFiles(moment);
    this.binary.set(`${CHECKPOINTS}/${files.model}`, model);
    this.binary.set(`${CHECKPOINTS}/${files.state}`, state);
    const names = this.checkpointNames();
    const kept = keptCheckpointFiles(names, moment.phase);
    for (const name of names) if (!kept.has(name)) this.binary.delete(`${CHECKPOINTS}/${name}`);
  }

  /** The last complete checkpoint; undefined before the first. */
  lastCheckpoint(): SavedCheckpoint | undefined {
    return this.checkpoint(() => true);
  }

  /** The last complete checkpoint of a phase. */
  finished(phase: Phase): SavedCheckpoint | undefined {
    return this.checkpoint((moment) => moment.phase === phase);
  }

  private checkpoint(isWanted: (moment: RunPosition) => boolean): SavedCheckpoint | undefined {
    const moment = completeCheckpoints(this.checkpointNames()).filter(isWanted).at(-1);
    if (!moment) return undefined;
    const { model, state } = checkpointFiles(moment);
    return { ...moment, model: this.named(model), state: this.named(state) };
  }

  private named(file: string): FolderEntry {
    const name = `${CHECKPOINTS}/${file}`;
    return { name, bytes: this.binary.get(name) as Uint8Array };
  }

  private checkpointNames(): string[] {
    return [...this.binary.keys()]
      .filter((path) => path.startsWith(`${CHECKPOINTS}/`))
      .map((path) => path.slice(CHECKPOINTS.length + 1));
  }
}

/** Where runs lie among files: before those `config.json` that lie highest. '' is the top. */
function rootsOf(files: Files): string[] {
  const depth = (path: string): number => path.split('/').length;
  const configs = [...files.keys()].filter((path) => path === CONFIG || path.endsWith(`/${CONFIG}`));
  const highest = Math.min(...configs.map(depth));
  return configs.filter((path) => depth(path) === highest).map((path) => path.slice(0, -CONFIG.length));
}

/**
 * The content of a JSON file.
 *
 * @param source what messages call the file
 * @throws UserError where it is none
 */
export function parseJson(text: string, source: string): unknown {
  try {
    return JSON.parse(text.replace(/^\uFEFF/, '')) as unknown;
  } catch (error) {
    throw new UserError(`${source} cannot be read as JSON: ${error instanceof Error ? error.message : String(error)}.`);
  }
}
