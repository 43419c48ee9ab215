import { parseRunLine } from '../../common/jsonLine';
import type { Phase } from '../config/config';

/*
 * The files of a run, wherever they are kept: their names, which of them stay, and their lines. A disk and a browser's
 * memory hold the same folder: `config.json`, `metrics.jsonl`, `sessions.jsonl`, `checkpoints/` and `panels/`.
 */

export const CONFIG = 'config.json';
/** In its place in the folder of a fine-tuning. */
export const FINETUNE = 'finetune.json';
/** What an evaluation, or a study's run, found. */
export const RESULT = 'result.json';
export const METRICS = 'metrics.jsonl';
export const SESSIONS = 'sessions.jsonl';
export const KERNELS = 'kernels.json';
export const PROFILE = 'profile.json';
export const TRACE = 'trace.json';
export const BROKEN_IMAGES = 'broken-images.txt';
export const CHECKPOINTS = 'checkpoints';
export const PANELS = 'panels';

/** What checkpoints are of: a phase of a run, or the classifier that fine-tuning trains. */
export type Trained = Phase | 'classifier';

/** The phases of a run in the order in which they are trained. */
const PHASE_ORDER: readonly Trained[] = ['teacher', 'imae', 'mae', 'lcmae', 'classifier'];
const NAME = /^(teacher|imae|mae|lcmae|classifier)-(\d+)(\.state)?\.safetensors$/;
/** Checkpoints of a phase that stay while it is trained. */
const KEPT = 2;

/** A place in a run: a phase, and the optimizer steps of it that are done, so the next step to run. */
export interface RunPosition<P extends Trained = Phase> {
  readonly phase: P;
  readonly step: number;
}

/** A line of `metrics.jsonl`: where the run stood, and what was measured. */
export interface MetricsLine extends RunPosition {
  readonly [name: string]: unknown;
}

/** Whether `a` comes before `b` in a run. */
export function isBefore(a: RunPosition<Trained>, b: RunPosition<Trained>): boolean {
  return a.phase === b.phase ? a.step < b.step : PHASE_ORDER.indexOf(a.phase) < PHASE_ORDER.indexOf(b.phase);
}

/** What a new run's folder is called: the local time and the preset. */
export function runName(now: Date, preset: string): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const date = [now.getFullYear(), two(now.getMonth() + 1), two(now.getDate())].join('-');
  return `${date}_${[two(now.getHours()), two(now.getMinutes()), two(now.getSeconds())].join('-')}-${preset}`;
}

/** The names of a checkpoint's two files: the model alone, with the published parameter names, and all else that resuming needs. */
export function checkpointFiles({ phase, step }: RunPosition<Trained>): {
  readonly model: string;
  readonly state: string;
} {
  return { model: `${phase}-${step}.safetensors`, state: `${phase}-${step}.state.safetensors` };
}

/** Whether a file in `checkpoints/` is one that a run writes and may delete. */
export function isCheckpointFile(name: string): boolean {
  return NAME.test(name);
}

/**
 * The complete checkpoints among files, oldest first: those of which the state, which is written last, is there. A folder
 * holds phases, or a classifier, never both.
 */
export function completeCheckpoints<P extends Trained = Phase>(names: Iterable<string>): readonly RunPosition<P>[] {
  const known = new Set(names);
  return [...known]
    .map((name) => NAME.exec(name))
    .filter((match) => match?.[3] !== undefined)
    .map((match) => ({ phase: match?.[1] as P, step: Number(match?.[2]) }))
    .filter((moment) => known.has(checkpointFiles(moment).model))
    .sort((a, b) => (isBefore(a, b) ? -1 : 1));
}

/** The files of those checkpoints that stay: the last two of the phase under way, and the last one of each other phase. */
export function keptCheckpointFiles(names: Iterable<string>, current: Trained): ReadonlySet<string> {
  const complete = completeCheckpoints<Trained>(names);
  const kept = PHASE_ORDER.flatMap((phase) =>
    complete.filter((moment) => moment.phase === phase).slice(phase === current ? -KEPT : -1),
  );
  return new Set(kept.map(checkpointFiles).flatMap(({ model, state }) => [model, state]));
}

/** The text of a `metrics.jsonl` without the lines from a moment on, and without a line that an interruption left unfinished. */
export function metricsBefore(text: string, from: RunPosition): string {
  const kept = text.split('\n').filter((line) => {
    const parsed = parseRunLine(line);
    return parsed !== undefined && isBefore(parsed as RunPosition, from);
  });
  return kept.map((line) => `${line}\n`).join('');
}

/** A line as it is appended to a text of lines, the last of which may have been cut by a kill or a full disk. */
export function appendedLine(text: string, line: object): string {
  return `${/(^|\n)$/.test(text) ? '' : '\n'}${JSON.stringify(line)}\n`;
}
