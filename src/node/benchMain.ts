import { Command, CommanderError, Option } from 'commander';
import type { BenchSuite } from '../../bench/bench';
import { suites } from '../../bench/index';
import { hasFailed } from '../../bench/peers/runPeers';
import { runBenches } from '../../bench/runBenches';
import { compareSteps } from '../../bench/step.bench';
import { BENCH_COLUMNS, benchCells, SOFTWARE_WARNING, stepLines } from '../../bench/words';
import { attempt } from '../../kernels-test/attempt';
import { isChosen } from '../../kernels-test/filter';
import { UserError } from '../files/userError';
import { describeAdapter, Engine, isSoftware } from '../gpu/engine';
import { openEngine } from './dawn';
import { reportFailure } from './failure';
import { benchPeers } from './peers';
import { hanging } from './wrap';

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
    .option('--peers', 'compares with other engines instead; needs `npm ci --ignore-scripts --prefix bench/peers`', false)
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
    const flags = command.opts<BenchFlags>();
    if (flags.peers) return (await benchPeers(flags)).some(hasFailed) ? 1 : 0;
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
}

/** Runs what the filter leaves, and returns how many failed. */
async function bench({ filter, adapter, kernels }: BenchFlags): Promise<number> {
  const chosen = suites
    .map(({ kernel, cases }) => ({ kernel, cases: cases.filter(({ name }) => isChosen(filter, kernel, name)) }))
    .filter(({ cases }) => cases.length > 0);
  const step = isChosen(filter, 'step', '');
  if (chosen.length === 0 && !step) {
    const names = [...suites.map(({ kernel }) => kernel), 'step'].join(', ');
    throw new UserError(`--filter: no bench has '${filter}' in its name. There are ${names}.`, { usage: true });
  }
  const engine = await openEngine({ adapterName: adapter });
  const plain = Engine.borrow(engine.device, { info: engine.info, wait: engine.wait, plain: true });
  const warning = isSoftware(engine.info) ? hanging('WARNING   ', SOFTWARE_WARNING, WIDTH).join('\n') : undefined;
  let failures = 0;
  try {
    console.log(`adapter   ${describeAdapter(engine.info)}`);
    if (warning) console.log(warning);
    if (chosen.length > 0) {
      console.log(`kernels   ${kernels}\n`);
      failures += await benchKernels(kernels === 'plain' ? plain : engine, chosen);
    }
    if (step) failures += await benchStep(engine, plain);
    if (warning) console.log(`\n${warning}`);
  } finally {
    plain.dispose();
    engine.dispose();
  }
  if (failures > 0) console.log(`\n${failures} failed`);
  return failures;
}

/** Columns of a terminal that texts keep to. */
const WIDTH = 120;

/** Prints a row a case, and returns how many failed. */
async function benchKernels(engine: Engine, chosen: readonly BenchSuite[]): Promise<number> {
  const widest = (texts: readonly string[]): number => Math.max(...texts.map(({ length }) => length));
  const kernelWidth = widest(['kernel', ...chosen.map(({ kernel }) => kernel)]);
  const nameWidth = widest(['case', ...chosen.flatMap(({ cases }) => cases.map(({ name }) => name))]);
  const print = (kernel: string, name: string, cells: readonly string[]): void => {
    const numbers = cells.map((cell) => cell.padStart(9));
    console.log([kernel.padEnd(kernelWidth), name.padEnd(nameWidth), ...numbers].join('  '));
  };
  print('kernel', 'case', BENCH_COLUMNS);
  let failures = 0;
  for await (const result of runBenches(engine, chosen)) {
    if ('failure' in result) {
      failures++;
      console.log(`FAILED    ${result.kernel} ${result.name}: ${result.failure}`);
    } else print(result.kernel, result.name, benchCells(result));
  }
  return failures;
}

/** Prints how the training step goes, and returns whether it failed as 0 or 1. */
async function benchStep(engine: Engine, plain: Engine): Promise<number> {
  const outcome = await attempt(engine, () => compareSteps(engine, plain));
  if ('failure' in outcome) console.log(`FAILED    step: ${outcome.failure}`);
  else console.log(['', ...stepLines(outcome.value).map(([lead, text]) => `${lead.padEnd(8)}  ${text}`)].join('\n'));
  return Number('failure' in outcome);
}
