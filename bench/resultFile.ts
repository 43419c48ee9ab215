import type { TestResult } from '../kernels-test/runSuites';
import { UserError } from '../src/common/userError';
import type { DeviceReport } from './device';
import type { Ceilings } from './roofline';
import type { BenchFailure, BenchOutcome } from './runBenches';
import type { Clock } from './repeatedTiming';
import type { HostTiming } from './host.bench';
import type { StartUp } from './startUp.bench';
import type { StepResult } from './step.bench';

/** The name and version of the form below. */
export const FORMAT = 'palimpsest bench 1';

/**
 * What was found on one device, as the command and the page save it. Readers can rely on it: fields may be added, and where
 * one goes or changes its meaning, `format` changes.
 */
export interface SavedBench {
  readonly format: typeof FORMAT;
  /** When it was saved, ISO 8601. */
  readonly date: string;
  /** The version of this project. */
  readonly palimpsest: string;
  /** The browser's user agent, or Node.js with its version and system. */
  readonly runtime: string;
  readonly device: DeviceReport;
  /** There where the adapter is software. */
  readonly warning?: string;
  /** Which kernels `benches` are of. */
  readonly kernels: 'fast' | 'plain';
  /** What times were read from, and what the adapter can do at most; absent where nothing was timed. */
  readonly clock?: Clock;
  readonly ceilings?: Ceilings;
  /** Those with a `failure` say what differs, those with `skipped` why they were left out. */
  readonly benches: readonly BenchOutcome[];
  readonly steps: readonly (StepResult | BenchFailure)[];
  /** What a step takes of the host, where it was timed. */
  readonly host?: HostTiming | BenchFailure;
  readonly startUp: readonly (StartUp | BenchFailure)[];
  /** Of the page: those with a `failure` say what differs. Times are those of the whole test, its reference and all. */
  readonly tests?: readonly TestResult[];
}

/**
 * Reads what was saved.
 *
 * @param name of the file, for messages
 * @throws UserError (usage) where it is no such file
 */
export function parseSaved(name: string, text: string): SavedBench {
  const refuse = (what: string): never => {
    throw new UserError(
      `${name} ${what}. Give a file that \`npm run bench -- --json FILE\` or the page's Kernels saved.`,
      { usage: true },
    );
  };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return refuse('is no JSON');
  }
  if (!isRecord(value) || typeof value['format'] !== 'string') return refuse('holds no benches of palimpsest');
  if (value['format'] !== FORMAT) return refuse(`has the format '${value['format']}', not '${FORMAT}'`);
  const lists = ['benches', 'steps', 'startUp'].map((key) => value[key]);
  const { device } = value;
  const complete =
    lists.every((list) => Array.isArray(list) && list.every(isOutcome)) &&
    isRecord(device) &&
    isRecord(device['adapter']) &&
    typeof device['adapter']['name'] === 'string';
  return complete ? (value as unknown as SavedBench) : refuse('is damaged: a part of it is missing');
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isOutcome(value: unknown): boolean {
  if (!isRecord(value) || typeof value['kernel'] !== 'string' || typeof value['name'] !== 'string') return false;
  if ('failure' in value || 'skipped' in value) return true;
  const times = [
    value['microseconds'],
    value['total'],
    isRecord(value['fast']) ? value['fast']['milliseconds'] : undefined,
  ];
  return times.some((time) => typeof time === 'number' && time > 0);
}
