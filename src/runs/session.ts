import { relative } from 'node:path';
import packageJson from '../../package.json' with { type: 'json' };
import type { SessionStart } from '../report/session';
import { shellQuoted } from '../common/shell';
import { isSoftware, nameAdapter } from '../gpu/adapter';
import type { RunPosition } from '../imae/train/runFiles';

/** What is known of a process that begins to work on a run. */
export function sessionStart(
  at: RunPosition,
  args: readonly string[],
  adapter: GPUAdapterInfo,
  { trainingImages, kernels }: Required<Pick<SessionStart, 'trainingImages' | 'kernels'>>,
): SessionStart {
  return {
    time: new Date().toISOString(),
    command: trainCommand(args),
    ...at,
    adapter: nameAdapter(adapter),
    software: isSoftware(adapter),
    platform: `Node ${process.versions.node}`,
    palimpsest: packageJson.version,
    kernels,
    trainingImages,
  };
}

/** The command that this program is called by, with arguments, as a shell takes it from where the user is. */
export function trainCommand(args: readonly string[]): string {
  const script = process.argv[1] ?? 'train.js';
  const near = relative(process.cwd(), script);
  return ['node', near.startsWith('..') ? script : near, ...args].map(shellQuoted).join(' ');
}
