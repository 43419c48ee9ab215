import { spawn } from 'node:child_process';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..', '..');

export interface Ended {
  readonly code: number | null;
  readonly out: string;
  /** Without what Dawn says about the limits of a software adapter. */
  readonly err: string;
}

/**
 * Runs `node train.js` for a test, to its end.
 *
 * @param interruptAt sends SIGINT when the output first matches
 */
export function spawnTrain(args: readonly string[], { interruptAt }: { interruptAt?: RegExp } = {}): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(root, 'train.js'), ...args], { cwd: root });
    let out = '';
    let err = '';
    let interrupted = false;
    child.stderr.on('data', (text: Buffer) => (err += text.toString()));
    child.stdout.on('data', (text: Buffer) => {
      out += text.toString();
      if (interrupted || !interruptAt?.test(out)) return;
      interrupted = true;
      child.kill('SIGINT');
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, out, err: err.replace(/^Warning: maxDynamic.*\n/gm, '') }));
  });
}
