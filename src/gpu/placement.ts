/** How long a value lives (dispatch indices, both inclusive), how large it is, and which values it must not share an arena with. */
export interface Lifetime {
  readonly size: number;
  readonly first: number;
  readonly last: number;
  readonly conflicts: ReadonlySet<number>;
}

export interface Place {
  readonly arena: number;
  readonly offset: number;
}

export interface Placement {
  readonly places: readonly Place[];
  readonly arenaSizes: readonly number[];
  /** Bytes of the largest set of values alive at once: no placement needs less. */
  readonly largestLiveSet: number;
}

/**
 * Places values in few arenas. A dispatch may not read and write one buffer, so values that some dispatch reads and
 * writes (`conflicts`) go to different arenas; within an arena, values that are never alive together share bytes.
 * Greedy by size: the largest value first, each at the lowest free offset of the arena that grows least.
 *
 * @param alignment every offset is a multiple of it
 * @param maxArena no arena grows over this many bytes
 */
export function placeValues(values: readonly Lifetime[], alignment: number, maxArena: number): Placement {
  const align = (bytes: number): number => Math.ceil(bytes / alignment) * alignment;
  const places: (Place | undefined)[] = values.map(() => undefined);
  const arenas: { size: number; members: number[] }[] = [];
  const bySize = values.map((_, index) => index).sort((a, b) => at(values, b).size - at(values, a).size || a - b);

  for (const index of bySize) {
    const value = at(values, index);
    let best: { arena: number; offset: number; growth: number } | undefined;
    for (const [arena, { size, members }] of arenas.entries()) {
      if (members.some((other) => value.conflicts.has(other))) continue;
      const offset = lowestOffset(value, members, align);
      const growth = Math.max(0, offset + align(value.size) - size);
      if (size + growth <= maxArena && (!best || growth < best.growth)) best = { arena, offset, growth };
    }
    if (!best) {
      arenas.push({ size: 0, members: [] });
      best = { arena: arenas.length - 1, offset: 0, growth: align(value.size) };
    }
    const chosen = at(arenas, best.arena);
    chosen.size += best.growth;
    chosen.members.push(index);
    places[index] = { arena: best.arena, offset: best.offset };
  }

  function lowestOffset(value: Lifetime, members: readonly number[], round: (bytes: number) => number): number {
    const taken = members
      .filter((other) => at(values, other).first <= value.last && value.first <= at(values, other).last)
      .map((other) => ({ start: places[other]?.offset ?? 0, size: round(at(values, other).size) }))
      .sort((a, b) => a.start - b.start);
    let offset = 0;
    for (const block of taken) {
      if (offset + round(value.size) <= block.start) break;
      offset = Math.max(offset, block.start + block.size);
    }
    return offset;
  }

  return {
    places: places as Place[],
    arenaSizes: arenas.map((arena) => arena.size),
    largestLiveSet: largestLiveSet(values),
  };
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
