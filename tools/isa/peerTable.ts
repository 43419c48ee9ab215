import type { PeerDispatches, PeersSaid } from './compilePeers';
import { factsOf, hotPart, type DriverLine, type KernelFacts } from './kernelFacts';

/** What an engine's kernels are in a row: all but `dispatches` and `bytes` of the one that multiplies most. */
export interface PeerFacts {
  readonly engine: string;
  readonly dispatches: number;
  /** Multiply-adds an issue slot. */
  readonly fma: number;
  /** Loads and stores of storage buffers, and of workgroup memory, a multiply-add; absent where none multiplies. */
  readonly storage?: number;
  readonly workgroup?: number;
  /** Bytes that a load or store of a storage buffer moves. */
  readonly bytes: number;
  readonly registers: number;
}

export interface PeerTable {
  readonly format: 'palimpsest isa peers 1';
  readonly chip: string;
  readonly compiler: string;
  /** In each, ours first. */
  readonly rows: readonly { readonly name: string; readonly engines: readonly PeerFacts[] }[];
  /** Engines that do not run, and rows in which one fails. */
  readonly notes: readonly string[];
}

/** What each column means. */
export const PEER_LEGEND =
  'fma: multiply-adds an issue slot. storage, workgroup: loads and stores of storage buffers and of workgroup memory a ' +
  'multiply-add. All three are of the kernel that multiplies most, by the compiler’s estimate: of the loop that does the ' +
  'work, or of the whole where no loop multiplies. A loop of its own that fills workgroup memory is not in them. bytes: ' +
  'what a load or store of a storage buffer moves, in all kernels, loops counted once. ' +
  '◀: an engine that is not behind ours in fma, or in memory instructions a multiply-add.';

/** What the compiler made of what each engine dispatched. */
export function peerTableOf(chip: string, said: readonly PeersSaid[], lines: readonly DriverLine[]): PeerTable {
  const kernels = new Map(lines.map((line) => [line.label, factsOf(line, 0)]));
  const rows = new Map<string, PeerFacts[]>();
  const notes: string[] = [];
  let compiler = '';
  for (const each of said) {
    if ('compiler' in each) ({ compiler } = each);
    else if ('absent' in each) notes.push(each.absent);
    else if ('failure' in each) notes.push(`${each.engine} fails in ${each.row}: ${each.failure}`);
    else if ('workgroups' in each) rows.set(each.row, [...(rows.get(each.row) ?? []), factsOfRow(each, kernels)]);
  }
  return {
    format: 'palimpsest isa peers 1',
    chip,
    compiler,
    rows: [...rows].map(([name, engines]) => ({ name, engines })),
    notes,
  };
}

function factsOfRow(
  { engine, dispatches, workgroups }: PeerDispatches,
  kernels: ReadonlyMap<string, KernelFacts>,
): PeerFacts {
  const parts = Object.entries(workgroups).flatMap(([label, count]) => {
    const facts = kernels.get(label);
    if (!facts) return [];
    const part = hotPart(facts);
    const cost = count * Math.ceil(facts.invocations / facts.subgroupSize) * facts.cycles;
    return [{ facts, part, cost, products: cost * part.share }];
  });
  const [hottest] = parts.toSorted((a, b) => b.products - a.products || b.cost - a.cost);
  if (!hottest) throw new Error(`${engine} dispatches kernels that the driver never saw`);
  const { slots, share, kinds } = hottest.part;
  const { memory = 0, local = 0, shared = 0 } = kinds;
  const products = share * slots;
  const moves = sum(parts, ({ facts }) => facts.memory.instructions);
  return {
    engine,
    dispatches,
    fma: share,
    ...(products > 0 ? { storage: (memory + local) / products, workgroup: shared / products } : {}),
    bytes: moves > 0 ? sum(parts, ({ facts }) => facts.memory.bytes) / moves : 0,
    registers: hottest.facts.registers,
  };
}

type Column = keyof Pick<PeerFacts, 'fma'> | 'memory';
type Row = PeerTable['rows'][number];

/** Whether every other engine has fewer multiply-adds an issue slot than ours, or more memory instructions a multiply-add. */
function isAhead({ engines: [ours, ...others] }: Row, column: Column): boolean {
  return ours !== undefined && others.every((other) => isBehind(ours, other, column));
}

function isBehind(ours: PeerFacts, other: PeerFacts, column: Column): boolean {
  return column === 'fma' ? other.fma < ours.fma : memoryOf(other) > memoryOf(ours);
}

/** Memory instructions a multiply-add: without any multiply-add more than any. */
function memoryOf({ storage = Infinity, workgroup = Infinity }: PeerFacts): number {
  return storage + workgroup;
}

/** A line an engine, below the row's name. */
export function formatPeerTable({ rows }: PeerTable): string {
  const head = ['', 'dispatches', 'fma', 'storage', 'workgroup', 'bytes', 'registers', ''];
  const lines = rows.flatMap((row) => [[row.name], ...row.engines.map((facts) => cells(facts, row))]);
  const widths = head.map((title, column) =>
    Math.max(title.length, ...lines.filter(({ length }) => length > 1).map((line) => line[column]?.length ?? 0)),
  );
  return [head, ...lines]
    .map((line) =>
      line.map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0))),
    )
    .map((line) => line.join('  ').trimEnd())
    .join('\n');
}

function cells(facts: PeerFacts, { engines: [ours] }: Row): readonly string[] {
  const { engine, dispatches, fma, storage, workgroup, bytes, registers } = facts;
  const number = (value: number | undefined): string => (value === undefined ? '' : value.toFixed(3));
  const columns: readonly Column[] = ['fma', 'memory'];
  const ahead = ours && ours !== facts ? columns.filter((column) => !isBehind(ours, facts, column)) : [];
  return [
    `  ${engine}`,
    String(dispatches),
    `${Math.round(fma * 100)} %`,
    number(storage),
    number(workgroup),
    bytes.toFixed(1),
    String(registers),
    ahead.length > 0 ? `◀ ${ahead.join(', ')}` : '',
  ];
}

/** In how many rows ours is ahead of every other engine, and where it is not. */
export function summaryOf({ rows }: PeerTable): string[] {
  const compared = rows.filter(({ engines }) => engines.length > 1);
  const line = (column: Column, what: string): string => {
    const behind = compared.filter((row) => !isAhead(row, column)).map(({ name }) => name);
    const ahead = `${what}: ahead of every other engine in ${compared.length - behind.length} of ${compared.length} rows`;
    return behind.length > 0 ? `${ahead}; not in ${behind.join(', ')}` : ahead;
  };
  return [line('fma', 'Multiply-adds an issue slot'), line('memory', 'Memory instructions a multiply-add')];
}

function sum<T>(values: readonly T[], of: (value: T) => number): number {
  return values.reduce((total, value) => total + of(value), 0);
}
