import { variantName, type KernelEntries, type TuningKey, type KernelVariant } from '../gpu/autotune';
import type { GpuEngine } from '../gpu/gpuEngine';
import { EngineError } from '../gpu/errors';
import type { DeviceBuffer } from '../gpu/pool';
import type { Binding, SpecializedKernel } from '../gpu/shader';
import { Slice } from '../gpu/storage';
import { Graph } from '../tensor/graph';
import { Tensor, type DType } from '../tensor/tensor';
import { sameBits } from './sameBits';

/** What measuring found. */
export interface Measurement {
  /** The fastest variant of each question that was answered. */
  readonly entries: KernelEntries;
  /** Ways that gave other bits than the first, or none. */
  readonly refused: readonly string[];
  /** Answers other than the first variant. */
  readonly changed: number;
  /** Of what was answered: the time of all its dispatches now over that before. */
  readonly ratio: number;
}

/** Sample by sample, all variants in turn, so that what disturbs one disturbs all. */
const ROUNDS = 3;
/** A variant that is slower than the best by so much in the first round is not measured further. */
const HOPELESS = 1.25;
/** One that is slower by so much is not tried on other shapes either: compiling it takes longer than running it. */
const HOPELESS_ANYWHERE = 1.6;
/** So much faster than the first variant one must be to win. */
const MARGIN = 0.03;
const MOST_REPEATS = 128;
/** What a sample takes at least, with timestamps of the GPU and by the host's clock, which waits in whole milliseconds. */
const SAMPLE_SECONDS = { gpu: 0.002, host: 0.02 };

/**
 * Times the variants of each question on random contents of its very shape, the questions that weigh most first. A variant may
 * win only where all it writes is bit for bit what the first variant writes.
 *
 * @param seconds no further question is begun after so many, and one that was is given up after twice as many
 * @throws EngineError where the device fails; a question that does not fit into memory is left open
 */
export async function measureKernels(
  engine: GpuEngine,
  questions: readonly TuningKey[],
  seconds: number,
): Promise<Measurement> {
  const [lastBegin, deadline] = [1, 2].map((times) => performance.now() + times * seconds * 1000) as [number, number];
  const entries: Record<string, string> = {};
  const refused: string[] = [];
  const hopeless = new Set<string>();
  let changed = 0;
  let [before, after] = [0, 0];
  const weight = ({ uses, flops }: TuningKey): number => uses * flops;
  for (const question of [...questions].sort((a, b) => weight(b) - weight(a))) {
    if (performance.now() > lastBegin) break;
    const answer = await measureQuestion(engine, question, deadline, { refused, hopeless });
    if (!answer) continue;
    entries[question.key] = variantName(answer.variant);
    if (answer.variant !== question.variants[0]) changed++;
    before += question.uses * answer.before;
    after += question.uses * answer.after;
  }
  return { entries, refused, changed, ratio: before > 0 ? after / before : 1 };
}

interface Answer {
  readonly variant: KernelVariant;
  /** Seconds of the first variant, and of the one that won. */
  readonly before: number;
  readonly after: number;
}

async function measureQuestion(
  engine: GpuEngine,
  question: TuningKey,
  deadline: number,
  { refused, hopeless }: { readonly refused: string[]; readonly hopeless: Set<string> },
): Promise<Answer | undefined> {
  const [first, ...others] = question.variants;
  if (!first) return undefined;
  let scratch: Scratch | undefined;
  const contenders: Contender[] = [];
  try {
    scratch = new Scratch(engine, question, first);
    await scratch.keepResultOf(first);
    contenders.push(await scratch.contender(first));
    for (const variant of others.filter((other) => !hopeless.has(variantName(other)))) {
      if (performance.now() > deadline) return undefined;
      const wrong = await whatIsWrong(scratch, variant);
      if (wrong === undefined) contenders.push(await scratch.contender(variant));
      else refused.push(`${question.key}: ${variantName(variant)} ${wrong}`);
    }
    return await race(contenders, deadline, hopeless);
  } catch (error) {
    if (error instanceof EngineError && ['out-of-memory', 'limit-exceeded'].includes(error.code)) return undefined;
    throw error;
  } finally {
    for (const { program } of contenders) program.dispose();
    scratch?.dispose();
  }
}

async function whatIsWrong(scratch: Scratch, variant: KernelVariant): Promise<string | undefined> {
  try {
    const differences = await scratch.differences(variant);
    return differences === 0 ? undefined : `differs in ${differences} elements`;
  } catch (error) {
    if (error instanceof EngineError && ['bad-kernel', 'missing-feature', 'limit-exceeded'].includes(error.code)) {
      return `cannot run: ${error.what}`;
    }
    throw error;
  }
}

