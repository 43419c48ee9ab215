/*
 * `sessions.jsonl` of a run folder: who trained it, when and on what. A process, or a page, writes a line when it begins
 * or goes on with a run and another when it ends, so a session without an end is still running or was killed.
 */

import { parseRunLine } from '../common/jsonLine';

/** A process begins or goes on with a run. */
export interface SessionStart {
  /** ISO 8601, UTC. */
  readonly time: string;
  /** As it was typed; absent where nothing was, as in the page. */
  readonly command?: string;
  readonly phase: string;
  /** Steps of the phase done before. */
  readonly step: number;
  /** The adapter's name and driver. */
  readonly adapter: string;
  /** Whether the adapter is emulated by the CPU. */
  readonly software: boolean;
  /** What it ran in, with its version: `Node 20.20.2`. */
  readonly platform: string;
  /** The version. */
  readonly palimpsest: string;
  /** The kernels: `plain`, or the file of the run folder that says which were chosen by measurement. */
  readonly kernels?: string;
  /** Images of the training set: without them, a length in epochs cannot be told in steps. */
  readonly trainingImages?: number;
  /** Settings that were changed for the steps from here on: `optimizer.learningRate from 0.008 lr to 0.004 lr`. */
  readonly changes?: readonly string[];
}

/** A process leaves a run. */
export interface SessionEnd {
  readonly time: string;
  readonly ended: 'finished' | 'stopped' | 'failed';
  readonly phase: string;
  /** Steps of the phase done. */
  readonly step: number;
  /** Why it failed. */
  readonly message?: string;
}

/** What is known of a session that ends in an orderly way. */
export function sessionEnd(
  { phase, step }: Pick<SessionEnd, 'phase' | 'step'>,
  ended: SessionEnd['ended'],
  message?: string,
): SessionEnd {
  return { time: new Date().toISOString(), ended, phase, step, ...(message === undefined ? {} : { message }) };
}

export type SessionLine = SessionStart | SessionEnd;

/** A process from its beginning to its end, as far as it said that it ended. */
export interface Session extends SessionStart {
  readonly end?: SessionEnd;
}

/** The sessions that the text of a `sessions.jsonl` tells of, oldest first. Lines that cannot be read are left out. */
export function readSessions(text: string): Session[] {
  const sessions: Session[] = [];
  for (const line of text.split('\n')) {
    const parsed = parseSessionLine(line);
    if (!parsed) continue;
    if (!('ended' in parsed)) {
      sessions.push(parsed);
      continue;
    }
    const last = sessions.at(-1);
    if (last && !last.end) sessions[sessions.length - 1] = { ...last, end: parsed };
  }
  return sessions;
}

function parseSessionLine(text: string): SessionLine | undefined {
  const line = parseRunLine(text);
  const isSession = typeof line?.['time'] === 'string' && ('ended' in line || 'adapter' in line);
  return isSession ? (line as unknown as SessionLine) : undefined;
}
