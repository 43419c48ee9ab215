import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import packageJson from '../../package.json' with { type: 'json' };
import { shaders } from '../../shaders/index';
import { counted, formatDuration } from '../common/format';
import {
  kernelFileText,
  kernelPlace,
  otherPlace,
  readKernelFile,
  type KernelFile,
  type KernelPlace,
} from '../formats/kernelFile';
import { UserError } from '../common/userError';
import type { Engine } from '../engine/engine';
import { isRecording } from '../imae/config/config';
import { KERNELS } from '../imae/train/runFiles';
import { choicesOf } from '../gpu/autotune';
import { measureKernels } from '../ops/tuner';
import { cacheFolders, claim } from './cacheFolders';
import { reason } from './failure';

/** The version of the package and of the text of its kernels. */
const VERSION = `${packageJson.version} ${createHash('sha256').update(JSON.stringify(shaders)).digest('hex').slice(0, 12)}`;

/** How long measuring may take, in seconds, and how many times as long a run must be for it to pay. */
const MOST_SECONDS = { software: 10, gpu: 2 };
const PAYS_FROM = 20;
/** What an adapter surely does not reach, so that a run is not taken for longer than it is by much. */
const FLOPS_A_SECOND = { software: 2e10, gpu: 4e12 };

const kindOf = ({ traits }: Engine): 'software' | 'gpu' => (traits.software ? 'software' : 'gpu');

/** What was found of an engine's choices before anything was measured. */
export interface LoadedChoices {
  /** The file that the user named. */
  readonly recording?: string;
  /** Whether what is missing may be measured. */
  readonly mayMeasure: boolean;
}

/**
 * Gives an engine the choices that there are: those of the run itself, else those that `--kernels` names, else those of
 * the cache.
 *
 * @param run folder of a run that is resumed
 * @throws UserError where `--kernels` names a file that is missing, damaged or of another adapter, driver or version
 */
export async function loadChoices(engine: Engine, kernels: string, run: string | undefined): Promise<LoadedChoices> {
  const here = kernelPlace(engine.info, VERSION);
  const choices = choicesOf(engine);
  const own = run === undefined ? undefined : await readIfHere(join(run, KERNELS), here);
  if (own) {
    choices.adopt(own.entries);
    return { mayMeasure: false };
  }
  if (isRecording(kernels)) {
    const { path, entries } = readRecording(kernels, here);
    choices.adopt(entries);
    return { recording: path, mayMeasure: false };
  }
  for (const { path } of cacheFolders()) {
    const cached = await readIfHere(join(path, cacheName(here)), here);
    if (cached) choices.adopt(cached.entries);
  }
  return { mayMeasure: true };
}

/**
 * Measures what has been asked of an engine and has no answer, where the run is long enough for it to pay, and keeps the
 * answers in the cache.
 *
 * @param flops floating-point operations of the whole run
 * @param note is told before it takes time, and what came of it
 * @param seconds it may take
 * @throws UserError where a recording names kernels that do not exist
 */
export async function completeChoices(
  engine: Engine,
  { recording, mayMeasure }: LoadedChoices,
  flops: number,
  note: (text: string) => void,
  seconds = MOST_SECONDS[kindOf(engine)],
): Promise<void> {
  const choices = choicesOf(engine);
  const [unknown] = choices.unknown;
  if (recording !== undefined && unknown) {
    throw new UserError(
      `--kernels: ${recording} names a kernel that does not exist: ${unknown}. Measure anew with --kernels fast.`,
    );
  }
  const { open, asked } = choices;
  if (recording !== undefined) {
    note(
      `kernels of ${recording} for ${asked.length - open.length} of ${counted(asked.length, 'shape')}${open.length > 0 ? '; the others by rule' : ''}`,
    );
  }
  if (!mayMeasure || open.length === 0 || flops / FLOPS_A_SECOND[kindOf(engine)] < PAYS_FROM * seconds) return;
  note(
    `timing kernels on ${counted(open.length, 'shape')} for up to ${formatDuration(seconds)}: once for this adapter, then kept`,
  );
  const { entries, refused, changed, ratio } = await measureKernels(engine, open, seconds);
  for (const variant of refused) note(`not used on this adapter: ${variant}`);
  choices.adopt(entries);
  const answered = Object.keys(entries).length;
  if (answered === 0) {
    note('the time was too short for any; the next run tries again');
    return;
  }
  await writeCache({ ...kernelPlace(engine.info, VERSION), entries }).catch((error: unknown) => {
    note(`the measured kernels are not kept for other runs: ${reason(error)}`);
  });
  const gain = changed > 0 ? `; they take ${Math.round(ratio * 100)} % of the time before` : '';
  note(`of ${counted(answered, 'shape')}, ${changed} got another kernel than by rule${gain}`);
}

/** What an engine took of what was measured, for the run folder. */
export function usedChoices(engine: Engine): KernelFile {
  return { ...kernelPlace(engine.info, VERSION), entries: choicesOf(engine).used };
}

/** Choices of a file that hold here; undefined where it is missing, damaged or of another place. */
async function readIfHere(path: string, here: KernelPlace): Promise<KernelFile | undefined> {
  try {
    const file = readKernelFile(await readFile(path, 'utf8'), path);
    return otherPlace(file, here) === undefined ? file : undefined;
  } catch {
    return undefined;
  }
}

function readRecording(kernels: string, here: KernelPlace): { path: string; entries: KernelFile['entries'] } {
  const path = existsSync(kernels) && statSync(kernels).isDirectory() ? join(kernels, KERNELS) : kernels;
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new UserError(
      `--kernels: ${path} cannot be read: ${reason(error)}. Give plain, fast, or a run's folder or ${KERNELS}.`,
      { usage: true },
    );
  }
  const file = readKernelFile(text, `--kernels: ${path}`);
  const other = otherPlace(file, here);
  if (other !== undefined) {
    throw new UserError(
      `--kernels: ${path} ${other}. Such choices hold only where they were measured: give --kernels fast.`,
    );
  }
  return { path, entries: file.entries };
}

/** A name for each adapter and driver. */
function cacheName({ adapter, driver }: KernelPlace): string {
  const words = adapter
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 60);
  return `kernels-${words}-${createHash('sha256').update(`${adapter}\n${driver}`).digest('hex').slice(0, 12)}.json`;
}

/** Adds to what the cache holds, whole or not at all; processes may do so at the same time. */
async function writeCache(file: KernelFile): Promise<void> {
  let refusal: unknown;
  for (const { path, shared } of cacheFolders()) {
    try {
      if (shared) await claim(path);
      else await mkdir(path, { recursive: true });
      const target = join(path, cacheName(file));
      const before = await readIfHere(target, file);
      const draft = `${target}.${process.pid}`;
      await writeFile(draft, kernelFileText({ ...file, entries: { ...before?.entries, ...file.entries } }));
      await rename(draft, target);
      return;
    } catch (error) {
      refusal ??= error;
    }
  }
  throw refusal;
}
