import packageJson from '../../package.json' with { type: 'json' };
import type { SessionEnd, SessionStart } from '../files/session';
import { isSoftware, nameAdapter } from '../gpu/engine';
import type { Phase } from '../imae/config';

/** Where a run stands. */
interface Moment {
  readonly phase: Phase;
  /** Steps done in the phase. */
  readonly step: number;
}

/** What is known of a process that begins to work on a run. */
export function sessionStart(at: Moment, args: readonly string[], adapter: GPUAdapterInfo, trainingImages: number): SessionStart {
  return {
    time: new Date().toISOString(),
    command: commandOf(args),
    ...at,
    adapter: nameAdapter(adapter),
    software: isSoftware(adapter),
    node: process.versions.node,
    palimpsest: packageJson.version,
    trainingImages,
  };
}

/** What is known of it when it ends in an orderly way. */
export function sessionEnd(at: Moment, ended: SessionEnd['ended'], message?: string): SessionEnd {
  return { time: new Date().toISOString(), ended, ...at, ...(message === undefined ? {} : { message }) };
}

/** The command as a shell would take it. */
function commandOf(args: readonly string[]): string {
  const quoted = args.map((argument) =>
    /^[\w./,:=@%+-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", "'\\''")}'`,
  );
  return ['node', 'train.js', ...quoted].join(' ');
}
