import { Command, CommanderError, Option } from 'commander';
import { runBench, type BenchResult } from '../../bench/bench';
import { suites } from '../../bench/index';
import { compareSteps, STEP_TOLERANCE, type StepComparison } from '../../bench/step.bench';
import { UserError } from '../files/userError';
import { describeAdapter, Engine, isSoftware } from '../gpu/engine';
import { openEngine } from './dawn';
import { reportFailure } from './failure';
import { formatCount } from '../files/format';

/**
 * `npm run bench`: times every kernel, and a training step with the fast kernels beside the plain ones. Each case is
 * checked before it is timed.
 *
 * @returns 0 where all went well, 1 where a bench failed, 2 for a wrong call
 */
export async function main(argv: readonly string[]): Promise<number> {
  const command = new Command('npm run bench --')
    .description('Times the kernels, and a training step with the fast kernels beside the plain ones.')
    .option('--filter <text>', 'only those whose kernel or case has this in its name; `step` is the training step', '')
    .option('--adapter <name>', "hardware, software, or a part of the adapter's name", 'any')
    .addOption(new Option('--kernels <which>', 'for the kernels by themselves').choices(['plain', 'fast']).default('fast'))
    .allowExcessArguments(false)
    .exitOverride()
    .configureOutput({ writeErr: () => undefined });
  try {
    command.parse([...argv.slice(2)], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return 0;
    console.error(`${error.message.replace(/^error: /, '')} See npm run bench -- --help.`);
    return 2;
  }
  try {
    return (await bench(command.opts<BenchFlags>())) === 0 ? 0 : 1;
  } catch (error) {
    return reportFailure(error);
  }
}

interface BenchFlags {
  readonly filter: string;
  readonly adapter: string;
  readonly kernels: 'plain' | 'fast';
}

/** Runs what the filter leaves, and returns how many failed. */
async function bench({ filter, adapter, kernels }: BenchFlags): Promise<number> {
  const cases = suites.flatMap(({ kernel, cases }) => cases.map((test) => ({ kernel, test })));
  const chosen = cases.filter(({ kernel, test }) => `${kernel} ${test.name}`.includes(filter));
  const step = 'step'.includes(filter);
  if (chosen.length === 0 && !step) {
    const names = [...suites.map(({ kernel }) => kernel), 'step'].join(', ');
    throw new UserError(`--filter: no bench has '${filter}' in its name. There are ${names}.`, { usage: true });
  }
  const engine = await openEngine({ adapterName: adapter });
  const plain = Engine.borrow(engine.device, { info: engine.info, wait: engine.wait, plain: true });
  let failures = 0;
  /** A failed bench is reported, and the others go on. */
  const attempt = async (name: string, run: () => Promise<void>): Promise<void> => {
    try {
      await run();
    } catch (error) {
      failures++;
      console.log(`FAILED    ${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  try {
    console.log(`adapter   ${describeAdapter(engine.info)}`);
    if (isSoftware(engine.info)) console.log(SOFTWARE_WARNING);
    if (chosen.length > 0) {
      console.log(`kernels   ${kernels}\n`);
      const print = tableOf(chosen.map(({ kernel, test }) => [kernel, test.name]));
      for (const { kernel, test } of chosen) {
        await attempt(`${kernel} ${test.name}`, async () => {
          print(await runBench(kernels === 'plain' ? plain : engine, kernel, test));
        });
      }
    }
    if (step) await attempt('step', async () => printStep(await compareSteps(engine, plain)));
    if (isSoftware(engine.info)) console.log(`\n${SOFTWARE_WARNING}`);
  } finally {
    plain.dispose();
    engine.dispose();
  }
  if (failures > 0) console.log(`\n${failures} failed`);
  return failures;
}

const SOFTWARE_WARNING =
  'WARNING   This adapter is software: the times say nothing of any GPU and are no result. They compare two versions on\n' +
  '          one machine, and no more.';

/** Prints the head of a table; the function returned prints a row of it. */
function tableOf(names: readonly (readonly [kernel: string, name: string])[]): (result: BenchResult) => void {
  const [kernelWidth, nameWidth] = [0, 1].map((column) => Math.max(...names.map((name) => name[column as 0 | 1].length)));
  const row = (kernel: string, name: string, ...numbers: readonly string[]): void => {
    const cells = [kernel.padEnd(kernelWidth ?? 0), name.padEnd(nameWidth ?? 0), ...numbers.map((cell) => cell.padStart(9))];
    console.log(cells.join('  '));
  };
  row('kernel', 'case', 'µs', 'spread', 'GFLOP/s', 'GB/s');
  return ({ kernel, name, microseconds, spread, gflops, gigabytes }) =>
    row(kernel, name, digits(microseconds), `± ${(100 * spread).toFixed(0)} %`, digits(gflops), digits(gigabytes));
}

/** Three significant digits, without an exponent; a dash where nothing is counted. */
function digits(value: number): string {
  if (value === 0) return '–';
  return value >= 100 ? String(Math.round(value)) : value.toFixed(value >= 10 ? 1 : 2);
}

function printStep({ name, flops, fast, plain, ratio, difference }: StepComparison): void {
  console.log(`\nstep      ${name}: ${formatCount(flops)}FLOP`);
  console.log(`checked   loss and gradient norm agree to ${difference.toExponential(1)} (limit ${STEP_TOLERANCE.toExponential(0)})`);
  for (const [which, { seconds, gflops }] of Object.entries({ fast, plain })) {
    console.log(`${which.padEnd(8)}  ${digits(seconds * 1000)} ms a step, ${digits(gflops)} GFLOP/s`);
  }
  console.log(`ratio     the fast kernels are ${ratio.toFixed(1)} times as fast as the plain ones`);
}
