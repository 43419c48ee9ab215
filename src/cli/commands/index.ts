import { UserError } from '../../common/userError';
import { nearest } from '../../imae/config/nearest';
import { analyseCommand } from './analyse';
import type { Command } from './command';
import { exportCommand } from './export';
import { finetune } from './finetune';
import { knn } from './knn';
import { probe } from './probe';
import { reconstructCommand } from './reconstruct';
import { separability } from './separability';
import { study } from './study';
import { unmixing } from './unmixing';

/** What the command line does beside training, in the order of the help. */
export const COMMANDS: readonly Command[] = [
  separability,
  unmixing,
  knn,
  probe,
  finetune,
  study,
  analyseCommand,
  reconstructCommand,
  exportCommand,
];

/**
 * The command that a command line begins with, and the arguments after its name; undefined where it begins with an
 * option, as training does.
 *
 * @throws UserError (usage) where there is no such command
 */
export function findCommand(
  args: readonly string[],
): { readonly command: Command; readonly rest: readonly string[] } | undefined {
  const [first] = args;
  if (first === undefined || first.startsWith('-')) return undefined;
  for (const command of COMMANDS) {
    const words = command.name.split(' ');
    if (words.every((word, index) => args[index] === word)) return { command, rest: args.slice(words.length) };
  }
  const group = COMMANDS.filter(({ name }) => name.startsWith(`${first} `));
  if (group.length > 0 && (args[1] === '--help' || args[1] === '-h'))
    return { command: helpOf(first, group), rest: [] };
  const names = COMMANDS.map(({ name }) => name);
  const near = nearest(
    first,
    names.map((name) => name.split(' ')[0] ?? name),
  );
  const meant = names.filter((name) => name.split(' ')[0] === near).join(' or ');
  const [, second] = args;
  const typed = group.length > 0 && second !== undefined && !second.startsWith('-') ? `${first} ${second}` : first;
  throw new UserError(
    `'${typed}' is no command.${meant === '' ? '' : ` Did you mean ${meant}?`} Training takes only options, such as --data. ` +
      `Commands are ${names.join(', ')}.`,
    { usage: true },
  );
}

/** What `node train.js evaluate --help` says: which there are. */
function helpOf(name: string, group: readonly Command[]): Command {
  const lines = group.map((each) => `  node train.js ${each.name.padEnd(24)} ${each.about}`);
  const about = `Usage: node train.js ${name} NAME [options]\n\n${lines.join('\n')}\n\nEach has its own --help.`;
  return {
    name,
    about,
    run: () => {
      console.log(about);
      return Promise.resolve(0);
    },
  };
}
