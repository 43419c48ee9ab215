import { readFileSync } from 'node:fs';
import { Command, Option } from 'commander';
import packageJson from '../../package.json' with { type: 'json' };
import type { BenchSuite, Measure } from '../../bench/bench';
import { measureCeilings } from '../../bench/peakThroughput.bench';
import { compareBenches } from '../../bench/compareBenches';
import { reportDevice } from '../../bench/device';
import { timeHost, type HostTiming } from '../../bench/host.bench';
import { suites } from '../../bench/index';
import { hasFailed, type PeerResult } from '../../bench/peers/runPeers';
import { chooseSuites, runBenches, TOO_LARGE, type BenchFailure, type BenchOutcome } from '../../bench/runBenches';
import { FORMAT, parseSaved, type SavedBench } from '../../bench/resultFile';
import { startUp, type StartUp } from '../../bench/startUp.bench';
import { chooseSteps, runStep, type StepCase, type StepResult } from '../../bench/step.bench';
import {
  BENCH_COLUMNS,
  benchCells,
  ceilingLines,
  COMPARE_COLUMNS,
  compareCells,
  compareLines,
  hostLines,
  SHARE_NOTE,
  SOFTWARE_WARNING,
  startUpLine,
  stepLines,
} from '../../bench/formatResults';
import { attempt } from '../../kernels-test/captureFailure';
import { isChosen } from '../../kernels-test/filter';
import { UserError } from '../common/userError';
import { Engine } from '../engine/engine';
import { describeAdapter, isSoftware } from '../gpu/adapter';
import { openEngine } from '../node/dawn';
import { assertWritable, writeWhole } from '../node/durableFile';
import { reason, reportFailure } from '../node/failure';
import { parseCall } from './parseCall';
import { benchPeers } from './peers';
import { rooflineFile } from './rooflineFile';
import { hanging } from '../common/textWrap';

/**
 * `npm run bench`: what the adapter can do at most, the time of every kernel beside it, training steps with the fast kernels
 * and the plain ones, and the start of a training. Each case is checked before it is timed.
 *
 * @returns 0 where all went well, 1 where a bench failed or a file could not be written, 2 for a wrong call
 */
export async function main(argv: readonly string[]): Promise<number> {
  const command = new Command('npm run bench --')
    .description(
      'Times the kernels beside what the adapter can do at most, training steps, and the start of a training.',
    )
    .option(
      '--filter <text>',
      'only those whose kernel or case has this in its name; `step` are the training steps, `host` what one takes of the host, `startUp` the start',
      '',
    )
    .option('--adapter <name>', "hardware, software, or a part of the adapter's name", 'any')
    .addOption(
      new Option('--kernels <which>', 'for the kernels by themselves').choices(['plain', 'fast']).default('fast'),
    )
    .option('--json <file>', 'save what was found, for machines and for --compare')
    .option('--compare <file>', 'hold what was found against what --json or the page saved earlier')
    .option(
      '--peers',
      'compare with other engines instead; needs `npm ci --ignore-scripts --prefix bench/peers`',
      false,
    )
    .option('--roofline <file>', 'draw operations a byte against GFLOP/s, under the ceilings: a .png or .svg');
  const code = parseCall(command, argv);
  if (code !== undefined) return code;
  try {
    const flags = command.opts<BenchFlags>();
    if (flags.peers) return (await comparePeers(flags)).some(hasFailed) ? 1 : 0;
    return (await bench(flags)) === 0 ? 0 : 1;
  } catch (error) {
    return reportFailure(error);
  }
}

interface BenchFlags {
  readonly filter: string;
  readonly adapter: string;
  readonly kernels: 'plain' | 'fast';
  readonly peers: boolean;
  readonly json?: string;
  readonly compare?: string;
  readonly roofline?: string;
}

/** Other engines beside this one; the rows are saved with `--json`. */
async function comparePeers({ json, compare, roofline, ...flags }: BenchFlags): Promise<PeerResult[]> {
  for (const [flag, value] of Object.entries({ compare, roofline })) {
    if (value !== undefined)
      throw new UserError(`--${flag} is not for --peers. Leave one of them out.`, { usage: true });
  }
  if (json !== undefined) assertWritable('--json', json);
  return await benchPeers(flags, (device, rows) => {
    if (json === undefined) return;
    const saved = {
      format: 'palimpsest peers 1',
      date: new Date().toISOString(),
      palimpsest: packageJson.version,
      device,
      rows,
    };
    writeWhole(json, `${JSON.stringify(saved, null, 2)}\n`);
  });
}

/** What the filter leaves. */
interface Chosen {
  readonly suites: readonly BenchSuite[];
  readonly steps: readonly StepCase[];
  readonly host: boolean;
  readonly startUp: boolean;
}

