/** How long a value lives (dispatch indices, both inclusive), how large it is, and which values it must not share an arena with. */
export interface Lifetime {
  readonly size: number;
  readonly first: number;
  readonly last: number;
  readonly conflicts: ReadonlySet<number>;
}

export interface ArenaPlace {
  readonly arena: number;
  readonly offset: number;
}

export interface Placement {
  readonly places: readonly ArenaPlace[];
  readonly arenaSizes: readonly number[];
  /** Bytes of the largest set of values alive at once: no placement needs less. */
  readonly largestLiveSet: number;
}

/** Arenas that are opened, at most, for the sake of a tighter fit. */
const MOST_TRIED = 4;

/**
 * Places values in few arenas. A dispatch may not read and write one buffer, so values that some dispatch reads and
 * writes (`conflicts`) go to different arenas; within an arena, values that are never alive together share bytes.
 * Greedy by size: the largest value first, each at the lowest free offset of the arena that grows least. How many arenas
 * fit tightest shows when they are full: each number is tried, and the least memory wins.
 *
 * @param alignment every offset is a multiple of it
 * @param maxArena no arena grows over this many bytes
 */
export function placeValues(values: readonly Lifetime[], alignment: number, maxArena: number): Placement {
  let best: Omit<Placement, 'largestLiveSet'> | undefined;
  let least = Infinity;
  for (let wanted = 1; wanted <= MOST_TRIED; wanted++) {
    const placed = placeIn(wanted, values, alignment, maxArena);
    const bytes = placed.arenaSizes.reduce((sum, size) => sum + size, 0);
    if (bytes < least) [best, least] = [placed, bytes];
  }
  return { places: [], arenaSizes: [], ...best, largestLiveSet: largestLiveSet(values) };
}

/** @param wanted so many arenas are opened before a value is stacked on top of one */
function placeIn(
  wanted: number,
  values: readonly Lifetime[],
  alignment: number,
  maxArena: number,
): Omit<Placement, 'largestLiveSet'> {
  const sizes = values.map(({ size }) => Math.ceil(size / alignment) * alignment);
  const places: (ArenaPlace | undefined)[] = values.map(() => undefined);
  const arenas: { size: number; readonly timeline: Timeline }[] = [];
  const bySize = values.map((_, index) => index).sort((a, b) => at(values, b).size - at(values, a).size || a - b);

  for (const index of bySize) {
    const size = at(sizes, index);
    const closed = new Set([...at(values, index).conflicts].map((other) => places[other]?.arena));
    let best: (ArenaPlace & { growth: number }) | undefined;
    for (const [arena, { size: before, timeline }] of arenas.entries()) {
      if (closed.has(arena)) continue;
      const offset = lowestOffset(size, timeline.aliveWith(index));
      const growth = Math.max(0, offset + size - before);
      if (before + growth <= maxArena && (!best || growth < best.growth)) best = { arena, offset, growth };
    }
    if (!best || (best.growth >= size && arenas.length < wanted)) {
      arenas.push({ size: 0, timeline: new Timeline(values) });
      best = { arena: arenas.length - 1, offset: 0, growth: size };
    }
    const chosen = at(arenas, best.arena);
    chosen.size += best.growth;
    chosen.timeline.add(index);
    places[index] = { arena: best.arena, offset: best.offset };
  }

  function lowestOffset(size: number, others: readonly number[]): number {
    const start = (other: number): number => places[other]?.offset ?? 0;
    let offset = 0;
    for (const other of others.toSorted((a, b) => start(a) - start(b))) {
      if (offset + size <= start(other)) break;
      offset = Math.max(offset, start(other) + at(sizes, other));
    }
    return offset;
  }

  return { places: places as ArenaPlace[], arenaSizes: arenas.map(({ size }) => size) };
}

/** Dispatches that a bucket of a timeline covers. */
const BUCKET = 32;

/** Values by the time of their lives, so that a long program is placed in time in proportion to its length. */
class Timeline {
  readonly #buckets: number[][] = [];

  readonly #values: readonly Lifetime[];

  constructor(values: readonly Lifetime[]) {
    this.#values = values;
  }

  add(index: number): void {
    for (const bucket of this.#bucketsOf(index)) (this.#buckets[bucket] ??= []).push(index);
  }

  /** Those that are alive while `index` is, each once. */
  aliveWith(index: number): number[] {
    const { first, last } = at(this.#values, index);
    const alive = new Set<number>();
    for (const bucket of this.#bucketsOf(index)) {
      for (const other of this.#buckets[bucket] ?? []) {
        const life = at(this.#values, other);
        if (life.first <= last && first <= life.last) alive.add(other);
      }
    }
    return [...alive];
  }

  *#bucketsOf(index: number): Generator<number> {
    const { first, last } = at(this.#values, index);
    for (let bucket = Math.floor(first / BUCKET); bucket * BUCKET <= last; bucket++) yield bucket;
  }
}

function largestLiveSet(values: readonly Lifetime[]): number {
  const change = new Map<number, number>();
  for (const { size, first, last } of values) {
    change.set(first, (change.get(first) ?? 0) + size);
    change.set(last + 1, (change.get(last + 1) ?? 0) - size);
  }
  let live = 0;
  let largest = 0;
  for (const [, bytes] of [...change].sort(([a], [b]) => a - b)) {
    live += bytes;
    largest = Math.max(largest, live);
  }
  return largest;
}

function at<T>(items: readonly T[], index: number): T {
  return items[index] as T;
}
