import { Command } from 'commander';
import { isChosen } from '../../kernels-test/filter';
import { suites } from '../../kernels-test/index';
import { runSuites, type TestResult } from '../../kernels-test/runSuites';
import type { KernelSuite } from '../../kernels-test/suite';
import { formatDuration } from '../common/format';
import { UserError } from '../common/userError';
import { describeAdapter } from '../gpu/adapter';
import { openEngine } from '../node/dawn';
import { reportFailure } from '../node/failure';
import { parseCall } from './parseCall';
import { createProgress } from './progress';

/** Lines between tests, where there is no terminal. */
const LOG_EVERY = 100;

interface Flags {
  readonly filter: string;
  readonly adapter: string;
  readonly thorough: boolean;
}

/**
 * `npm run kernels`: the tests of the kernels on an adapter, each with the kernels for GPUs, those for software adapters and the
 * reference ones. Built, it is one file that needs Node.js and the package webgpu alone.
 *
 * @returns 0 where all hold, 1 where one does not, 2 for a wrong call
 */
export async function main(argv: readonly string[]): Promise<number> {
  const command = new Command('npm run kernels --')
    .description('Tests every kernel on an adapter against its reference, with all choices of kernels.')
    .option('--filter <text>', 'only tests whose kernel or name has this in it', '')
    .option('--adapter <name>', "hardware, software, swiftshader, or a part of the adapter's name", 'any')
    .option('--thorough', 'more shapes and rarer paths as well', false);
  const code = parseCall(command, argv);
  if (code !== undefined) return code;
  try {
    return (await testKernels(command.opts<Flags>())).length === 0 ? 0 : 1;
  } catch (error) {
    return reportFailure(error);
  }
}

/** @returns the tests that failed */
async function testKernels({ filter, adapter, thorough }: Flags): Promise<readonly TestResult[]> {
  const chosen = chooseTests(filter, thorough);
  const total = chosen.reduce((count, { tests }) => count + tests.length, 0);
  // With all that it has for half precision, or the kernels for it would not be tested.
  const engine = await openEngine({ adapterName: adapter, half: true });
  const progress = createProgress({ logEvery: LOG_EVERY });
  const failed: TestResult[] = [];
  const start = performance.now();
  try {
    progress.note('adapter', describeAdapter(engine.info));
    progress.phase('kernel tests', total, 0, 'tests');
    let done = 0;
    for await (const result of runSuites(engine, chosen)) {
      progress.step(++done);
      if (result.failure === undefined) continue;
      failed.push(result);
      progress.note('FAILED', `${result.kernel} ${result.name}: ${result.failure}`);
    }
  } finally {
    progress.stop();
    engine.dispose();
  }
  const took = formatDuration((performance.now() - start) / 1000);
  console.log(
    failed.length === 0 ? `All ${total} tests hold (${took}).` : `${failed.length} of ${total} tests FAILED.`,
  );
  return failed;
}

/** @throws UserError where the filter leaves nothing */
function chooseTests(filter: string, thorough: boolean): readonly KernelSuite[] {
  const chosen = suites
    .map(({ kernel, tests }) => ({
      kernel,
      tests: tests.filter((test) => isChosen(filter, kernel, test.name) && (thorough || !test.isThorough)),
    }))
    .filter(({ tests }) => tests.length > 0);
  if (chosen.length > 0) return chosen;
  const names = suites.map(({ kernel }) => kernel).join(', ');
  const hint = thorough ? '' : ' Without --thorough, rarer tests are left out.';
  throw new UserError(`--filter: no test has '${filter}' in its name.${hint} There are ${names}.`, { usage: true });
}
