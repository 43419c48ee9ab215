import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import cliProgress from 'cli-progress';
import { Command, Option } from 'commander';
import { parseCall } from '../../src/cli/parseCall';
import { hanging } from '../../src/common/textWrap';
import { UserError } from '../../src/common/userError';
import { assertWritable, writeWhole } from '../../src/node/durableFile';
import { reason, reportFailure } from '../../src/node/failure';
import { CHIPS } from './chips';
import type { Said } from './compileKernels';
import { factsOf, type DriverLine, type KernelFacts } from './kernelFacts';
import { openChip, type OfflineGpu } from './offlineDriver';
import { compareTables, formatTable, LEGEND, spilling, type IsaTable } from './table';

const ROOT = resolve(import.meta.dirname, '..'); // of the built program in dist/
const WIDTH = 120;

interface Flags {
  readonly chip: string;
  readonly filter: string;
  readonly drivers?: string;
  readonly unchecked: boolean;
  readonly json?: string;
  readonly compare?: string;
}

/**
 * `npm run isa`: what a GPU's own compiler makes of every kernel that training takes there, without the GPU.
 *
 * @returns 0 where all is well, 1 where a kernel spills or fell behind what it is compared with, 2 for a wrong call
 */
export async function main(argv: readonly string[]): Promise<number> {
  const command = new Command('npm run isa --')
    .description(
      'What a GPU’s own compiler makes of every kernel that training takes there, without the GPU: registers, issue slots, spills.',
    )
    .addOption(new Option('--chip <name>', 'the GPU').choices(Object.keys(CHIPS)).default('navi31'))
    .option('--filter <text>', 'only training steps that have this in their name, such as `cifar-p4 two-way`', '')
    .option('--drivers <folder>', 'drivers of GPUs that are not AMD’s; docs/kernels.md says how it is made')
    .option('--unchecked', 'without the driver’s checks of bounds', false)
    .option('--json <file>', 'save the table')
    .option('--compare <file>', 'hold the table against one that --json saved, of the same compiler');
  const code = parseCall(command, argv);
  if (code !== undefined) return code;
  try {
    return await inspect(command.opts<Flags>());
  } catch (error) {
    return reportFailure(error);
  }
}

async function inspect({ chip: name, filter, drivers, unchecked, json, compare }: Flags): Promise<0 | 1> {
  const chip = CHIPS[name];
  if (!chip) throw new UserError(`--chip: there is no '${name}'.`, { usage: true });
  if (json !== undefined) assertWritable('--json', json);
  const before = compare === undefined ? undefined : readTable(compare);
  const gpu = openChip(name, chip, drivers);
  const table = await compileOn(name, unchecked ? { ...gpu, env: { ...gpu.env, ISA_UNCHECKED: '1' } } : gpu, filter);
  if (json !== undefined) writeWhole(json, `${JSON.stringify(table, null, 1)}\n`);
  console.log(`${chip.title}: ${table.compiler}\n\n${formatTable(table)}\n`);
  console.log(hanging('', LEGEND, WIDTH).join('\n'));
  for (const [step, count] of Object.entries(table.dispatches)) console.log(`${step}: ${count} dispatches`);
  const failures = spilling(table);
  for (const line of failures) console.log(`SPILLS  ${line}`);
  const worse = before ? printComparison(before, table) : [];
  return failures.length + worse.length > 0 ? 1 : 0;
}

function printComparison(before: IsaTable, table: IsaTable): readonly string[] {
  if (before.compiler !== table.compiler || before.chip !== table.chip) {
    throw new UserError(
      `--compare: that table is of ${before.chip} by ${before.compiler}, this one of ${table.chip} by ${table.compiler}.`,
    );
  }
  const { better, worse } = compareTables(before, table);
  for (const line of better) console.log(`better  ${line}`);
  for (const line of worse) console.log(`WORSE   ${line}`);
  if (better.length + worse.length === 0) console.log('The same as before.');
  return worse;
}

function readTable(path: string): IsaTable {
  try {
    const table = JSON.parse(readFileSync(path, 'utf8')) as IsaTable | { readonly format?: unknown };
    if (isTable(table)) return table;
    throw new Error('it is no table of `npm run isa -- --json`');
  } catch (error) {
    throw new UserError(`--compare: ${path} cannot be read: ${reason(error)}.`, { usage: !existsSync(path) });
  }
}

function isTable(table: IsaTable | { readonly format?: unknown }): table is IsaTable {
  return table.format === 'palimpsest isa 1';
}

/** Compiles everything in a process of its own, for the environment says which driver there is. */
async function compileOn(chip: string, { node, env }: OfflineGpu, filter: string): Promise<IsaTable> {
  const folder = mkdtempSync(join(tmpdir(), 'palimpsest-isa-'));
  const file = join(folder, 'pipelines.jsonl');
  const bar = new cliProgress.SingleBar({
    format: 'compiling  {value} kernels  {duration_formatted}  {kernel}',
    noTTYOutput: false,
    clearOnComplete: true,
  });
  try {
    const child = spawn(node, [join(ROOT, 'tools/run.js'), 'isaKernels', filter], {
      env: { ...process.env, ...env, ISA_OUT: file },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let errors = '';
    child.stderr.on('data', (text: Buffer) => (errors += text.toString()));
    const said: Said[] = [];
    bar.start(0, 0, { kernel: '' });
    for await (const line of createInterface(child.stdout)) {
      const heard = JSON.parse(line) as Said;
      said.push(heard);
      if ('label' in heard) bar.increment(1, { kernel: heard.label });
    }
    const code = child.exitCode ?? (await new Promise<number | null>((done) => child.once('close', done)));
    bar.stop();
    if (code !== 0 || !existsSync(file)) throw new UserError(`The kernels could not be compiled:\n${errors.trim()}`);
    const lines = readFileSync(file, 'utf8').trim().split('\n');
    return tableOf(
      chip,
      said,
      lines.map((line) => JSON.parse(line) as DriverLine),
    );
  } finally {
    bar.stop();
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
