import { pack, type Header } from 'tar-stream';
import { describe, expect, it } from 'vitest';
import { indexTar, type TarSource } from './tarIndex';

async function archive(
  ...entries: readonly (readonly [Partial<Header> & { readonly name: string }, string])[]
): Promise<Uint8Array> {
  const packed = pack();
  for (const [headers, content] of entries) packed.entry(headers, content);
  packed.finalize();
  const parts: Buffer[] = [];
  for await (const part of packed) parts.push(part as Buffer);
  return new Uint8Array(Buffer.concat(parts));
}

const source = (bytes: Uint8Array): TarSource => ({
  byteLength: bytes.length,
  slice: (start, end = bytes.length) => Promise.resolve(bytes.slice(start, end).buffer),
});

async function contents(bytes: Uint8Array): Promise<Record<string, string>> {
  const found = await indexTar(source(bytes));
  return Object.fromEntries(
    found.map(({ path, offset, size }) => [path, new TextDecoder().decode(bytes.slice(offset, offset + size))]),
  );
}

describe('indexTar', () => {
  it('finds files, of any length and with names of any length and letters, and no folders', async () => {
    const long = `${'folder/'.repeat(30)}a name.txt`;
    const bytes = await archive(
      [{ name: 'a.txt' }, 'first'],
      [{ name: 'empty' }, ''],
      [{ name: 'folder', type: 'directory' }, ''],
      [{ name: 'link', type: 'symlink', linkname: 'a.txt' }, ''],
      [{ name: long }, 'long'],
      [{ name: 'größe/日本.cls' }, '7'],
      [{ name: 'large' }, 'x'.repeat(200_000)],
      [{ name: 'last' }, 'end'],
    );
    expect(await contents(bytes)).toEqual({
      'a.txt': 'first',
      empty: '',
      [long]: 'long',
      'größe/日本.cls': '7',
      large: 'x'.repeat(200_000),
      last: 'end',
    });
  });

  it('reads headers, not what lies between them', async () => {
    const bytes = await archive([{ name: 'a' }, 'x'.repeat(2_000_000)], [{ name: 'b' }, 'y'.repeat(2_000_000)]);
    let read = 0;
    const counted: TarSource = {
      byteLength: bytes.length,
      slice: (start, end = bytes.length) => {
        read += end - start;
        return source(bytes).slice(start, end);
      },
    };
    expect(await indexTar(counted)).toHaveLength(2);
    expect(read).toBeLessThan(300_000);
  });

  it('says what is wrong', async () => {
    const bytes = await archive([{ name: 'a.txt' }, 'first'], [{ name: 'b.txt' }, 'second']);
    const changed = bytes.slice();
    changed[1030] = 200;
    const huge = bytes.slice();
    huge.set(new TextEncoder().encode('77777777777'), 124);
    await expect(indexTar(source(new TextEncoder().encode('no archive'.repeat(100))))).rejects.toThrow(/no header/);
    await expect(indexTar(source(changed))).rejects.toThrow(/no header of a file at byte 1024/);
    await expect(indexTar(source(bytes.slice(0, 515)))).rejects.toThrow(/ends too early/);
    await expect(indexTar(source(huge))).rejects.toThrow(/no header|too early/);
    await expect(indexTar(source(new Uint8Array(0)))).rejects.toThrow(/ends too early/);
  });
});
