import { parseArgs } from 'node:util';
import { examineAdapters, runTask } from './examine';
import { gather } from './gather';
import { judge } from './judge';
import { printReport } from './print';
import { swiftShaderIsInstalled } from '../node/swiftshader';
import { driverFiles } from '../node/vulkan';

const USAGE = `Usage: npm run doctor

Says what this machine has and lacks for training: Node.js, packages, Vulkan, GPUs,
each adapter with a check that it computes right, which one node train.js uses, and
the exact command for each thing that is missing.

Ends with 0 where something can train, 1 where nothing can, 2 for a wrong call.`;

/** Widest line: longer ones are hard to read. */
const COLUMNS = 100;

/**
 * `npm run doctor`. No npm package is needed to run it: it is there for when they are missing.
 *
 * @returns 0 where something can train, 1 where nothing can, 2 for a wrong call
 */
export async function main(argv: readonly string[]): Promise<number> {
  let flags: { help?: boolean; list?: boolean; check?: string };
  try {
    const options = {
      help: { type: 'boolean', short: 'h' },
      list: { type: 'boolean' },
      check: { type: 'string' },
    } as const;
    flags = parseArgs({ args: argv.slice(2), options }).values;
  } catch (error) {
    console.error(`${(error as Error).message.split('. ')[0] ?? ''}.\n\n${USAGE}`);
    return 2;
  }
  if (flags.help) {
    console.log(USAGE);
    return 0;
  }
  if (flags.list || flags.check !== undefined) {
    await runTask(flags, console.log);
    return 0;
  }
  const report = judge(await examine(argv[1] ?? ''));
  process.stdout.write(printReport(report, { color: wantsColor(), columns: columns() }));
  return report.usable ? 0 : 1;
}

async function examine(program: string): Promise<Parameters<typeof judge>[0]> {
  const progress = process.stderr.isTTY;
  const clear = '\r\x1b[K';
  try {
    const tell = (text: string): void => {
      if (progress) process.stderr.write(`${clear}${text.slice(0, columns() - 1)}`);
    };
    const drivers = driverFiles().flatMap(({ path, problem }) => (problem === undefined ? path : []));
    const adapters = await examineAdapters(program, { drivers, bundled: swiftShaderIsInstalled() }, tell);
    // Only now: the check of SwiftShader unpacks it.
    return { ...(await gather()), adapters };
  } finally {
    if (progress) process.stderr.write(clear);
  }
}

function wantsColor(): boolean {
  return process.stdout.isTTY && !process.env['NO_COLOR'];
}

function columns(): number {
  return Math.min(Number(process.env['COLUMNS']) || process.stdout.columns || 80, COLUMNS);
}
