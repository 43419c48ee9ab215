import { Gunzip } from 'fflate';
import { createTarDecoder } from 'modern-tar';
import { PACKING_HEAD_BYTES, packingOf } from '../../data/sources/packing';

/**
 * The files of a tar archive, packed by gzip or not, as they come; of those not wanted, the names.
 *
 * @throws Error where it is none, or cut short
 */
export async function* readArchive(
  archive: File,
  isWanted: (name: string) => boolean,
): AsyncGenerator<{ readonly path: string; readonly bytes: Uint8Array }> {
  const head = new Uint8Array(await archive.slice(0, PACKING_HEAD_BYTES).arrayBuffer());
  const packing = packingOf(head, archive.name) ?? (/\.tar$/i.test(archive.name) ? 'tar' : 'gzip');
  const unpacked = packing === 'tar' ? archive.stream() : archive.stream().pipeThrough(gunzip());
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

/** Unpacks gzip, of several members, too, as Node does: what browsers have of their own takes those for damage. */
function gunzip(): TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>> {
  const unpacker = new Gunzip();
  return new TransformStream({
    start: (controller) => {
      unpacker.ondata = (bytes) => controller.enqueue(bytes); // it makes them itself
    },
    transform: (bytes) => unpacker.push(bytes),
    flush: () => unpacker.push(new Uint8Array(0), true),
  });
}
