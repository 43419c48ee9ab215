import { UserError } from '../common/userError';
import { beta, RandomStream } from './philox';
import * as purposes from './purposes';

/*
 * The laws that α, the weight of the first image in a mixture, is drawn from: one table. A law that is added to `Laws` does
 * not compile before it has its row.
 */

/** The numbers of each law. */
interface Laws {
  readonly fixed: { readonly value: number };
  readonly beta: { readonly a: number; readonly b: number };
  readonly uniform: { readonly low: number; readonly high: number };
}

/** The names of laws. */
type LawName = keyof Laws;

/** A law of one name. */
type LawOf<Name extends LawName> = { readonly law: Name } & Laws[Name];

/** How the weight of an image in a blend is drawn. */
export type AlphaLaw = { readonly [Name in LawName]: LawOf<Name> }[LawName];

interface LawRow<Numbers> {
  /** Its numbers, in the order in which they are written: `beta(A,B)`. */
  readonly numbers: readonly (keyof Numbers & string)[];
  /** What may be written, to end the sentence "Give …". */
  readonly expects: string;
  readonly holds: (numbers: Numbers) => boolean;
  /** One α. */
  readonly draw: (numbers: Numbers, stream: RandomStream) => number;
}

const isShare = (value: number): boolean => value >= 0 && value <= 1;
const isPositive = (value: number): boolean => value > 0 && Number.isFinite(value);

const LAWS: { readonly [Name in LawName]: LawRow<Laws[Name]> } = {
  fixed: {
    numbers: ['value'],
    expects: 'a number from 0 up to 1',
    holds: ({ value }) => isShare(value),
    draw: ({ value }) => value,
  },
  beta: {
    numbers: ['a', 'b'],
    expects: '"beta(A,B)" with A and B above 0',
    holds: ({ a, b }) => isPositive(a) && isPositive(b),
    draw: ({ a, b }, stream) => beta(stream, a, b),
  },
  uniform: {
    numbers: ['low', 'high'],
    expects: '"uniform(LOW,HIGH)" within 0 and 1',
    holds: ({ low, high }) => isShare(low) && isShare(high) && low <= high,
    draw: ({ low, high }, stream) => low + (high - low) * stream.uniform(),
  },
};

/** What may be written for a law, to end the sentence "Give …". */
export const ALPHA_LAW_EXPECTS = listed(Object.values(LAWS).map(({ expects }) => expects));

function listed(parts: readonly string[]): string {
  return `${parts.slice(0, -1).join(', ')}, or ${parts.at(-1) ?? ''}`;
}

const rowOf = <Name extends LawName>({ law }: LawOf<Name>): LawRow<Laws[Name]> => LAWS[law];

function holds<Name extends LawName>(law: LawOf<Name>): boolean {
  return rowOf(law).holds(law);
}

/** Whether it is the same α whenever it is drawn. */
export function isConstant({ law }: AlphaLaw): boolean {
  return law === 'fixed';
}

const isLawName = (name: string): name is LawName => Object.hasOwn(LAWS, name);

const numbersOf = (name: LawName): readonly string[] => LAWS[name].numbers;

/** A law by its name and numbers; undefined where there is no such law or it does not allow them. */
function lawOf(name: string, numbers: Readonly<Record<string, unknown>>): AlphaLaw | undefined {
  if (!isLawName(name)) return undefined;
  const wanted = numbersOf(name);
  if (Object.keys(numbers).length !== wanted.length) return undefined;
  if (!wanted.every((number) => typeof numbers[number] === 'number')) return undefined;
  const law = { law: name, ...numbers } as AlphaLaw;
  return holds(law) ? law : undefined;
}

/** Reads a number, `beta(A,B)`, `uniform(LOW,HIGH)`, or a law as an object; undefined where it is not allowed. */
export function readAlphaLaw(value: unknown): AlphaLaw | undefined {
  if (typeof value === 'number') return lawOf('fixed', { value });
  if (typeof value === 'string') return parseAlphaLaw(value.trim().toLowerCase());
  if (typeof value !== 'object' || value === null) return undefined;
  const { law, ...numbers } = value as Readonly<Record<string, unknown>>;
  return lawOf(String(law), numbers);
}

function parseAlphaLaw(text: string): AlphaLaw | undefined {
  const [, name = '', list = ''] = /^(\w+)\s*\(([^()]+)\)$/.exec(text) ?? [];
  if (!isLawName(name) || name === 'fixed') return undefined;
  const given = list.split(',').map(Number);
  const wanted = numbersOf(name);
  if (given.length !== wanted.length) return undefined;
  return lawOf(name, Object.fromEntries(wanted.map((number, index) => [number, given[index]])));
}

/** As it is written. */
export function formatAlphaLaw(law: AlphaLaw): string {
  const numbers = LAWS[law.law].numbers.map((name) => String((law as unknown as Record<string, number>)[name]));
  return law.law === 'fixed' ? numbers.join() : `${law.law}(${numbers.join()})`;
}

/**
 * α of each sample of a step.
 *
 * @param per whether one is drawn for the batch, or one for each sample
 * @returns `batch` values in [0, 1]
 * @throws UserError where the law does not allow its numbers
 */
export function drawAlphas(
  seed: number,
  step: number,
  batch: number,
  law: AlphaLaw,
  per: 'batch' | 'sample',
): Float32Array {
  if (!holds(law))
    throw new UserError(`α can't be ${formatAlphaLaw(law)}. Give ${ALPHA_LAW_EXPECTS}.`, { usage: true });
  const stream = RandomStream.at(seed, purposes.alpha, step);
  const draw = (): number => drawOne(law, stream);
  const alphas = new Float32Array(batch);
  return per === 'batch' ? alphas.fill(draw()) : alphas.map(draw);
}

function drawOne<Name extends LawName>(law: LawOf<Name>, stream: RandomStream): number {
  return rowOf(law).draw(law, stream);
}
