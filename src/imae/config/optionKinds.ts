import { ALPHA_LAW_EXPECTS, formatAlphaLaw, readAlphaLaw, type AlphaLaw } from '../../data/alphaLaw';

/*
 * The kinds of values that an option of a run may have: how each is written on a command line, how it stands in a
 * config file, and how it is shown. A kind knows nothing of the option that uses it.
 */

/** How the values of an option are read, checked and shown. */
export interface Kind<T> {
  /** What may be written, to end the sentence "Give …". */
  readonly expects: string;
  /** Stands for the value in `--help`; empty for a switch. */
  readonly placeholder: string;
  /** The value that a config file (or `parse`) gives, or undefined where it is not allowed. */
  read(value: unknown): T | undefined;
  /** What the text of a flag would be in a config file; not yet checked. */
  parse(text: string): unknown;
  /** As the command line would write it. */
  show(value: T): string;
  /** A value with several forms (`{steps}` or `{epochs}`) has a flag for each of them. */
  readonly forms?: Readonly<Record<string, Form>>;
}

/** One form of a value: its number, and what it says about it in the help. */
export interface Form {
  readonly kind: Kind<number>;
  readonly help: string;
}

/** The value type of a kind. */
export type ValueOf<K> = K extends Kind<infer T> ? T : never;

interface Range {
  readonly min?: number;
  /** Greater than this, not equal. */
  readonly above?: number;
  readonly max?: number;
  /** Less than this, not equal. */
  readonly below?: number;
}

function inWords({ min, above, max, below }: Range): string {
  const low = min !== undefined ? ` from ${min}` : above !== undefined ? ` above ${above}` : '';
  const high = max !== undefined ? ` up to ${max}` : below !== undefined ? ` below ${below}` : '';
  return low + high;
}

function within(value: number, { min, above, max, below }: Range): boolean {
  return (
    Number.isFinite(value) &&
    (min === undefined || value >= min) &&
    (above === undefined || value > above) &&
    (max === undefined || value <= max) &&
    (below === undefined || value < below)
  );
}

/** A number where the text is one, else the text, so that a message can show it. */
function toNumber(text: string): unknown {
  return text.trim() !== '' && Number.isFinite(Number(text)) ? Number(text) : text;
}

function numberKind(expects: string, allowed: (value: number) => boolean): Kind<number> {
  return {
    expects,
    placeholder: 'N',
    read: (value) => (typeof value === 'number' && allowed(value) ? value : undefined),
    parse: toNumber,
    show: showNumber,
  };
}

function showNumber(value: number): string {
  return value !== 0 && Math.abs(value) < 1e-3 ? value.toExponential() : String(value);
}

export function number(range: Range = {}): Kind<number> {
  return numberKind(`a number${inWords(range)}`, (value) => within(value, range));
}

export function integer(range: Range & { readonly multipleOf?: number } = {}): Kind<number> {
  const { multipleOf = 1 } = range;
  const noun = multipleOf === 1 ? 'a whole number' : `a multiple of ${multipleOf}`;
  return numberKind(
    noun + inWords(range),
    (value) => within(value, range) && Number.isSafeInteger(value) && value % multipleOf === 0,
  );
}

export function toggle(): Kind<boolean> {
  return {
    expects: 'true or false',
    placeholder: '',
    read: (value) => (typeof value === 'boolean' ? value : undefined),
    parse: (text) => (text === 'true' ? true : text === 'false' ? false : text),
    show: (value) => (value ? 'yes' : 'no'),
  };
}

export function choice<const T extends string>(...values: readonly T[]): Kind<T> {
  return {
    expects: `one of ${values.join(', ')}`,
    placeholder: values.join('|'),
    read: (value) => values.find((allowed) => allowed === value),
    parse: (text) => text,
    show: (value) => value,
  };
}

