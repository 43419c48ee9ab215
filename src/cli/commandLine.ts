import { readFileSync } from 'node:fs';
import { Command, CommanderError, Option as CommanderOption } from 'commander';
import packageJson from '../../package.json' with { type: 'json' };
import { UserError } from '../common/userError';
import { resolveConfig, type ConfigLayer } from '../imae/config/config';
import { isChangeable } from '../imae/train/identity';
import { flagsOf, HEADINGS, OPTION_LIST, SECTION_HEADINGS, type Flag, type Heading } from '../imae/config/options';
import { PRESET_NAMES, PRESETS } from '../imae/config/presets';
import { reason } from '../node/failure';
import { hanging } from '../common/textWrap';

/** What a command line asks for. */
export interface CommandLine {
  /** Layers for `resolveConfig`: the config file, then the flags. With `resume` they go over the run's own config. */
  readonly layers: readonly ConfigLayer[];
  /** The new run's folder, where the user names one. */
  readonly out?: string;
  /** The folder of a run to go on with. */
  readonly resume?: string;
  /** Measure some steps, kernel by kernel. */
  readonly profile: boolean;
  /** Whether every number that is computed is looked at. */
  readonly debugNumbers: boolean;
  /** Print the figures of the run and do nothing. */
  readonly dryRun: boolean;
  /** The help text or the version, where it was asked for: print it and do nothing. */
  readonly answer?: string;
}

const FLAGS: readonly Flag[] = OPTION_LIST.flatMap(flagsOf);
const COMMAND_LINE = 'command line';
/** At most so many characters a line of the help. */
const HELP_WIDTH = 110;

/** A command, as the help lists it. */
interface ListedCommand {
  readonly name: string;
  readonly about: string;
}

const examples = (commands: readonly ListedCommand[]): string => `
Commands:
${commands.flatMap(({ name, about }) => hanging(`  ${name.padEnd(22)} `, about, HELP_WIDTH)).join('\n')}
  each with a --help of its own: node train.js NAME --help

Presets:
${PRESET_NAMES.map((name) => `  ${name.padEnd(14)} ${PRESETS[name].about}`).join('\n')}

Examples:
  node train.js
      teacher and i-MAE on the built-in shapes, in a new folder under runs/
  node train.js --preset cifar --patch 4 --data cifar-10-binary.tar.gz --epochs 20 --teacher-epochs 40
      CIFAR-10 from the archive as downloaded
  node train.js --config my.json --lambda 0 --alpha "beta(2,2)" --alpha-per sample
      settings from a file (a run's config.json is one), some of them changed
  node train.js --preset vit-b --dry-run
      parameters, memory and arithmetic of a run that is not started
  node train.js --resume runs/2025-01-31_12-00-00-cifar
      go on from the last checkpoint`;

/**
 * Reads a command line, and the config file that it names. Values are checked by `resolveConfig`, not here.
 *
 * @param args the arguments after the script's name
 * @param commands what the help lists beside training
 * @throws UserError (usage) on an unknown flag, a flag without its value, flags that contradict each other, or a config
 *   file that is no JSON
 */
