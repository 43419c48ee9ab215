import { describe, expect, it } from 'vitest';
import { placeValues, type Lifetime, type Placement } from './placement';

const ALIGNMENT = 256;

const alive = (size: number, first: number, last: number, conflicts: readonly number[] = []): Lifetime => ({
  size,
  first,
  last,
  conflicts: new Set(conflicts),
});

/** Every promise that a placement makes. */
function check(values: readonly Lifetime[], placement: Placement, maxArena: number): void {
  expect(placement.places).toHaveLength(values.length);
  for (const size of placement.arenaSizes) expect(size).toBeLessThanOrEqual(maxArena);
  for (const [index, value] of values.entries()) {
    const place = placement.places[index];
    if (!place) throw new Error(`value ${index} has no place`);
    expect(place.offset % ALIGNMENT).toBe(0);
    expect(place.offset + value.size).toBeLessThanOrEqual(placement.arenaSizes[place.arena] ?? 0);
    for (const [other, otherValue] of values.entries()) {
      const otherPlace = placement.places[other];
      if (other >= index || otherPlace?.arena !== place.arena) continue;
      if (value.conflicts.has(other)) throw new Error(`${index} and ${other} conflict in arena ${place.arena}`);
      const together = value.first <= otherValue.last && otherValue.first <= value.last;
      const [end, otherEnd] = [place.offset + value.size, otherPlace.offset + otherValue.size];
      const apart = end <= otherPlace.offset || otherEnd <= place.offset;
      if (together && !apart) throw new Error(`${index} and ${other} are alive together and overlap`);
    }
  }
}

/** xorshift32: whole numbers below `limit`. */
function generator(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % limit;
  };
}

/** A chain of dispatches, each reading some earlier values and writing one or two, as layers and their gradients do. */
function randomProgram(seed: number): Lifetime[] {
  const below = generator(seed);
  const dispatches = 5 + below(60);
  const values: { size: number; first: number; last: number; conflicts: Set<number> }[] = [];
  for (let time = 0; time < dispatches; time++) {
    const read = Array.from({ length: Math.min(values.length, below(4)) }, () =>
      below(3) > 0 ? Math.max(0, values.length - 1 - below(4)) : below(values.length),
    );
    for (const index of read) (values[index] as { last: number }).last = time;
    for (let i = 0; i <= below(2); i++) {
      const conflicts = new Set(read);
      for (const index of conflicts) values[index]?.conflicts.add(values.length);
      values.push({ size: 4 * (1 + below(1 << (4 + below(12)))), first: time, last: time, conflicts });
    }
  }
  return values;
}

describe('placeValues', () => {
  it('shares bytes between values that are never alive together', () => {
    const values = [alive(1024, 0, 1), alive(1024, 2, 3)];
    expect(placeValues(values, ALIGNMENT, 1e9)).toEqual({
      places: [
        { arena: 0, offset: 0 },
        { arena: 0, offset: 0 },
      ],
      arenaSizes: [1024],
      largestLiveSet: 1024,
    });
  });

  it('counts both ends of a lifetime', () => {
    const placement = placeValues([alive(256, 0, 1), alive(256, 1, 2)], ALIGNMENT, 1e9);
    expect(placement.arenaSizes).toEqual([512]);
    expect(placement.largestLiveSet).toBe(512);
  });

  it('keeps what is read and written in one dispatch in different arenas', () => {
    const values = [alive(256, 0, 1, [1]), alive(256, 1, 2, [0, 2]), alive(256, 2, 3, [1])];
    const { places } = placeValues(values, ALIGNMENT, 1e9);
    expect(places.map((place) => place.arena)).toEqual([0, 1, 0]);
  });

  it('fills a gap between live values', () => {
    const values = [alive(1024, 0, 9), alive(1000, 0, 3), alive(900, 4, 9), alive(512, 0, 9)];
    const placement = placeValues(values, ALIGNMENT, 1e9);
    check(values, placement, 1e9);
    expect(placement.arenaSizes).toEqual([1024 + 1024 + 512]);
  });

  it('opens another arena where one would grow over the limit', () => {
    const values = [alive(1024, 0, 9), alive(1024, 0, 9), alive(1024, 0, 9)];
    const placement = placeValues(values, ALIGNMENT, 2048);
    check(values, placement, 2048);
    expect(placement.arenaSizes).toEqual([2048, 1024]);
  });

  it('places nothing', () => {
    expect(placeValues([], ALIGNMENT, 1e9)).toEqual({ places: [], arenaSizes: [], largestLiveSet: 0 });
  });

  it('keeps its promises on random programs, near the least memory', () => {
    let total = 0;
    let least = 0;
    for (let seed = 1; seed <= 150; seed++) {
      const values = randomProgram(seed);
      const limit = seed % 3 === 0 ? 4 << 16 : 1e9;
      const placement = placeValues(values, ALIGNMENT, limit);
      check(values, placement, limit);
      const bytes = placement.arenaSizes.reduce((sum, size) => sum + size, 0);
      expect(bytes).toBeGreaterThanOrEqual(placement.largestLiveSet);
      total += bytes;
      least += placement.largestLiveSet;
    }
    // Conflicts and alignment cost 10 % over these seeds; to stop sharing memory would cost several times that.
    expect(total / least).toBeLessThan(1.15);
  });
});
