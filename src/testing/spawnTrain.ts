import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..', '..');

export interface Ended {
  readonly code: number | null;
  readonly out: string;
  /** Without what Dawn says about the limits of a software adapter. */
  readonly err: string;
}

const PATIENCE = 110_000;

interface SpawnOptions {
  /** What to do to the process when its output first matches, one after the other. */
  readonly whenSaid?: readonly (readonly [RegExp, (child: ChildProcess) => void])[];
  /** Kills the process, which can do nothing about it, after so many milliseconds; by default when its test is given up. */
  readonly killAfter?: number;
  readonly cwd?: string;
  /** Variables of the environment that are set beside those that there are. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs `node train.js` for a test, to its end. */
export function spawnTrain(args: readonly string[], options: SpawnOptions = {}): Promise<Ended> {
  const { whenSaid = [], killAfter = PATIENCE, cwd = root, env } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(root, 'train.js'), ...args], { cwd, env: { ...process.env, ...env } });
    const killer = setTimeout(() => child.kill('SIGKILL'), killAfter);
    let out = '';
    let err = '';
    const waiting = [...whenSaid];
    child.stderr.on('data', (text: Buffer) => (err += text.toString()));
    child.stdout.on('data', (text: Buffer) => {
      out += text.toString();
      const [said, act] = waiting[0] ?? [];
      if (!act || !said?.test(out)) return;
      waiting.shift();
      act(child);
    });
    child.on('error', reject);
    child.on('close', (code) => {
      clearTimeout(killer);
      resolve({ code, out, err: err.replace(/^Warning: maxDynamic.*\n/gm, '') });
    });
  });
}
