import { memorySource, type ByteSource } from '../../formats/byteSource';
import { UserError } from '../../common/userError';

/** What only workers have: it waits for the disk. TypeScript knows it of workers alone. */
declare class FileReaderSync {
  readAsArrayBuffer(part: Blob): ArrayBuffer;
}

/** Bytes at hand, or of a file, of which no more is read than is asked for: to be called in a worker. @param name what messages call the file */
export function sourceOf(content: Uint8Array | Blob, name: string): ByteSource {
  if (content instanceof Uint8Array) return memorySource(content);
  const reader = new FileReaderSync();
  const read = (at: number, length: number): Uint8Array => {
    try {
      return new Uint8Array(reader.readAsArrayBuffer(content.slice(at, at + length)));
    } catch (error) {
      const why = error instanceof Error ? error.message.replace(/\.$/, '') : String(error);
      throw new UserError(`${name} cannot be read: ${why}. Was it moved or changed since it was given? Give it again.`);
    }
  };
  return { size: content.size, read };
}
