/** A list in parts no longer than `size`, and where each begins. */
export function* batches<T>(items: readonly T[], size: number): Generator<{ part: T[]; from: number }> {
  for (let from = 0; from < items.length; from += size) yield { part: items.slice(from, from + size), from };
}

/** The samples of a batch, one after the other in an array; again from the first where there are fewer than `size`. */
export function filled<T extends Float32Array | Uint32Array | Uint8Array>(
  samples: readonly T[],
  size: number,
  Kind: new (length: number) => T,
): T {
  const [first] = samples;
  const length = first?.length ?? 0;
  const all = new Kind(size * length);
  for (let index = 0; index < size; index++) all.set(samples[index % samples.length] ?? [], index * length);
  return all;
}

/** An array as the samples of a batch of `size`. */
export function split(values: Float32Array, size: number): Float32Array[] {
  const length = values.length / size;
  return Array.from({ length: size }, (_, index) => values.slice(index * length, (index + 1) * length));
}
