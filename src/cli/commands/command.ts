import { Command as Parser, CommanderError, Option as ParserOption } from 'commander';
import { UserError } from '../../common/userError';
import type { Kind } from '../../imae/config/optionKinds';
import { reportFailure } from '../../node/failure';

/** An option of a command. */
export interface CommandOption<T> {
  readonly kind: Kind<T>;
  /** The value where the flag is absent; one without must be given. */
  readonly default?: T;
  readonly help: string;
}

/** Options by their flags, without the dashes. */
export type CommandOptions = Readonly<Record<string, CommandOption<unknown>>>;

export type ValuesOf<O extends CommandOptions> = {
  readonly [K in keyof O]: O[K] extends CommandOption<infer T> ? T : never;
};

/** What `node train.js NAME …` runs. */
export interface Command {
  readonly name: string;
  /** In one line, for the help. */
  readonly about: string;
  /** @returns the process's exit code: 2 for a wrong call, 1 for anything else that failed */
  run(args: readonly string[]): Promise<number>;
}

/** What a command is made of. */
export interface CommandSpec<O extends CommandOptions> {
  /** A word, or several for a command with kinds: `evaluate separability`. */
  readonly name: string;
  readonly about: string;
  /** What stands beside the options, as the help shows it (`A.jpg B.jpg`), and how many of them there have to be. */
  readonly operands?: { readonly shown: string; readonly least: number; readonly most: number };
  readonly options: O;
  /** Whether options that it does not know are handed on, unread, behind the operands. */
  readonly passesOn?: boolean;
  /** Lines under the options in the help. */
  readonly examples: readonly string[];
  /** `given` are the flags, without dashes, that stand on the command line. */
  readonly run: (
    values: ValuesOf<O>,
    operands: readonly string[],
    passed: readonly string[],
    given: ReadonlySet<string>,
  ) => Promise<number>;
}

/** An option whose kind and default stand in one place. */
export function commandOption<T>(kind: Kind<T>, fallback: NoInfer<T>, help: string): CommandOption<T> {
  return { kind, default: fallback, help };
}

/** An option that has to be given. */
export function neededOption<T>(kind: Kind<T>, help: string): CommandOption<T> {
  return { kind, help };
}

/** A command whose options are read, checked and explained as those of a run are. */
export function makeCommand<const O extends CommandOptions>(spec: CommandSpec<O>): Command {
  const { name, about } = spec;
  return {
    name,
    about,
    run: async (args) => {
      try {
        const parser = makeParser(spec);
        parse(parser, args);
        const given = parser.opts<Record<string, unknown>>();
        if (given['help'] === true) {
          console.log(`${parser.helpInformation()}\nExamples:\n${spec.examples.map((line) => `  ${line}`).join('\n')}`);
          return 0;
        }
        const first = spec.passesOn ? parser.args.findIndex((text) => text.startsWith('-')) : -1;
        const [operands, passed] =
          first < 0 ? [parser.args, []] : [parser.args.slice(0, first), parser.args.slice(first)];
        return await spec.run(valuesOf(spec, given), operandsOf(spec, operands), passed, new Set(Object.keys(given)));
      } catch (error) {
        return reportFailure(error, args.includes('--debug'));
      }
    },
  };
}

function makeParser<O extends CommandOptions>({ name, about, operands, options, passesOn }: CommandSpec<O>): Parser {
  const parser = new Parser(`node train.js ${name}`)
    .usage([operands?.shown, '[options]'].filter((part) => part !== undefined).join(' '))
    .description(about)
    .helpOption(false)
    .allowExcessArguments()
    .allowUnknownOption(passesOn)
    .exitOverride()
    .configureOutput({ writeErr: () => undefined })
    .configureHelp({
      helpWidth: Math.min(process.stdout.columns || 110, 110),
      optionTerm: (option) => option.flags.replace(/[<>]/g, ''),
    });
  const add = (flags: string, help: string): ParserOption => {
    const option = new ParserOption(flags, help);
    // The parser would store --top-k as topK; keep one spelling, the flag's, which --no-flag turns off.
    option.attributeName = () => option.name().replace(option.negate ? /^no-/ : '', '');
    parser.addOption(option);
    return option;
  };
  for (const [flag, { kind, help, ...option }] of Object.entries(options)) {
    const shown = 'default' in option ? ` [${kind.show(option.default)}]` : '';
    add(`--${flag}${kind.placeholder ? ` <${kind.placeholder}>` : ''}`, help + shown);
    if (!kind.placeholder) add(`--no-${flag}`, '').hideHelp();
  }
  add('--debug', 'show stack traces');
  add('-h, --help', 'show this help');
  return parser;
}

function parse(parser: Parser, args: readonly string[]): void {
  try {
    parser.parse([...args], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    const message = error.message.replace(/^error: /, '').replace(/\s*\n\s*/g, ' ');
    throw usage(
      `${message.charAt(0).toUpperCase()}${message.slice(1).replace(/\.$/, '')}. See ${parser.name()} --help.`,
    );
  }
}

function valuesOf<O extends CommandOptions>(
  { name, options }: CommandSpec<O>,
  given: Readonly<Record<string, unknown>>,
): ValuesOf<O> {
  const values: Record<string, unknown> = {};
  for (const [flag, { kind, ...option }] of Object.entries(options)) {
    const text = given[flag];
    if (text === undefined) {
      if (!('default' in option))
        throw usage(`--${flag} is missing. Give ${kind.expects}. See node train.js ${name} --help.`);
      values[flag] = option.default;
      continue;
    }
    const parsed = typeof text === 'string' ? kind.parse(text) : text;
    const value = kind.read(parsed);
    if (value === undefined) throw usage(`--${flag}: ${JSON.stringify(parsed)} is not allowed. Give ${kind.expects}.`);
    values[flag] = value;
  }
  return values as ValuesOf<O>;
}

function operandsOf<O extends CommandOptions>(
  { name, operands }: CommandSpec<O>,
  given: readonly string[],
): readonly string[] {
  const { least, most, shown } = operands ?? { least: 0, most: 0, shown: '' };
  const extra = given[most];
  if (extra !== undefined)
    throw usage(`'${extra}' is too much: node train.js ${name} ${shown}`.trimEnd() + ` takes no more. See --help.`);
  if (given.length < least) throw usage(`node train.js ${name} needs ${shown}. See --help.`);
  return given;
}

function usage(message: string): UserError {
  return new UserError(message, { usage: true });
}
