import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../common/userError';
import { resolveConfig } from '../imae/config/config';
import { identifySettings } from '../imae/train/identity';
import { CONFIG, RESULT } from '../imae/train/runFiles';
import type { StudyPlan } from '../imae/studies/plan';
import type { CellValues } from '../imae/studies/table';
import { writeWhole } from '../node/durableFile';
import { reason } from '../node/failure';
import { RunFolder } from './runFolder';

const STUDY = 'study.json';
const RUNS = 'runs';
const FORMAT = 1;

/** What a run of a cell came to, as `runs/NAME/result.json`. */
export interface RunResultFile {
  readonly cell: string;
  readonly seed: number;
  readonly values: CellValues;
  readonly adapter: string;
  readonly software: boolean;
}

/** What a study is, as `study.json`. */
export interface StudyFile {
  readonly plan: StudyPlan;
  /** What its images are called, how many are trained on, and a digest of all. */
  readonly data: { readonly name: string; readonly trainingImages: number; readonly digest: string };
}

/** The folder of a study: `study.json`, a run folder with a `result.json` a run and a teacher under `runs/`, the report. */
export class StudyFolder {
  private constructor(readonly path: string) {}

  /**
   * Opens or begins a study in a folder.
   *
   * @param out absent: a new folder under `runs/`
   * @throws UserError where the folder holds something else, or a study of other settings or images
   */
  static begin(out: string | undefined, file: StudyFile): StudyFolder {
    const known = out !== undefined && existsSync(join(out, STUDY)) ? readStudy(out) : undefined;
    if (known && out !== undefined) {
      assertSame(known, file, out);
      return new StudyFolder(out);
    }
    const made = RunFolder.create({ ...(out === undefined ? {} : { out }), name: `study-${file.plan.study}` });
    try {
      made.writeFile(STUDY, `${JSON.stringify({ format: FORMAT, ...file }, null, 1)}\n`);
      return new StudyFolder(made.path);
    } finally {
      made.close();
    }
  }

  /**
   * Looks whether a study can be begun or gone on with, without writing anything.
   *
   * @param file absent while the images are not loaded
   * @throws UserError as `begin`
   */
  static assertUsable(out: string | undefined, file?: StudyFile): void {
    if (out === undefined || !existsSync(join(out, STUDY))) return RunFolder.assertCreatable(out);
    const known = readStudy(out);
    if (file) assertSame(known, file, out);
  }

  /** @throws UserError where there is none */
  static open(path: string): { readonly folder: StudyFolder; readonly file: StudyFile } {
    return { folder: new StudyFolder(path), file: readStudy(path) };
  }

  /** Where a run, or a teacher, has its run folder. */
  runPath(name: string): string {
    return join(this.path, RUNS, name);
  }

  result(name: string): RunResultFile | undefined {
    const path = join(this.runPath(name), RESULT);
    return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as RunResultFile) : undefined;
  }

  writeResult(name: string, result: RunResultFile): void {
    writeWhole(join(this.runPath(name), RESULT), `${JSON.stringify(result, null, 1)}\n`);
  }

  /** The names of all runs, and teachers, whose training has ended. */
  trained(): string[] {
    return this.begun().filter((name) => {
      const path = this.runPath(name);
      return (
        existsSync(join(path, CONFIG)) && RunFolder.open(path, '--out').sessions().at(-1)?.end?.ended === 'finished'
      );
    });
  }

  private begun(): string[] {
    const runs = join(this.path, RUNS);
    return existsSync(runs) ? readdirSync(runs) : [];
  }

  /** The names of all runs that have a result. */
  finished(): string[] {
    return this.begun().filter((name) => existsSync(join(this.runPath(name), RESULT)));
  }
}

function readStudy(path: string): StudyFile {
  const file = join(path, STUDY);
  if (!existsSync(file))
    throw new UserError(`${path} is no study: it has no ${STUDY}. Give a folder that node train.js study has left.`, {
      usage: true,
    });
  try {
    const { format, plan, data } = JSON.parse(readFileSync(file, 'utf8')) as StudyFile & { readonly format: unknown };
    if (format !== FORMAT)
      throw new UserError(
        `${file} is of format ${String(format)}, this version reads ${FORMAT}. Start the study anew.`,
      );
    return { plan: { ...plan, base: resolveConfig([{ source: file, values: plan.base }]) }, data };
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`${file} cannot be read: ${reason(error)}. Start the study anew.`);
  }
}

/** @throws UserError that names what differs; where files lie and what is logged may */
export function assertSame(known: StudyFile, now: StudyFile, where: string): void {
  const [then, here] = [facts(known), facts(now)];
  const name = Object.keys({ ...then, ...here }).find((each) => then[each] !== here[each]);
  if (name === undefined) return;
  throw new UserError(
    `${where} is a study with ${name} ${then[name] ?? 'unknown'}, not ${here[name] ?? 'unknown'}. ` +
      'Give the settings that it was begun with, or another folder.',
    { usage: true },
  );
}

function facts({ plan, data }: StudyFile): Record<string, string> {
  const { base, ...others } = plan;
  return {
    ...Object.fromEntries(Object.entries(others).map(([name, value]) => [name, JSON.stringify(value)])),
    ...identifySettings(base),
    images: data.digest,
  };
}
