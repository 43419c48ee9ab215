import { readAmdListing } from './amdListing';
import { KINDS, type Instruction, type Kind, type Listing } from './instruction';
import { readNvidiaListing } from './nvidiaListing';

/** A line of the driver: see offlineDriver.c. */
export interface DriverLine {
  readonly label: string;
  readonly subgroupSize: number;
  /** Of a workgroup. */
  readonly invocations: number;
  readonly statistics: Readonly<Record<string, number>>;
  readonly code?: string;
}

/** Where issue slots go. */
export interface SlotFacts {
  readonly slots: number;
  /** By kind, none where there are none. */
  readonly kinds: Readonly<Partial<Record<Kind, number>>>;
  /** Multiply-adds (and products on matrix units) over slots; above 1 where some are issued in pairs. */
  readonly share: number;
}

/** Where those of a pass through a loop go. */
export interface LoopFacts extends SlotFacts {
  /** How many loops it lies in. */
  readonly depth: number;
}

/** What a compiler says of a kernel. A figure that it does not tell is absent. */
export interface KernelFacts {
  readonly name: string;
  readonly subgroupSize: number;
  /** Of a workgroup. */
  readonly invocations: number;
  readonly instructions: number;
  readonly registers: number;
  readonly spills: number;
  /** Bytes an invocation that stand in for registers. */
  readonly scratch: number;
  readonly workgroupBytes: number;
  /** Subgroups that a SIMD, or a multiprocessor, has room for by their registers. */
  readonly occupancy?: number;
  /** The compiler's estimate: to compare versions of a kernel on one chip. */
  readonly cycles: number;
  readonly milliseconds: number;
  /** All of it, loops counted once. */
  readonly whole: SlotFacts;
  readonly loops: readonly LoopFacts[];
  /** Loads and stores of storage buffers as they are written, loops counted once. */
  readonly memory: {
    readonly instructions: number;
    readonly bytes: number;
    /** Of bytes, by instructions of 128 bits. */ readonly wide: number;
  };
}

/** The names that each of Mesa's compilers has for one thing. */
const NAMES = {
  instructions: ['Instructions', 'Instruction count', 'Instruction Count'],
  registers: ['VGPRs', 'Number of GPRs', 'Max live registers', 'GPRs', 'Registers used'],
  spills: ['Spilled VGPRs', 'Spilled SGPRs', 'Spills to memory', 'Spills', 'Fills', 'Fills from memory'],
  scratch: ['Scratch size', 'Scratch Memory Size', 'Scratch'],
  workgroupBytes: ['LDS size', 'SLM size', 'Workgroup Memory Size'],
  occupancy: ['Subgroups per SIMD', 'Max warps/SM', 'Max Waves Per Core'],
  cycles: ['Inverse Throughput', 'Static cycle count', 'Cycles'],
} as const;

/** What a driver's line says, with the time that the compiler took. */
export function factsOf(
  { label, subgroupSize, invocations, statistics, code = '' }: DriverLine,
  milliseconds: number,
): KernelFacts {
  const figures = (names: readonly string[]): number[] => names.flatMap((name) => statistics[name] ?? []);
  const first = (names: readonly string[]): number => figures(names)[0] ?? 0;
  const { loops, code: all } = readListing(code);
  const moved = all.filter(({ kind }) => kind === 'memory');
  const bytes = sum(moved.map((each) => each.bytes ?? 0));
  const wide = sum(moved.map((each) => (each.bytes === 16 ? each.bytes : 0)));
  const occupancy = figures(NAMES.occupancy)[0];
  return {
    name: label,
    subgroupSize,
    invocations,
    instructions: first(NAMES.instructions),
    registers: first(NAMES.registers),
    spills: sum(figures(NAMES.spills)),
    scratch: first(NAMES.scratch),
    workgroupBytes: first(NAMES.workgroupBytes),
    ...(occupancy === undefined ? {} : { occupancy }),
    cycles: first(NAMES.cycles),
    milliseconds: Math.round(milliseconds),
    whole: countSlots(all),
    loops: loops.map(({ depth, code: ofLoop }) => ({ depth, ...countSlots(ofLoop) })),
    memory: { instructions: moved.length, bytes, wide: bytes > 0 ? wide / bytes : 1 },
  };
}

/** Compilers whose listings are read: AMD's and NVIDIA's. Of others there are statistics only. */
function readListing(code: string): Listing {
  if (/^BB\d+:/m.test(code)) return readAmdListing(code);
  if (/^block(\.u)? \d+ /m.test(code)) return readNvidiaListing(code);
  return { code: [], loops: [] };
}

function countSlots(code: readonly Instruction[]): SlotFacts {
  const works = (kind: Kind): number => sum(code.filter((each) => each.kind === kind).map(({ work = 1 }) => work));
  const counts = KINDS.map((kind) => [kind, works(kind)] as const).filter(([, count]) => count > 0);
  const share = code.length > 0 ? (works('fma') + works('matrix')) / code.length : 0;
  return { slots: code.length, kinds: Object.fromEntries(counts), share };
}

/** From this share of multiply-adds on, a loop is one that multiplies. */
const MULTIPLYING = 0.1;

/** The loop that does the work: of those that multiply, or of all where none does, the one that issues most at the greatest depth. */
export function hottestLoop({ loops }: Pick<KernelFacts, 'loops'>): LoopFacts | undefined {
  const multiplying = loops.filter(({ share }) => share >= MULTIPLYING);
  const candidates = multiplying.length > 0 ? multiplying : loops;
  const depth = Math.max(...candidates.map((loop) => loop.depth));
  return candidates.filter((loop) => loop.depth === depth).sort((a, b) => b.slots - a.slots)[0];
}

/** Its hottest loop, or all of it where no loop multiplies. */
export function hotPart(facts: Pick<KernelFacts, 'loops' | 'whole'>): SlotFacts {
  const loop = hottestLoop(facts);
  return loop && loop.share >= MULTIPLYING ? loop : facts.whole;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