/** Rounds of all contenders; the first of them wins but where another is faster beyond noise. */
async function race(
  contenders: readonly Contender[],
  deadline: number,
  hopeless: Set<string>,
): Promise<Answer | undefined> {
  let running = contenders;
  for (let round = 0; round < ROUNDS && running.length > 1; round++) {
    if (performance.now() > deadline) return undefined;
    for (const { program, repeats, samples } of running) samples.push((await program.runTimed()) / repeats);
    const best = Math.min(...running.map(({ samples }) => Math.min(...samples)));
    for (const { variant, samples } of running.slice(1)) {
      if (Math.min(...samples) > HOPELESS_ANYWHERE * best) hopeless.add(variantName(variant));
    }
    running = running.filter(({ samples }, index) => index === 0 || Math.min(...samples) < HOPELESS * best);
  }
  const [first, ...others] = running as [Contender, ...Contender[]];
  if (others.length === 0) return { variant: first.variant, before: 0, after: 0 };
  const fastest = others.reduce((a, b) => (median(b.samples) < median(a.samples) ? b : a));
  const before = Math.min(...first.samples);
  const wins = median(fastest.samples) < (1 - MARGIN) * before;
  return { variant: wins ? fastest.variant : first.variant, before, after: wins ? median(fastest.samples) : before };
}

function median(samples: readonly number[]): number {
  return [...samples].sort((a, b) => a - b)[Math.floor(samples.length / 2)] as number;
}

interface Contender {
  readonly variant: KernelVariant;
  readonly program: Awaited<ReturnType<Graph['compile']>>;
  /** Dispatches of the program. */
  readonly repeats: number;
  /** Seconds a dispatch. */
  readonly samples: number[];
}

/** Memory for one question: what its variants read, and what they write, once for the first variant's result and once again. */
class Scratch {
  readonly #buffers: DeviceBuffer[] = [];
  readonly #read: Record<string, Tensor<DType>> = {};
  readonly #wanted: Record<string, Tensor<DType>> = {};
  readonly #found: Record<string, Tensor<DType>> = {};
  readonly #kinds = new Map<string, Content>();

  readonly #engine: GpuEngine;
  readonly #question: TuningKey;

  constructor(engine: GpuEngine, question: TuningKey, first: KernelVariant) {
    this.#engine = engine;
    this.#question = question;
    try {
      const { specialized } = engine.kernel(first.kernel, first.params);
      for (const binding of specialized.bindings) {
        const { name, access } = binding;
        const bytes = question.sizes.get(name);
        if (access === 'uniform' || bytes === undefined) continue;
        this.#kinds.set(name, contentOf(binding, specialized));
        if (access === 'read_write') {
          this.#wanted[name] = this.#tensor(name, bytes);
          this.#found[name] = this.#tensor(name, bytes);
        } else {
          this.#read[name] = this.#tensor(name, bytes);
        }
      }
      this.#fill(this.#read);
    } catch (error) {
      this.dispose();
      throw error;
    }
  }

  #tensor(name: string, bytes: number): Tensor<DType> {
    const buffer = this.#engine.allocate(bytes, `measured ${name}`);
    this.#buffers.push(buffer);
    const dtype = TYPES[this.#kinds.get(name) ?? 'float'];
    return new Tensor([dtype === 'f16' ? bytes / 2 : bytes / 4], dtype, new Slice(buffer, 0, bytes));
  }

  /** What was in them plays no part: the same contents, name by name, at every call. */
  #fill(tensors: Readonly<Record<string, Tensor<DType>>>): void {
    for (const [name, { storage }] of Object.entries(tensors)) {
      if (storage instanceof Slice) fillSlice(this.#engine, storage, this.#kinds.get(name) ?? 'float', name);
    }
  }

