import type { SavedBench } from './resultFile';

/** A time, whatever it is of. */
interface Timed {
  readonly kernel: string;
  readonly name: string;
  readonly seconds: number;
  readonly spread: number;
}

/** One row of a comparison. */
export interface ComparedRow {
  readonly kernel: string;
  readonly name: string;
  /** Seconds. */
  readonly old: number;
  readonly new: number;
  /** New over old: below 1 it became faster. */
  readonly ratio: number;
  /** Whether the two differ by more than both scatter. */
  readonly verdict: 'faster' | 'slower' | 'same';
}

export interface Comparison {
  readonly rows: readonly ComparedRow[];
  /** Names of what was timed in only one of them. */
  readonly onlyOld: readonly string[];
  readonly onlyNew: readonly string[];
  /** What speaks against comparing the two. */
  readonly warnings: readonly string[];
}

/** Everything that was timed: cases, steps and starts. */
export function timesOf({ benches, steps, startUp }: SavedBench): readonly Timed[] {
  return [
    ...benches.flatMap((row) => ('microseconds' in row ? [{ ...row, seconds: row.microseconds / 1e6 }] : [])),
    ...steps.flatMap((row) =>
      'fast' in row ? [{ ...row, seconds: row.fast.milliseconds / 1e3, spread: row.fast.spread }] : [],
    ),
    // Each is taken once: what it scatters by is not known, so a tenth is left to chance.
    ...startUp.flatMap((row) => ('total' in row ? [{ ...row, seconds: row.total, spread: 0.05 }] : [])),
  ].map(({ kernel, name, seconds, spread }) => ({ kernel, name, seconds, spread }));
}

/**
 * Holds two files against each other, row by row.
 *
 * @param chosen which rows count: what a filter left out of the new one is no difference
 */
export function compareBenches(
  old: SavedBench,
  now: SavedBench,
  chosen: (kernel: string, name: string) => boolean = () => true,
): Comparison {
  const keyOf = ({ kernel, name }: Timed): string => `${kernel} ${name}`;
  const before = new Map(
    timesOf(old)
      .filter(({ kernel, name }) => chosen(kernel, name))
      .map((row) => [keyOf(row), row]),
  );
  const after = new Map(timesOf(now).map((row) => [keyOf(row), row]));
  const rows = [...after].flatMap(([key, row]): ComparedRow[] => {
    const was = before.get(key);
    if (!was) return [];
    const ratio = row.seconds / was.seconds;
    const clear = Math.abs(ratio - 1) > row.spread + was.spread;
    const { kernel, name } = row;
    return [
      {
        kernel,
        name,
        old: was.seconds,
        new: row.seconds,
        ratio,
        verdict: !clear ? 'same' : ratio < 1 ? 'faster' : 'slower',
      },
    ];
  });
  return {
    rows,
    onlyOld: [...before.keys()].filter((key) => !after.has(key)),
    onlyNew: [...after.keys()].filter((key) => !before.has(key)),
    warnings: warningsOf(old, now),
  };
}

function warningsOf(old: SavedBench, now: SavedBench): string[] {
  const differ = (what: string, a: string | undefined, b: string | undefined): string[] =>
    a === b || a === undefined || b === undefined ? [] : [`${what} differs: ${a} then, ${b} now`];
  return [
    ...differ('THE ADAPTER', old.device.adapter.name, now.device.adapter.name),
    ...differ('the device', old.device.wanted, now.device.wanted),
    ...differ('what timed them', old.clock?.kind, now.clock?.kind),
    ...differ('the kernels', old.kernels, now.kernels),
    ...differ('where it ran', kindOf(old.runtime), kindOf(now.runtime)),
  ];
}

function kindOf(runtime: string): string {
  return runtime.startsWith('Node') ? 'Node.js' : 'a browser';
}
