import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import cliProgress from 'cli-progress';
import { Command, Option } from 'commander';
import { parseCall } from '../../src/cli/parseCall';
import { findPackages } from '../../src/cli/peers';
import { hanging } from '../../src/common/textWrap';
import { UserError } from '../../src/common/userError';
import { assertWritable, writeWhole } from '../../src/node/durableFile';
import { reason, reportFailure } from '../../src/node/failure';
import { CHIPS } from './chips';
import { compileOn, runCompiler } from './compileOn';
import type { PeersSaid } from './compilePeers';
import { openChip, type OfflineGpu } from './offlineDriver';
import { formatPeerTable, PEER_LEGEND, peerTableOf, summaryOf } from './peerTable';
import { compareRecords, formatRecord, isSameMesa, recordOf, type IsaRecord } from './record';
import { formatTable, LEGEND, spilling, type IsaTable } from './table';

/** Records of chips, by their names; seen from the built program in dist/. */
const RECORDS = resolve(import.meta.dirname, '..', 'tools', 'isa', 'tables');
const WIDTH = 120;

interface Flags {
  readonly chip?: string;
  readonly filter: string;
  readonly drivers?: string;
  readonly unchecked: boolean;
  readonly json?: string;
  readonly compare?: string;
  readonly check?: true;
  readonly record?: true;
  readonly peers?: true;
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
    .addOption(new Option('--chip <name>', 'the GPU; navi31 where none is named').choices(Object.keys(CHIPS)))
    .option('--filter <text>', 'only training steps that have this in their name, such as `cifar-p4 two-way`', '')
    .option('--drivers <folder>', 'drivers of GPUs that are not AMD’s; docs/kernels.md says how it is made')
    .option('--unchecked', 'without the driver’s checks of bounds', false)
    .option('--json <file>', 'save the table')
    .option('--compare <file>', 'hold the table against one that --json saved, of the same compiler')
    .addOption(
      new Option('--check', 'hold what is compiled against the recorded tables: of --chip, or all of AMD’s').conflicts([
        'json',
        'compare',
        'record',
        'unchecked',
      ]),
    )
    .addOption(
      new Option('--record', 'make the recorded tables anew: of --chip, or all of AMD’s').conflicts([
        'json',
        'compare',
        'filter',
        'unchecked',
      ]),
    );
  command.addOption(
    new Option(
      '--peers',
      'instead the kernels of the engines that `npm run bench -- --peers` compares with, row by row; --filter is of rows',
    ).conflicts(['compare', 'record', 'check']),
  );
  const code = parseCall(command, argv);
  if (code !== undefined) return code;
  try {
    const flags = command.opts<Flags>();
    if (flags.peers) return await inspectPeers(flags);
    return await (flags.check || flags.record ? keepRecords(flags) : inspect(flags));
  } catch (error) {
    return reportFailure(error);
  }
}

/** Prints a chip's table. */
async function inspect({ chip: name = 'navi31', json, compare, ...flags }: Flags): Promise<0 | 1> {
  if (json !== undefined) assertWritable('--json', json);
  const before = compare === undefined ? undefined : recordOf(readTable(compare));
  const [table] = (await compileAll([name], flags)) as [IsaTable];
  if (json !== undefined) writeWhole(json, `${JSON.stringify(table, null, 1)}\n`);
  console.log(`${CHIPS[name]?.title}: ${table.compiler}\n\n${formatTable(table)}\n`);
  console.log(hanging('', LEGEND, WIDTH).join('\n'));
  for (const [step, count] of Object.entries(table.dispatches)) console.log(`${step}: ${count} dispatches`);
  const spills = printSpills(table);
  if (!before) return spills > 0 ? 1 : 0;
  if (before.chip !== name || !isSameMesa(before.compiler, table.compiler)) {
    throw new UserError(
      `--compare: that table is of ${before.chip} by ${before.compiler}, this one of ${name} by ${table.compiler}.`,
    );
  }
  return printComparison(before, recordOf(table)) + spills > 0 ? 1 : 0;
}

/** Holds chips' tables against their records, or makes these anew. */
async function keepRecords({ chip, check, ...flags }: Flags): Promise<0 | 1> {
  const ofAmd = Object.keys(CHIPS).filter((name) => CHIPS[name]?.driver === 'radeon');
  const names = chip === undefined ? ofAmd : [chip];
  const records = check ? names.map(readRecord) : [];
  const tables = await compileAll(names, flags);
  let failures = 0;
  for (const [index, table] of tables.entries()) {
    const { chip: name, compiler, kernels } = table;
    console.log(`${name}: ${kernels.length} kernels by ${compiler}`);
    failures += printSpills(table);
    const before = records[index];
    if (!before) writeRecord(recordOf(table));
    else if (isSameMesa(before.compiler, compiler)) failures += printComparison(before, recordOf(table));
    else console.log(`SKIPPED the record is of ${before.compiler}: only spills and scratch were looked for.`);
  }
  return failures > 0 ? 1 : 0;
}

