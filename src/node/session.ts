import { relative } from 'node:path';
import packageJson from '../../package.json' with { type: 'json' };
import type { SessionEnd, SessionStart } from '../files/session';
import { shellQuoted } from '../files/shell';
import { isSoftware, nameAdapter } from '../gpu/engine';
import type { Moment } from './checkpoints';

/** What is known of a process that begins to work on a run. */
export function sessionStart(at: Moment, args: readonly string[], adapter: GPUAdapterInfo, trainingImages: number): SessionStart {
  return {
    time: new Date().toISOString(),
    command: trainCommand(args),
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

/** The command that this program is called by, with arguments, as a shell takes it from where the user is. */
export function trainCommand(args: readonly string[]): string {
  const script = process.argv[1] ?? 'train.js';
  const near = relative(process.cwd(), script);
  return ['node', near.startsWith('..') ? script : near, ...args].map(shellQuoted).join(' ');
}