function choose(filter: string): Chosen {
  const chosen = {
    suites: chooseSuites(suites, filter),
    steps: chooseSteps(filter),
    host: isChosen(filter, 'host', ''),
    startUp: isChosen(filter, 'startUp', 'cold and warm'),
  };
  if (chosen.suites.length === 0 && chosen.steps.length === 0 && !chosen.host && !chosen.startUp) {
    const names = [...suites.map(({ kernel }) => kernel), 'step', 'host', 'startUp'].join(', ');
    throw new UserError(`--filter: no bench has '${filter}' in its name. There are ${names}.`, { usage: true });
  }
  return chosen;
}

/** Whatever can be wrong with a call is found before anything is timed. */
function checkFiles({ json, compare, roofline }: BenchFlags): SavedBench | undefined {
  if (roofline !== undefined && !/\.(png|svg)$/i.test(roofline)) {
    throw new UserError(`--roofline: '${roofline}' ends neither in .png nor in .svg.`, { usage: true });
  }
  for (const [flag, path] of Object.entries({ json, roofline })) {
    if (path !== undefined) assertWritable(`--${flag}`, path);
  }
  if (compare === undefined) return undefined;
  let text: string;
  try {
    text = readFileSync(compare, 'utf8');
  } catch (error) {
    throw new UserError(`--compare: ${compare} cannot be read: ${reason(error)}.`, { usage: true });
  }
  return parseSaved(`--compare: ${compare}`, text);
}

/** What was found so far. */
interface Found {
  measure?: Measure;
  readonly benches: BenchOutcome[];
  readonly steps: (StepResult | BenchFailure)[];
  host?: HostTiming | BenchFailure;
  readonly startUp: (StartUp | BenchFailure)[];
}

/** What is kept of it. */
function toSaved(
  engine: Engine,
  kernels: BenchFlags['kernels'],
  { measure, benches, steps, host, startUp }: Found,
): SavedBench {
  return {
    format: FORMAT,
    date: new Date().toISOString(),
    palimpsest: packageJson.version,
    runtime: `Node.js ${process.versions.node} on ${process.platform}-${process.arch}`,
    device: reportDevice(engine, 'full'),
    ...(isSoftware(engine.info) ? { warning: SOFTWARE_WARNING } : {}),
    kernels,
    ...measure,
    benches,
    steps,
    ...(host ? { host } : {}),
    startUp,
  };
}

/** Runs what the filter leaves, and returns how many failed. */
async function bench(flags: BenchFlags): Promise<number> {
  const { filter, adapter: adapterName, kernels, json, roofline } = flags;
  const chosen = choose(filter);
  const old = checkFiles(flags);
  const found: Found = { benches: [], steps: [], startUp: [] };
  // First of all: what follows would leave nothing cold.
  if (chosen.startUp) await benchStartUp(adapterName, found);

  const engine = await openEngine({ adapterName, timestamps: true, half: true });
  const plain = Engine.borrow(engine.device, { info: engine.info, wait: engine.wait, plain: true });
  const software = isSoftware(engine.info);
  const warning = software ? hanging('WARNING   ', SOFTWARE_WARNING, WIDTH).join('\n') : undefined;
  const saved = (): SavedBench => toSaved(engine, kernels, found);
  // Kept with every row: what comes next may take the device with it, or the process.
  const unwritten = new Map<string, unknown>();
  const keepIn = (path: string, content: Uint8Array | string): void => {
    try {
      writeWhole(path, content);
      unwritten.delete(path);
    } catch (error) {
      unwritten.set(path, error);
    }
  };
  const keep = (): void => {
    if (json !== undefined) keepIn(json, `${JSON.stringify(saved(), null, 2)}\n`);
  };
  try {
    printLines([['adapter', describeAdapter(engine.info)]]);
    if (warning) console.log(warning);
    printLines(found.startUp.map((row) => [row.name, 'failure' in row ? `FAILED ${row.failure}` : startUpLine(row)]));
    if (chosen.suites.length + chosen.steps.length > 0) {
      const measure = await measureCeilings(engine);
      found.measure = measure;
      console.log(`timed by  ${measure.clock.kind}: ${measure.clock.note}\n\nceilings, measured just now`);
      printLines(ceilingLines(measure.ceilings), 28);
    }
    keep();
    if (found.measure && chosen.suites.length > 0) {
      await benchKernels(kernels === 'plain' ? plain : engine, kernels, chosen.suites, found.measure, (row) => {
        found.benches.push(row);
        keep();
      });
    }
    await benchSteps(engine, plain, chosen, found, keep);
    if (chosen.host) {
      found.host = await benchHost(engine);
      keep();
    }
    if (warning) console.log(`\n${warning}`);
  } finally {
    plain.dispose();
    engine.dispose();
    const compared = saved();
    if (old) printComparison(old, compared, filter);
    if (roofline !== undefined && found.measure) {
      const picture = await rooflineFile(roofline, compared, found.measure.ceilings);
      keepIn(roofline, picture);
    }
    for (const error of unwritten.values()) reportFailure(error);
  }
  if (unwritten.size > 0) return unwritten.size;
  printLines([json, roofline].flatMap((path) => (path === undefined ? [] : [['saved', path] as const])));
  const failures = [...found.benches, ...found.steps, ...(found.host ? [found.host] : []), ...found.startUp].filter(
    (row) => 'failure' in row,
  ).length;
  if (failures > 0) console.log(`\n${failures} failed`);
  return failures;
}