  #dispatch(
    graph: Graph,
    { kernel, params, workgroups }: KernelVariant,
    into: Readonly<Record<string, Tensor<DType>>>,
  ): void {
    const { uniforms } = this.#question;
    graph.dispatch({ kernel, params, workgroups, uniforms, bindings: { ...this.#read, ...into } });
  }

  async keepResultOf(variant: KernelVariant): Promise<void> {
    this.#fill(this.#wanted);
    const graph = new Graph(this.#engine, { debug: false });
    this.#dispatch(graph, variant, this.#wanted);
    await this.#once(graph);
  }

  /** Elements in which what a variant writes is not what was kept. */
  async differences(variant: KernelVariant): Promise<number> {
    this.#fill(this.#found);
    const graph = new Graph(this.#engine, { debug: false });
    this.#dispatch(graph, variant, this.#found);
    const counts = Object.entries(this.#found).map(([name, tensor]) =>
      sameBits(graph.use(wordsOf(tensor)), wordsOf(this.#wanted[name] as Tensor<DType>)),
    );
    return await this.#once(graph, counts);
  }

  /** Runs a graph; returns the sum of all elements of `outputs`. */
  async #once(graph: Graph, outputs: readonly Tensor<'u32'>[] = []): Promise<number> {
    graph.output(...outputs);
    const program = await graph.compile();
    try {
      program.run();
      await this.#engine.settle();
      let sum = 0;
      for (const output of outputs) for (const value of await program.read(output)) sum += value;
      return sum;
    } finally {
      program.dispose();
    }
  }

  /** A variant that was run before, ready to be timed. */
  async contender(variant: KernelVariant): Promise<Contender> {
    const single = await this.#repeated(variant, 1);
    const seconds = await single.runTimed();
    const wanted = this.#engine.hasTimestamps ? SAMPLE_SECONDS.gpu : SAMPLE_SECONDS.host;
    const repeats = Math.max(1, Math.min(MOST_REPEATS, Math.ceil(wanted / Math.max(seconds, 1e-6))));
    if (repeats === 1) return { variant, program: single, repeats, samples: [] };
    single.dispose();
    return { variant, program: await this.#repeated(variant, repeats), repeats, samples: [] };
  }

  async #repeated(variant: KernelVariant, repeats: number): Promise<Contender['program']> {
    const graph = new Graph(this.#engine, { debug: false });
    for (let repeat = 0; repeat < repeats; repeat++) this.#dispatch(graph, variant, this.#found);
    return await graph.compile();
  }

  dispose(): void {
    for (const buffer of this.#buffers) this.#engine.pool.release(buffer);
  }
}

/** What is drawn for a binding: floats between −1 and 1 in four bytes or in two, or flags that are mostly 1. */
type Content = 'float' | 'half' | 'flag';
const TYPES = { float: 'f32', half: 'f16', flag: 'u32' } as const;

/** The same bytes as 32-bit words. */
function wordsOf({ storage }: Tensor<DType>): Tensor<'u32'> {
  return new Tensor([storage.size / 4], 'u32', storage);
}

function contentOf({ type }: Binding, { code }: SpecializedKernel): Content {
  const element = /<\s*(\w+)/.exec(type)?.[1] ?? type;
  const resolved = new RegExp(`alias\\s+${element}\\s*=\\s*([^;]+);`).exec(code)?.[1] ?? type;
  if (/f16|vec\dh/.test(resolved)) return 'half';
  return /u32|i32|vec\d[ui]/.test(resolved) ? 'flag' : 'float';
}

/** A length that no row of a matrix divides, so that what lies elsewhere is something else. */
const BLOCK_WORDS = 2 ** 18 - 5;
const blocks = new Map<Content, Uint32Array<ArrayBuffer>>();

function block(content: Content): Uint32Array<ArrayBuffer> {
  let words = blocks.get(content);
  if (!words) {
    words = new Uint32Array(BLOCK_WORDS);
    let state = 2463534242;
    const next = (): number => {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      return state >>> 0;
    };
    const floats = new Float32Array(words.buffer);
    for (let i = 0; i < BLOCK_WORDS; i++) {
      const bits = next();
      if (content === 'float') floats[i] = bits / 2 ** 31 - 1;
      else if (content === 'flag') words[i] = bits % 8 === 0 ? 0 : 1;
      else words[i] = (bits & 0x83ff83ff) | 0x38003800; // two halves of ±[0.5, 1)
    }
    blocks.set(content, words);
  }
  return words;
}

/** @param name tells which part of the random numbers comes first */
function fillSlice(engine: GpuEngine, slice: Slice, content: Content, name: string): void {
  const words = block(content);
  let from = Array.from(name).reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % BLOCK_WORDS, 7);
  for (let at = 0; at < slice.size; from = 0) {
    const part = words.subarray(from, from + Math.min(BLOCK_WORDS - from, (slice.size - at) / 4));
    engine.write(new Slice(slice.buffer, slice.offset + at, part.byteLength), part);
    at += part.byteLength;
  }
}