/** Prints what the compiler makes of every engine's kernels, row by row. */
async function inspectPeers({ chip: name = 'navi31', json, filter, ...flags }: Flags): Promise<0> {
  if (json !== undefined) assertWritable('--json', json);
  await findPackages();
  const gpu = openGpu(name, flags);
  const { said, lines } = await withBar((onKernel) =>
    runCompiler<PeersSaid>('isaPeers', gpu, filter, (each) => {
      if ('label' in each) onKernel(each.label);
    }),
  );
  const table = peerTableOf(name, said, lines);
  if (json !== undefined) writeWhole(json, `${JSON.stringify(table, null, 1)}\n`);
  console.log(`${CHIPS[name]?.title}: ${table.compiler}\n\n${formatPeerTable(table)}\n`);
  console.log(hanging('', PEER_LEGEND, WIDTH).join('\n'));
  for (const line of [...table.notes, ...summaryOf(table)]) console.log(hanging('', line, WIDTH).join('\n'));
  return 0;
}

/** Compiles for several chips side by side. */
async function compileAll(names: readonly string[], flags: Flags): Promise<IsaTable[]> {
  const gpus = names.map((name) => [name, openGpu(name, flags)] as const);
  return await withBar((onKernel) =>
    Promise.all(gpus.map(([name, gpu]) => compileOn(name, gpu, flags.filter, onKernel))),
  );
}

function openGpu(name: string, { drivers, unchecked }: Pick<Flags, 'drivers' | 'unchecked'>): OfflineGpu {
  const chip = CHIPS[name];
  if (!chip) throw new UserError(`--chip: there is no '${name}'.`, { usage: true });
  const { node, env } = openChip(name, chip, drivers);
  return { node, env: unchecked ? { ...env, ISA_UNCHECKED: '1' } : env };
}

/** Shows how far `work` is, which tells of each kernel that was compiled. */
async function withBar<T>(work: (onKernel: (name: string) => void) => Promise<T>): Promise<T> {
  const bar = new cliProgress.SingleBar({
    format: 'compiling  {value} kernels  {duration_formatted}  {kernel}',
    noTTYOutput: false,
    clearOnComplete: true,
  });
  bar.start(0, 0, { kernel: '' });
  try {
    return await work((kernel) => bar.increment(1, { kernel }));
  } finally {
    bar.stop();
  }
}

/** @returns how many kernels a compiler can't hold in registers: they are slow wherever they run */
function printSpills(table: IsaTable): number {
  const lines = spilling(table);
  for (const line of lines) console.log(`SPILLS  ${line}`);
  return lines.length;
}

/** @returns how many figures became worse */
function printComparison(before: IsaRecord, now: IsaRecord): number {
  const { better, worse, unknown } = compareRecords(before, now);
  for (const line of better) console.log(`better  ${line}`);
  for (const line of worse) console.log(`WORSE   ${line}`);
  for (const name of unknown) console.log(`new     ${name}`);
  if (better.length + worse.length + unknown.length === 0) console.log('The same as before.');
  return worse.length;
}

function readTable(path: string): IsaTable {
  return readJson('--compare', path, (value): value is IsaTable => value.format === 'palimpsest isa 1');
}

function readRecord(chip: string): IsaRecord {
  const path = recordPath(chip);
  if (!existsSync(path)) {
    throw new UserError(`--check: ${chip} has no recorded table. \`npm run isa -- --record --chip ${chip}\` makes it.`);
  }
  return readJson('--check', path, (value): value is IsaRecord => value.format === 'palimpsest isa record 1');
}

function writeRecord(record: IsaRecord): void {
  const path = recordPath(record.chip);
  mkdirSync(dirname(path), { recursive: true });
  writeWhole(path, formatRecord(record));
  console.log(`recorded in ${path}`);
}

function recordPath(chip: string): string {
  return join(RECORDS, `${chip}.json`);
}

interface Unread {
  readonly format?: unknown;
}

function readJson<T extends Unread>(option: string, path: string, isRight: (value: T | Unread) => value is T): T {
  try {
    const value = JSON.parse(readFileSync(path, 'utf8')) as T | Unread;
    if (isRight(value)) return value;
    throw new Error('it is no table of `npm run isa`');
  } catch (error) {
    throw new UserError(`${option}: ${path} cannot be read: ${reason(error)}.`, { usage: !existsSync(path) });
  }
}
