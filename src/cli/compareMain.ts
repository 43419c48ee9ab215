import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Command, CommanderError } from 'commander';
import { writeSafetensors } from '../formats/safetensors';
import { UserError } from '../common/userError';
import { describeAdapter } from '../gpu/adapter';
import { compareWithPytorch, type Comparison } from '../imae/parity/pytorchParity';
import { openEngine } from '../node/dawn';
import { reason, reportFailure } from '../node/failure';
import { readTensors } from '../node/readTensors';

/**
 * `npm run compare -- FILE.safetensors ...`: runs cases computed by PyTorch on the engine and prints each tensor's error
 * beside its limit.
 *
 * @returns 0 where all are within, 1 where any is not, 2 for a wrong call
 */
export async function main(argv: readonly string[]): Promise<number> {
  const command = new Command('npm run compare --')
    .description('Compares the engine with PyTorch: forward pass, gradients and AdamW steps of each case.')
    .argument('<files...>', 'cases, .safetensors')
    .option('--write <folder>', "save the engine's own tensors there, a file a case")
    .option('--adapter <name>', "hardware, software, swiftshader, or a part of the adapter's name", 'any')
    .option('--kernels <which>', 'plain or fast', 'fast')
    .exitOverride()
    .configureOutput({ writeErr: () => undefined });
  try {
    command.parse([...argv.slice(2)], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return 0;
    console.error(`${error.message.replace(/^error: /, '')}. Usage: npm run compare -- FILE.safetensors ...`);
    return 2;
  }
  const { write, adapter, kernels } = command.opts<{ write?: string; adapter: string; kernels: string }>();
  try {
    return (await compareAll(command.args, {
      adapter,
      plain: kernels === 'plain',
      ...(write === undefined ? {} : { write }),
    }))
      ? 0
      : 1;
  } catch (error) {
    return reportFailure(error);
  }
}

async function compareAll(
  paths: readonly string[],
  { adapter, plain, write }: { adapter: string; plain: boolean; write?: string },
): Promise<boolean> {
  const files = paths.map((path) => ({ path, file: readTensors(path) }));
  if (write !== undefined) makeFolder(write);
  const engine = await openEngine({ adapterName: adapter, plain });
  try {
    console.log(`adapter   ${describeAdapter(engine.info)}`);
    let all = true;
    for (const { path, file } of files) {
      const { comparisons, tensors } = await compareWithPytorch(engine, file, path);
      printComparisons(path, comparisons);
      all &&= comparisons.every(({ within }) => within);
      if (write !== undefined) writeFileSync(join(write, basename(path)), writeSafetensors(tensors, file.metadata));
    }
    console.log(all ? '\nevery tensor is within its limit' : '\nsome tensors are over their limits');
    return all;
  } finally {
    engine.dispose();
  }
}

function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true });
  } catch (error) {
    throw new UserError(
      `--write: the folder ${path} cannot be made: ${reason(error)}. ` + 'Give a folder that can be written to.',
    );
  }
}

function printComparisons(path: string, comparisons: readonly Comparison[]): void {
  const width = Math.max(...comparisons.map(({ name }) => name.length));
  const over = comparisons.filter(({ within }) => !within);
  console.log(`\n${path}: ${comparisons.length - over.length} of ${comparisons.length} tensors within their limits`);
  for (const { name, error, limit, within } of comparisons) {
    console.log(
      `${within ? ' ' : '!'} ${name.padEnd(width)}  ${error.toExponential(1)}  limit ${limit.toExponential(0)}`,
    );
  }
}
