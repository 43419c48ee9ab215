import type { RecordedDispatch, RecordedWork } from './dispatch';
import type { GpuEngine } from './gpuEngine';
import { placeValues, type Lifetime, type Placement } from './placement';
import { overlap, Slice, type Storage, type Value } from './storage';

/** What a program takes. */
export interface ProgramStatistics {
  readonly dispatches: number;
  /** Bytes of the arenas that hold intermediate values, and of outputs, which have buffers of their own. */
  readonly arenaBytes: number;
  /** Bytes of the largest set of values alive at once: `arenaBytes` can't be less. */
  readonly largestLiveSet: number;
}

export interface MemoryPlan {
  readonly dispatches: readonly RecordedDispatch[];
  /** Those that share arenas. */
  readonly values: readonly Value[];
  /** Those that have a buffer each: what somebody may work on between runs. */
  readonly outputs: readonly Value[];
  readonly alignment: number;
  readonly placement: Placement;
  readonly statistics: ProgramStatistics;
}

/** What a program keeps of a recording, and where its values lie. */
export function planMemory(
  { device: { limits } }: GpuEngine,
  recording: RecordedWork,
  outputs: ReadonlySet<Value>,
  effects: boolean,
): MemoryPlan {
  const dispatches = neededDispatches(recording.dispatches, outputs, effects);
  const made = new Set(dispatches.flatMap(({ writes }) => writes));
  const own = [...outputs].filter((output) => made.has(output) && !output.isState);
  const { values, spans } = lifetimes(dispatches, outputs);
  const alignment = Math.max(limits.minStorageBufferOffsetAlignment, 256);
  const placement = placeValues(spans, alignment, limits.maxBufferSize);
  const { arenaSizes, largestLiveSet } = placement;
  const ownBytes = own.reduce((sum, { size }) => sum + Math.ceil(size / alignment) * alignment, 0);
  const arenaBytes = arenaSizes.reduce((sum, size) => sum + size, ownBytes);
  return {
    dispatches,
    values,
    outputs: own,
    alignment,
    placement,
    statistics: { dispatches: dispatches.length, arenaBytes, largestLiveSet: largestLiveSet + ownBytes },
  };
}

/** Drops what no output depends on, nor, where `effects` are wanted, memory that outlives the program. */
function neededDispatches(
  dispatches: readonly RecordedDispatch[],
  outputs: ReadonlySet<Value>,
  effects: boolean,
): RecordedDispatch[] {
  const needed = new Set<Storage>(outputs);
  const isNeeded = (storage: Storage): boolean =>
    storage instanceof Slice ? effects || [...needed].some((other) => overlap(other, storage)) : needed.has(storage);
  const kept: RecordedDispatch[] = [];
  for (const dispatch of [...dispatches].reverse()) {
    if (!dispatch.writes.some(isNeeded)) continue;
    for (const storage of [...dispatch.reads, ...dispatch.writes]) needed.add(storage);
    kept.push(dispatch);
  }
  return kept.reverse();
}

/** Of what shares arenas. */
function lifetimes(
  dispatches: readonly RecordedDispatch[],
  outputs: ReadonlySet<Value>,
): { values: Value[]; spans: Lifetime[] } {
  const values: Value[] = [];
  const spans: { size: number; first: number; last: number; conflicts: Set<number> }[] = [];
  const indices = new Map<Value, number>();
  const touch = (storage: Storage, time: number): number | undefined => {
    if (storage instanceof Slice || storage.initial || outputs.has(storage)) return undefined;
    let index = indices.get(storage);
    if (index === undefined) {
      index = values.push(storage) - 1;
      indices.set(storage, index);
      spans.push({ size: storage.size, first: time, last: time, conflicts: new Set() });
    }
    const span = spans[index];
    if (span) span.last = time;
    return index;
  };
  for (const [time, { reads, writes }] of dispatches.entries()) {
    const read = reads.map((storage) => touch(storage, time));
    const written = writes.map((storage) => touch(storage, time));
    for (const a of read) {
      for (const b of written) {
        if (a === undefined || b === undefined) continue;
        spans[a]?.conflicts.add(b);
        spans[b]?.conflicts.add(a);
      }
    }
  }
  return { values, spans };
}