export function text(placeholder: string, expects: string): Kind<string> {
  return {
    expects,
    placeholder,
    read: (value) => (typeof value === 'string' && value !== '' ? value : undefined),
    parse: (value) => value,
    show: (value) => value,
  };
}

/** Two numbers of one range, written `A,B`. */
export function pair(range: Range & { readonly ascending?: boolean }): Kind<readonly [number, number]> {
  return {
    expects: `two numbers${inWords(range)}${range.ascending ? ', the smaller first' : ''}, written A,B`,
    placeholder: 'A,B',
    read: (value) => {
      if (!Array.isArray(value) || value.length !== 2) return undefined;
      const [a, b] = value as unknown[];
      if (typeof a !== 'number' || typeof b !== 'number') return undefined;
      return within(a, range) && within(b, range) && !(range.ascending && a > b) ? [a, b] : undefined;
    },
    parse: (value) => (value.includes(',') ? value.split(',').map(toNumber) : value),
    show: (value) => value.join(','),
  };
}

/** One number or more of a kind, none of them twice, written `A,B,…`. */
export function list(kind: Kind<number>, what: string): Kind<readonly number[]> {
  return {
    expects: `${what}, written A,B,…, no two alike, each ${kind.expects}`,
    placeholder: 'A,B,…',
    read: (value) => {
      if (!Array.isArray(value) || value.length === 0 || new Set(value).size < value.length) return undefined;
      const read = value.map((each) => kind.read(each));
      return read.every((each) => each !== undefined) ? read : undefined;
    },
    parse: (value) => value.split(',').map(toNumber),
    show: (value) => value.join(','),
  };
}

/** A kind, or null (in a config file), which the command line writes as `word`. */
export function nullable<T>(kind: Kind<T>, word: string): Kind<T | null> {
  return {
    ...kind,
    expects: `${kind.expects}, or ${word}`,
    read: (value) => (value === null ? null : kind.read(value)),
    parse: (value) => (value === word ? null : kind.parse(value)),
    show: (value) => (value === null ? word : kind.show(value)),
  };
}

/** A kind, or one word of its own. */
export function orWord<T, const W extends string>(kind: Kind<T>, word: W): Kind<T | W> {
  return {
    ...kind,
    expects: `${kind.expects}, or ${word}`,
    placeholder: `${kind.placeholder}|${word}`,
    read: (value) => (value === word ? word : kind.read(value)),
    show: (value) => (value === word ? word : kind.show(value as T)),
  };
}

/** Exactly one of the forms, as `{form: number}`. */
type OneOf<F> = { readonly [K in keyof F]: { readonly [P in K]: number } }[keyof F];

/** A number that can be given in several ways: `{steps: 500}` or `{epochs: 3}`. */
export function oneOf<const F extends Readonly<Record<string, Form>>>(forms: F): Kind<OneOf<F>> {
  const names = Object.keys(forms);
  return {
    forms,
    expects: names.map((name) => `{"${name}": ${forms[name]?.kind.expects ?? ''}}`).join(' or '),
    placeholder: 'N',
    read: (value) => {
      if (typeof value !== 'object' || value === null) return undefined;
      const [entry, more] = Object.entries(value as Record<string, unknown>);
      if (!entry || more) return undefined;
      const number = Object.hasOwn(forms, entry[0]) ? forms[entry[0]]?.kind.read(entry[1]) : undefined;
      return number === undefined ? undefined : ({ [entry[0]]: number } as OneOf<F>);
    },
    parse: toNumber,
    show: (value) =>
      Object.entries<number>(value)
        .map(([name, value]) => `${showNumber(value)} ${name}`)
        .join(),
  };
}

/** Written `0.35`, `beta(A,B)` or `uniform(LOW,HIGH)`; in a config file also as an object. */
export function alphaLaw(): Kind<AlphaLaw> {
  return { expects: ALPHA_LAW_EXPECTS, placeholder: 'LAW', read: readAlphaLaw, parse: toNumber, show: formatAlphaLaw };
}
