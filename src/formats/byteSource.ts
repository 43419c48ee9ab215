/** Bytes that are read piece by piece: a file larger than what is wanted of it need not be held whole. */
export interface ByteSource {
  readonly size: number;
  /** The bytes from `at` on, all within the source: a view where it has them at hand, else a copy. */
  read(at: number, length: number): Uint8Array;
}

/** Bytes at hand. */
export function memorySource(bytes: Uint8Array): ByteSource {
  return { size: bytes.length, read: (at, length) => bytes.subarray(at, at + length) };
}
