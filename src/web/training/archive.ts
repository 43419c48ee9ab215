import { createTarDecoder } from 'modern-tar';

/**
 * The files of a tar archive, packed by gzip or not, as they come; of those not wanted, the names.
 *
 * @throws Error where it is none, or cut short
 */
export async function* readArchive(
  archive: File,
  isWanted: (name: string) => boolean,
): AsyncGenerator<{ readonly path: string; readonly bytes: Uint8Array }> {
  const packed = archive.stream();
  const unpacked = /\.tar$/i.test(archive.name) ? packed : packed.pipeThrough(new DecompressionStream('gzip'));
  const reader = unpacked.pipeThrough(createTarDecoder({ strict: true })).getReader();
  for (;;) {
    const { value: entry } = await reader.read();
    if (!entry) return;
    const path = entry.header.name;
    if (entry.header.type === 'file' && isWanted(path.split('/').at(-1) ?? '')) {
      yield { path, bytes: new Uint8Array(await new Response(entry.body).arrayBuffer()) };
    } else {
      await entry.body.cancel();
      if (entry.header.type === 'file') yield { path, bytes: new Uint8Array(0) };
    }
  }
}
