import { CommanderError, type Command } from 'commander';

/**
 * Reads a program's call. What is wrong with it is said in one line on the standard error.
 *
 * @param command named as it is called, without arguments of its own
 * @returns the exit code where there is nothing more to do: 0 after `--help`, 2 for a wrong call
 */
export function parseCall(command: Command, argv: readonly string[]): 0 | 2 | undefined {
  command
    .allowExcessArguments(false)
    .exitOverride()
    .configureOutput({ writeErr: () => undefined });
  try {
    command.parse([...argv.slice(2)], { from: 'user' });
    return undefined;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return 0;
    const message = error.message.replace(/^error: /, '').replace(/\s*\n\s*/g, ' ');
    console.error(`${message.replace(/\.?$/, '.')} See ${command.name()} --help.`);
    return 2;
  }
}
