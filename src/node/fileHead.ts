import { open } from 'node:fs/promises';

/** The first bytes of a file: as many as are asked for, or all. @throws Error where it cannot be read */
export async function fileHead(path: string, bytes: number): Promise<Uint8Array> {
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(new Uint8Array(bytes), 0, bytes, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
