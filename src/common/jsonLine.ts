/** What every line of a run's `.jsonl` files has: where the run stood. */
export type RunLine = Readonly<Record<string, unknown>> & { readonly phase: string; readonly step: number };

/** Reads a line of a run's `.jsonl` files; undefined where it is none, as one that an interruption cut. */
export function parseRunLine(text: string): RunLine | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { phase, step } = value as Partial<Record<string, unknown>>;
  return typeof phase === 'string' && typeof step === 'number' ? (value as RunLine) : undefined;
}
