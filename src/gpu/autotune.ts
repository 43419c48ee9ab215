import { EngineError } from './errors';
import type { ParamValues } from './expression';
import type { Kernel } from './shader';

/** One variant of a dispatch: a kernel, all its parameters, its grid. */
export interface KernelVariant {
  readonly kernel: Kernel;
  readonly params: ParamValues;
  readonly workgroups: readonly [x: number, y?: number, z?: number];
}

/** Ways to do a dispatch that give the same bits as its own, with the same bindings and uniforms. */
export interface KernelVariants {
  /** The work and its shape, in words: `matmul nt 1088×576×192`. */
  readonly work: string;
  readonly variants: readonly KernelVariant[];
}

/** What of a dispatch a choice goes by. */
export interface TunableDispatch extends Omit<KernelVariant, 'params'> {
  /** Compile-time constants. */
  readonly params?: ParamValues;
  /** Fields of the uniform struct. */
  readonly uniforms?: Readonly<Record<string, number>>;
  readonly bindings: Readonly<Record<string, { readonly size: number }>>;
  /** Other variants of it, for the engine's choices. */
  readonly alternatives?: KernelVariants;
  /** Floating-point operations, where they are worth telling. */
  readonly flops?: number;
}

/** A dispatch that can be done in several variants: what measurement has to answer. */
export interface TuningKey {
  /** The work with the flags of its kernel: the same key, the same work. */
  readonly key: string;
  /** The first is taken where nothing was measured. */
  readonly variants: readonly KernelVariant[];
  readonly uniforms: Readonly<Record<string, number>>;
  /** What is bound: bytes by name. */
  readonly sizes: ReadonlyMap<string, number>;
  readonly flops: number;
  /** How many dispatches asked it. */
  uses: number;
}

/** Names of variants by keys of questions. */
export type KernelEntries = Readonly<Record<string, string>>;

/** The choices of an engine, from now on: what was recorded before has gone by rule. */
export function choicesOf(engine: { choices: KernelChoices | undefined }): KernelChoices {
  return (engine.choices ??= new KernelChoices());
}

/**
 * Which of several variants an engine does its dispatches in, where they give the same bits. By itself it takes the first;
 * `adopt` gives it what was measured. It remembers what was asked, for whoever measures.
 */
export class KernelChoices {
  readonly #entries = new Map<string, string>();
  readonly #questions = new Map<string, TuningKey>();

  /** Takes over entries. Those that name no variant of their question are as if they were not there. */
  adopt(entries: KernelEntries): void {
    for (const [key, name] of Object.entries(entries)) this.#entries.set(key, name);
  }

  /**
   * A dispatch as it is to be done.
   *
   * @throws EngineError `bad-dispatch` where two of its variants have one name
   */
  decide<Dispatch extends TunableDispatch>(dispatch: Dispatch): Dispatch {
    const { alternatives, kernel, params = {}, workgroups } = dispatch;
    if (!alternatives || alternatives.variants.length === 0) return dispatch;
    const key = keyOf(alternatives.work, params);
    let question = this.#questions.get(key);
    if (!question) {
      question = {
        key,
        variants: [{ kernel, params, workgroups }, ...alternatives.variants],
        uniforms: dispatch.uniforms ?? {},
        sizes: new Map(Object.entries(dispatch.bindings).map(([name, { size }]) => [name, size])),
        flops: dispatch.flops ?? 0,
        uses: 0,
      };
      const names = question.variants.map(variantName);
      const twice = names.find((name, index) => names.indexOf(name) !== index);
      if (twice !== undefined) {
        throw new EngineError(
          'bad-dispatch',
          `${key}: two variants are called '${twice}'.`,
          'Tell them apart by a parameter that is a number.',
        );
      }
      this.#questions.set(key, question);
    }
    question.uses++;
    return { ...dispatch, ...this.#takenFor(question) };
  }

  #takenFor({ key, variants }: TuningKey): KernelVariant {
    const name = this.#entries.get(key);
    return variants.find((variant) => variantName(variant) === name) ?? (variants[0] as KernelVariant);
  }

  #isAnswered({ key, variants }: TuningKey): boolean {
    return variants.some((variant) => variantName(variant) === this.#entries.get(key));
  }

  /** What was asked and is not answered. */
  get open(): readonly TuningKey[] {
    return this.asked.filter((question) => !this.#isAnswered(question));
  }

  /** Entries that are no answer to what was asked, as `work: name`. */
  get unknown(): readonly string[] {
    return this.open.flatMap(({ key }) => (this.#entries.has(key) ? [`${key}: ${this.#entries.get(key) ?? ''}`] : []));
  }

  /** The entries of what was asked, as far as it is answered: with them another engine does the same. */
  get used(): KernelEntries {
    const answered = this.asked.filter((question) => this.#isAnswered(question));
    return Object.fromEntries(answered.map((question) => [question.key, variantName(this.#takenFor(question))]));
  }

  /** Everything that was asked. */
  get asked(): readonly TuningKey[] {
    return [...this.#questions.values()];
  }
}

/** What a variant is called among those of its question: its kernel and sizes, `matmulTile BM=128 BN=64 TM=8`. */
export function variantName({ kernel, params }: KernelVariant): string {
  const sizes = Object.entries(params).filter(([, value]) => typeof value === 'number');
  return [kernel.name, ...sizes.map(([name, value]) => `${name}=${Number(value)}`)].join(' ');
}

function keyOf(work: string, params: ParamValues): string {
  return [work, ...Object.keys(params).filter((name) => params[name] === true)].join(' ');
}
