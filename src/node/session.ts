import packageJson from '../../package.json' with { type: 'json' };
import { describeAdapter, isSoftware } from '../gpu/engine';
import type { Phase } from '../imae/config';
import type { RunFolder } from './runFolder';

/** Where a run stands. */
interface Moment {
  readonly phase: Phase;
  /** Steps done in the phase. */
  readonly step: number;
}

/** A process begins to work on a run. */
export function sessionBegins(folder: RunFolder, at: Moment, args: readonly string[], adapter: GPUAdapterInfo): void {
  folder.appendSession({
    time: new Date().toISOString(),
    command: commandOf(args),
    ...at,
    adapter: describeAdapter(adapter),
    software: isSoftware(adapter),
    node: process.versions.node,
    palimpsest: packageJson.version,
  });
}

/** It ends, in an orderly way. */
export function sessionEnds(
  folder: RunFolder,
  at: Moment,
  ended: 'finished' | 'stopped' | 'failed',
  message?: string,
): void {
  folder.appendSession({ time: new Date().toISOString(), ended, ...at, ...(message === undefined ? {} : { message }) });
}

/** The command as a shell would take it. */
export function commandOf(args: readonly string[]): string {
  const quoted = args.map((argument) =>
    /^[\w./,:=@%+-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", "'\\''")}'`,
  );
  return ['node', 'train.js', ...quoted].join(' ');
}
