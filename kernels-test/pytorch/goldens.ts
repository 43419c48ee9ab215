import type { DType } from '../../src/tensor/tensor';

/** A number as JSON has it: what is not finite is a word. */
type Stored = number | 'nan' | 'inf' | '-inf';

/** A tensor as a file of goldens has it. */
interface StoredTensor {
  readonly shape: readonly number[];
  readonly dtype?: 'i32' | 'u32';
  readonly data: readonly Stored[];
  /** Elements where PyTorch's float32 gives something of another kind, such as an infinity for a number. */
  readonly or?: Readonly<Record<string, Stored>>;
  /** How far its norm moves where every operand is changed in the last bit; given where that is much. */
  readonly noise?: number;
}

/** An argument: a number, a word, a list or options; `{ input: 0 }` is the first input, `{ program: true }` the program. */
export type Argument = number | string | boolean | null | readonly Argument[] | { readonly [name: string]: Argument };

/** An operation with its arguments, and what is known of its inputs. */
interface Call {
  readonly operation: string;
  readonly arguments: readonly Argument[];
  readonly inputs: readonly { readonly shape: readonly number[]; readonly dtype?: DType }[];
}

export interface StoredCase extends Call {
  readonly inputs: readonly StoredTensor[];
  readonly outputs: readonly StoredTensor[];
  /** The inputs that take gradients, by their numbers; `gradients` are theirs. */
  readonly taking?: readonly number[];
  readonly dOutputs?: readonly StoredTensor[];
  readonly gradients?: readonly StoredTensor[];
  /** Inputs that outlive the program, and that the operation changes: they are outputs behind its own. */
  readonly lasting?: readonly number[];
  /** What is special about its numbers: `denormals`, `NaN` … */
  readonly about?: string;
}

export interface StoredRefusal extends Call {
  readonly inputs: readonly { readonly shape: readonly number[]; readonly dtype: DType }[];
}

/** A file of goldens: see `generate.py`. */
export interface StoredFamily {
  readonly cases: readonly StoredCase[];
  readonly refusals: readonly StoredRefusal[];
}

/** A tensor that PyTorch computed, or was given. */
export interface Golden {
  readonly shape: readonly number[];
  readonly dtype: 'f32' | 'i32' | 'u32';
  readonly data: Float32Array | Int32Array | Uint32Array;
  /** By element: what is right as well. */
  readonly others: ReadonlyMap<number, number>;
  readonly noise: number;
}

const ARRAYS = { f32: Float32Array, i32: Int32Array, u32: Uint32Array } as const;
const WORDS: Readonly<Record<string, number>> = { nan: NaN, inf: Infinity, '-inf': -Infinity };

const numberOf = (stored: Stored): number => (typeof stored === 'string' ? (WORDS[stored] as number) : stored);

export function golden({ shape, dtype: stored, data, or = {}, noise = 0 }: StoredTensor): Golden {
  const dtype = stored ?? 'f32';
  const others = new Map(Object.entries(or).map(([place, other]) => [Number(place), numberOf(other)]));
  return { shape, dtype, data: ARRAYS[dtype].from(data.map(numberOf)), others, noise };
}

/** What a case is called in messages: its operation, the shapes of its inputs, its arguments. */
export function nameOf(stored: Call): string {
  const said = (argument: Argument): string => {
    if (Array.isArray(argument)) return `[${(argument as readonly Argument[]).map(said).join(', ')}]`;
    if (typeof argument !== 'object' || argument === null) return String(argument);
    const options = argument as Readonly<Record<string, Argument>>;
    const input = typeof options.input === 'number' ? stored.inputs[options.input] : undefined;
    if (input)
      return `${input.dtype === undefined || input.dtype === 'f32' ? '' : input.dtype}[${input.shape.join(', ')}]`;
    return `{ ${Object.entries(options)
      .map(([name, value]) => `${name}: ${said(value)}`)
      .join(', ')} }`;
  };
  return `${stored.operation}(${stored.arguments.map(said).join(', ')})`;
}

/** The arguments with tensors in their places. */
export function resolve(argument: Argument, inputs: readonly unknown[], program: unknown): unknown {
  if (argument === null) return undefined;
  if (typeof argument === 'string') return WORDS[argument] ?? argument;
  if (Array.isArray(argument)) return (argument as readonly Argument[]).map((each) => resolve(each, inputs, program));
  if (typeof argument !== 'object') return argument;
  const options = argument as Readonly<Record<string, Argument>>;
  if (typeof options.input === 'number') return inputs[options.input];
  if (options.program === true) return program;
  return Object.fromEntries(Object.entries(options).map(([name, value]) => [name, resolve(value, inputs, program)]));
}
