import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { UserError } from '../../src/common/userError';
import type { Said } from './compileKernels';
import { factsOf, type DriverLine, type KernelFacts } from './kernelFacts';
import type { OfflineGpu } from './offlineDriver';
import type { IsaTable } from './table';

const ROOT = resolve(import.meta.dirname, '..'); // of the built program in dist/

/**
 * Compiles the kernels of training steps for a chip.
 *
 * @param filter what a step's name must hold, or nothing for all steps
 * @param onKernel is told each kernel's name when it is compiled
 * @throws UserError where the compiling process fails
 */
export async function compileOn(
  chip: string,
  gpu: OfflineGpu,
  filter: string,
  onKernel: (name: string) => void,
): Promise<IsaTable> {
  const { said, lines } = await runCompiler<Said>('isaKernels', gpu, filter, (each) => {
    if ('label' in each) onKernel(each.label);
  });
  return tableOf(chip, said, lines);
}

/**
 * Runs a program that compiles in a process of its own: the environment says which driver there is.
 *
 * @returns what it said, a JSON object a line, and what the driver wrote of the pipelines that it made
 * @throws UserError where it fails
 */
export async function runCompiler<T>(
  program: 'isaKernels' | 'isaPeers',
  { node, env }: OfflineGpu,
  filter: string,
  onSaid: (said: T) => void,
): Promise<{ readonly said: readonly T[]; readonly lines: readonly DriverLine[] }> {
  const folder = mkdtempSync(join(tmpdir(), 'palimpsest-isa-'));
  const file = join(folder, 'pipelines.jsonl');
  try {
    const child = spawn(node, [join(ROOT, 'tools/run.js'), program, filter], {
      env: { ...process.env, ...env, ISA_OUT: file },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const closed = new Promise<number | null>((done) => child.once('close', done));
    let errors = '';
    child.stderr.on('data', (text: Buffer) => (errors += text.toString()));
    const said: T[] = [];
    for await (const line of createInterface(child.stdout)) {
      const heard = JSON.parse(line) as T;
      said.push(heard);
      onSaid(heard);
    }
    if ((await closed) !== 0 || !existsSync(file)) {
      throw new UserError(`The kernels could not be compiled:\n${errors.trim()}`);
    }
    const lines = readFileSync(file, 'utf8').trim().split('\n');
    return { said, lines: lines.map((line) => JSON.parse(line) as DriverLine) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function tableOf(chip: string, said: readonly Said[], lines: readonly DriverLine[]): IsaTable {
  const times = new Map(said.flatMap((each) => ('label' in each ? [[each.label, each.milliseconds] as const] : [])));
  const kernels = new Map<string, KernelFacts>();
  for (const line of lines) kernels.set(line.label, factsOf(line, times.get(line.label) ?? 0));
  return {
    format: 'palimpsest isa 1',
    chip,
    compiler: said.find((each) => 'compiler' in each)?.compiler ?? '',
    dispatches: Object.fromEntries(
      said.flatMap((each) => ('program' in each ? [[`${each.precision} ${each.program}`, each.dispatches]] : [])),
    ),
    kernels: [...kernels.values()].sort((a, b) => (a.name < b.name ? -1 : 1)),
  };
}
