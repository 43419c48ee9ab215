import { formatDuration } from '../../common/format';
import type { ReportData, ReportPhase } from '../../report/report';

/** How a run stands: `silent` is one that should be running but was not heard of, `unknown` one that left no word. */
export interface Status {
  readonly kind: 'running' | 'silent' | 'finished' | 'stopped' | 'failed' | 'unknown';
  readonly title: string;
  readonly detail: string;
  /** Why it failed. */
  readonly message?: string;
  /** Whether going on is what one would do next. */
  readonly resumable: boolean;
}

/** A run that was not heard of for so many milliseconds may have been killed. */
const SILENCE = 180_000;
/** Or for so many of its own steps, where they are slower. */
const SILENT_STEPS = 5;
/** Points that the pace is taken from. */
const PACE_POINTS = 20;

/** @param now milliseconds, as `Date.now()` */
export function statusOf(data: ReportData, now: number): Status {
  const { phases, sessions } = data;
  const session = sessions.at(-1);
  const end = session?.end;
  const current = currentPhase(phases);
  const where = current && current.done > 0 ? describePlace(current) : 'nothing is logged yet';
  const complete = phases.length > 0 && phases.every(({ done, steps }) => steps !== undefined && done >= steps);
  if (end?.ended === 'failed') {
    const message = end.message ?? 'It left no reason.';
    return { kind: 'failed', title: 'Failed', detail: where, message, resumable: true };
  }
  if (end?.ended === 'stopped')
    return { kind: 'stopped', title: 'Stopped', detail: `${where}, saved`, resumable: true };
  if (end?.ended === 'finished' || (!session && complete)) {
    const trained = trainedSeconds(data);
    const detail = trained === undefined ? 'all steps done' : `all steps done in ${formatDuration(trained)}`;
    return { kind: 'finished', title: 'Finished', detail, resumable: false };
  }
  const silence = now - Date.parse(data.written);
  const secondsAStep = current ? secondsPerStep(current) : undefined;
  if (silence < Math.max(SILENCE, (secondsAStep ?? 0) * SILENT_STEPS * 1000)) {
    const left =
      current?.steps === undefined || secondsAStep === undefined ? 0 : (current.steps - current.done) * secondsAStep;
    const timeLeft = left > 0 ? `, about ${formatDuration(Math.ceil(left))} left in this phase` : '';
    return { kind: 'running', title: 'Running', detail: where + timeLeft, resumable: false };
  }
  if (!session)
    return { kind: 'unknown', title: 'Not finished', detail: `${where}; how it ended is not known`, resumable: true };
  const detail = `${where}; its last word is ${formatDuration(silence / 1000)} old, so it may have been killed`;
  return { kind: 'silent', title: 'No news', detail, resumable: true };
}

/** The last phase that was begun. */
function currentPhase(phases: readonly ReportPhase[]): ReportPhase | undefined {
  return phases.findLast(({ done }) => done > 0) ?? phases[0];
}

function describePlace({ title, done, steps }: ReportPhase): string {
  const all = steps === undefined ? '' : ` of ${steps.toLocaleString('en')}`;
  return `${title}, step ${done.toLocaleString('en')}${all}`;
}

function secondsPerStep({ curves, batch }: ReportPhase): number | undefined {
  const rates = (curves.values.imagesPerSecond ?? []).filter((rate) => rate !== null).slice(-PACE_POINTS);
  const middle = rates.sort((a, b) => a - b)[Math.floor(rates.length / 2)];
  return middle === undefined || middle <= 0 ? undefined : batch / middle;
}

/** Of all sessions that ended; undefined where one did not say when. */
function trainedSeconds({ sessions }: ReportData): number | undefined {
  let seconds = 0;
  for (const { time, end } of sessions) {
    if (!end) return undefined;
    seconds += (Date.parse(end.time) - Date.parse(time)) / 1000;
  }
  return sessions.length > 0 ? seconds : undefined;
}