/** Columns of a terminal that texts keep to. */
const WIDTH = 120;

/** Prints lines, each with a word before it. */
function printLines(lines: readonly (readonly [lead: string, text: string])[], width = 8): void {
  for (const [lead, text] of lines) console.log(hanging(`${lead.padEnd(width)}  `, text, WIDTH).join('\n'));
}

/** Prints a table: two columns of names, then figures. */
function tablePrinter(
  names: readonly (readonly [kernel: string, name: string])[],
): (kernel: string, name: string, cells: readonly string[]) => void {
  const widest = (texts: readonly string[]): number => Math.max(...texts.map(({ length }) => length));
  const kernelWidth = widest(['kernel', ...names.map(([kernel]) => kernel)]);
  const nameWidth = widest(['case', ...names.map(([, name]) => name)]);
  return (kernel, name, cells) => {
    const numbers = cells.map((cell) => cell.padStart(10));
    console.log([kernel.padEnd(kernelWidth), name.padEnd(nameWidth), ...numbers].join('  ').trimEnd());
  };
}

/** Prints a row a case. */
async function benchKernels(
  engine: Engine,
  kernels: string,
  chosen: readonly BenchSuite[],
  measure: Measure,
  keep: (row: BenchOutcome) => void,
): Promise<void> {
  console.log(`\nkernels   ${kernels}`);
  const print = tablePrinter(chosen.flatMap(({ kernel, cases }) => cases.map(({ name }) => [kernel, name] as const)));
  print('kernel', 'case', BENCH_COLUMNS);
  let skipped = 0;
  for await (const row of runBenches(engine, chosen, measure)) {
    keep(row);
    if ('failure' in row) console.log(`FAILED    ${row.kernel} ${row.name}: ${row.failure}`);
    else if ('skipped' in row) {
      skipped++;
      print(row.kernel, row.name, ['left out']);
    } else print(row.kernel, row.name, benchCells(row));
  }
  if (skipped > 0) console.log(`\nleft out  ${skipped} cases: ${TOO_LARGE}`);
  console.log(`\n${hanging('', SHARE_NOTE, WIDTH).join('\n')}`);
}

/** Prints how the training steps go. On a software adapter, large ones are left out unless there are only such. */
async function benchSteps(
  engine: Engine,
  plain: Engine,
  { steps, suites: kernels }: Chosen,
  found: Found,
  keep: () => void,
): Promise<void> {
  const all = !engine.traits.software || (kernels.length === 0 && steps.every(({ large }) => large));
  const chosen = steps.filter(({ large }) => all || !large);
  for (const test of chosen) {
    console.log();
    const outcome = await attempt(engine, () => runStep(engine, plain, test));
    if ('failure' in outcome) found.steps.push({ kernel: 'step', name: test.name, failure: outcome.failure });
    else found.steps.push(outcome.value);
    printLines(
      'failure' in outcome
        ? [['FAILED', `step ${test.name}: ${outcome.failure}`]]
        : stepLines(outcome.value, found.measure?.ceilings),
    );
    keep();
  }
  const left = steps.filter((test) => !chosen.includes(test));
  if (left.length > 0) printLines([['left out', `${left.map(({ name }) => name).join(', ')}: ${TOO_LARGE}`]]);
}

/** Times what a step takes of the host, and prints it. */
async function benchHost(engine: Engine): Promise<HostTiming | BenchFailure> {
  const outcome = await attempt(engine, () => timeHost(engine));
  console.log();
  if ('value' in outcome) printLines(hostLines(outcome.value));
  else printLines([['FAILED', `host: ${outcome.failure}`]]);
  return 'value' in outcome ? outcome.value : { kernel: 'host', name: 'cifar', failure: outcome.failure };
}

/** Starts a training in this process for the first time, and once more. */
async function benchStartUp(adapterName: string, found: Found): Promise<void> {
  for (const name of ['cold', 'warm'] as const) {
    try {
      found.startUp.push(await startUp(name, () => openEngine({ adapterName })));
    } catch (error) {
      if (error instanceof UserError) throw error; // there is no such adapter
      found.startUp.push({ kernel: 'startUp', name, failure: reason(error) });
    }
  }
}

function printComparison(old: SavedBench, now: SavedBench, filter: string): void {
  const comparison = compareBenches(old, now, (kernel, name) => isChosen(filter, kernel, name));
  console.log(`\ncompared  with ${old.date}, palimpsest ${old.palimpsest}, on ${old.device.adapter.name}`);
  for (const warning of comparison.warnings) console.log(hanging('WARNING   ', warning, WIDTH).join('\n'));
  const print = tablePrinter(comparison.rows.map(({ kernel, name }) => [kernel, name]));
  if (comparison.rows.length > 0) print('kernel', 'case', COMPARE_COLUMNS);
  for (const row of comparison.rows) print(row.kernel, row.name, compareCells(row));
  for (const line of compareLines(comparison)) console.log(hanging('', line, WIDTH).join('\n'));
}