export function parseCommandLine(args: readonly string[], commands: readonly ListedCommand[] = []): CommandLine {
  const command = makeCommand();
  try {
    command.parse([...args], { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) throw new UserError(inOurWords(error, command), { usage: true });
    throw error;
  }
  const given = command.opts<Record<string, unknown>>();
  const value = (name: string): string | undefined => given[name] as string | undefined;
  const resume = value('resume');
  const out = value('out');
  const empty = ['resume', 'out', 'config'].find((name) => value(name) === '');
  if (empty !== undefined)
    throw new UserError(`--${empty}: the path is empty. Give one, or leave it out.`, { usage: true });
  if (resume !== undefined) refuseWithResume(command, given);

  const layers: ConfigLayer[] = [];
  const file = value('config');
  if (file !== undefined) layers.push({ source: file, values: readJson(file) });
  const values = flagValues(given);
  if (Object.keys(values).length > 0) layers.push({ source: COMMAND_LINE, values });
  return {
    layers,
    profile: given['profile'] === true,
    debugNumbers: given['debug-numbers'] === true,
    dryRun: given['dry-run'] === true,
    ...(resume === undefined ? {} : { resume }),
    ...(out === undefined ? {} : { out }),
    ...(given['help'] === true ? { answer: command.helpInformation() + examples(commands) } : {}),
    ...(given['version'] === true ? { answer: packageJson.version } : {}),
  };
}

function makeCommand(): Command {
  const command = new Command('node train.js')
    .usage('[options]')
    .description(
      'Trains a masked autoencoder (the teacher), and from it i-MAE, which takes two blended images apart.\n\n' +
        `In brackets stands each option's value in the presets ${PRESET_NAMES.join(' | ')}; ` +
        'one value where they agree, – where another form of the option is used.',
    )
    .helpOption(false)
    .exitOverride()
    .configureOutput({ writeErr: () => undefined })
    .configureHelp({ helpWidth: Math.min(process.stdout.columns || HELP_WIDTH, HELP_WIDTH), optionTerm });

  for (const heading of HEADINGS) {
    if (heading === 'Data') {
      add(command, heading, '--preset <NAME>', `sizes and recipe: ${PRESET_NAMES.join(', ')} [demo]`);
      add(command, heading, '--config <FILE>', 'settings from a JSON file; flags win over it');
    }
    if (heading === 'Run folder') {
      add(
        command,
        heading,
        '--out <FOLDER>',
        'folder of the run; it must be new or empty [runs/<date-time>-<images or preset>]',
      );
      add(command, heading, '--resume <RUN>', 'go on with the run in this folder, bit for bit as if never interrupted');
    }
    for (const flag of FLAGS.filter((known) => headingOf(known) === heading)) {
      const { placeholder } = flag.option.kind;
      add(
        command,
        heading,
        `--${flag.name}${placeholder ? ` <${placeholder}>` : ''}`,
        `${flag.help} [${presetValues(flag)}]`,
      );
      if (!placeholder) command.addOption(new CommanderOption(`--no-${flag.name}`).hideHelp());
    }
  }
  add(
    command,
    'Other',
    '--profile',
    'time some steps kernel by kernel: a table, and profile.json and trace.json in the run folder',
  );
  add(
    command,
    'Other',
    '--debug-numbers',
    'look at every number that is computed, and stop at the first tensor with one that is not finite (in f32), or that ' +
      'differs from what the plain kernels make of the same operands by more than rounding; slow',
  );
  add(command, 'Other', '--dry-run', 'print model, parameters, memory, arithmetic and steps, and stop');
  add(command, 'Other', '--debug', 'show stack traces');
  add(command, 'Other', '--version', 'show the version');
  add(command, 'Other', '-h, --help', 'show this help');
  return command;
}

function add(command: Command, heading: Heading | 'Other', flags: string, help: string): void {
  const option = new CommanderOption(flags, help).helpGroup(`${heading}:`);
  // Commander would store --dry-run as dryRun; keep one spelling, the flag's.
  option.attributeName = () => option.name();
  command.addOption(option);
}

function headingOf({ section, option }: Flag): Heading {
  return option.heading ?? SECTION_HEADINGS[section];
}

function optionTerm(option: CommanderOption): string {
  const isSwitch = FLAGS.some((flag) => flag.name === option.name() && flag.option.kind.placeholder === '');
  return isSwitch ? `--[no-]${option.name()}` : option.flags.replace(/[<>]/g, '');
}

const presetConfigs = PRESET_NAMES.map((preset) => resolveConfig([{ source: preset, values: { preset } }]));

function presetValues({ section, key, option, form }: Flag): string {
  const shown = presetConfigs.map((config) => {
    const value = (config[section] as Readonly<Record<string, unknown>>)[key];
    if (form === undefined || value === null) return option.kind.show(value);
    const number = (value as Readonly<Record<string, number>>)[form];
    return number === undefined ? '–' : (option.kind.forms?.[form]?.kind.show(number) ?? '');
  });
  return shown.every((text) => text === shown[0]) ? (shown[0] ?? '') : shown.join(' | ');
}

/** The values of the flags given, in the form of a config file. */
function flagValues(given: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const values: Record<string, Record<string, unknown>> = {};
  const givenBy = new Map<string, string>();
  for (const flag of FLAGS) {
    const text = given[flag.name];
    if (text === undefined) continue;
    const place = `${flag.section}.${flag.key}`;
    const other = givenBy.get(place);
    if (other !== undefined) {
      throw new UserError(`--${other} and --${flag.name} say the same thing in two ways. Give one of them.`, {
        usage: true,
      });
    }
    givenBy.set(place, flag.name);
    const value = typeof text === 'string' ? flag.option.kind.parse(text) : text;
    (values[flag.section] ??= {})[flag.key] = formed(flag, value);
  }
  return given['preset'] === undefined ? values : { preset: given['preset'], ...values };
}

/** A value as its form asks for it. Checked here, so that the message names the flag that was used and no other. */
function formed({ name, option, form }: Flag, value: unknown): unknown {
  if (form === undefined || value === null) return value;
  const kind = option.kind.forms?.[form]?.kind;
  if (kind && kind.read(value) === undefined) {
    throw new UserError(`--${name}: ${JSON.stringify(value)} (${COMMAND_LINE}) is not allowed. Give ${kind.expects}.`, {
      usage: true,
    });
  }
  return { [form]: value };
}

function refuseWithResume(command: Command, given: Readonly<Record<string, unknown>>): void {
  const allowed = new Set(['resume', 'profile', 'debug-numbers', 'dry-run', 'debug', 'version', 'help']);
  for (const { section, key, name } of FLAGS) if (isChangeable(section, key)) allowed.add(name);
  const refused = command.options.find((option) => option.name() in given && !allowed.has(option.name()));
  if (!refused) return;
  throw new UserError(
    `--${refused.name()} cannot be changed by --resume: a run goes on with its own configuration. ` +
      'Leave it out, or start a new run.',
    { usage: true },
  );
}

function inOurWords(error: CommanderError, command: Command): string {
  if (error.code === 'commander.excessArguments') {
    return `'${command.args[0] ?? ''}' does not belong to an option. Images are given by --data, settings by --config.`;
  }
  const message = error.message.replace(/^error: /, '').replace(/\s*\n\s*/g, ' ');
  return `${message.charAt(0).toUpperCase()}${message.slice(1)}. See node train.js --help.`;
}

function readJson(path: string): unknown {
  let text = '';
  try {
    text = readFileSync(path, 'utf8').replace(/^\uFEFF/, '');
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new UserError(`--config: ${path} cannot be read as JSON: ${withLine(reason(error), text)}.`, { usage: true });
  }
}

/** Newer versions of Node.js tell the line themselves. */
function withLine(message: string, text: string): string {
  const at = /at position (\d+)$/.exec(message)?.[1];
  return at === undefined ? message : `${message}, line ${text.slice(0, Number(at)).split('\n').length}`;
}
