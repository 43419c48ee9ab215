import { Readable } from 'node:stream';

/** A file of a tar archive. */
export interface TarFile {
  readonly path: string;
  /** Empty where it was not wanted. */
  readonly bytes: Uint8Array;
}

/**
 * The files of a tar archive, as they come.
 *
 * @param archive its bytes, unpacked
 * @param isWanted whether the bytes of a file are wanted, by its name without folders
 * @throws Error where it is none, or cut short
 */
export async function* readTar(archive: Readable, isWanted: (name: string) => boolean): AsyncGenerator<TarFile> {
  const { createTarDecoder } = await import('modern-tar'); // most runs need no archive
  const stream = Readable.toWeb(archive) as ReadableStream<Uint8Array>; // Node's own type of the same stream
  const reader = stream.pipeThrough(createTarDecoder({ strict: true })).getReader();
  for (;;) {
    const { value: entry } = await reader.read();
    if (!entry) return;
    const { name: path, type } = entry.header;
    const wanted = type === 'file' && isWanted(path.split('/').at(-1) ?? '');
    const bytes = wanted ? new Uint8Array(await new Response(entry.body).arrayBuffer()) : new Uint8Array(0);
    if (!wanted) await entry.body.cancel();
    if (type === 'file') yield { path, bytes };
  }
}
