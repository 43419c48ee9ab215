import { describe, expect, it } from 'vitest';
import { TextReader, Uint8ArrayWriter, ZipWriter } from '@zip.js/zip.js/lib/zip-core-native.js';
import { UserError } from '../../common/userError';
import { unzip, zipFolder } from './zip';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const files = new Map([
  ['config.json', bytes('{"preset":"demo"}\n')],
  ['metrics.jsonl', bytes('{"phase":"imae","step":0,"loss":0.5}\n'.repeat(20))],
  ['checkpoints/imae-5.safetensors', Uint8Array.from({ length: 300 }, (_, i) => (i * 37) & 0xff)],
  ['panels/imae-000005.png', new Uint8Array()],
]);
const zipped = await zipFolder('a run', files);

/** What a file would be loaded as: its files, or the message that refuses it. */
async function read(zip: Uint8Array): Promise<Map<string, Uint8Array> | string> {
  try {
    return await unzip(zip, 'it.zip');
  } catch (error) {
    if (error instanceof UserError) return error.message;
    throw error;
  }
}

describe('a zip file', () => {
  const whole = new Map([...files].map(([path, content]) => [`a run/${path}`, content]));

  it('gives back the folder that was put into it, under its name', async () => {
    expect(await unzip(zipped, 'it.zip')).toEqual(whole);
  });

  it('stores what does not shrink, and deflates what does', async () => {
    const sizes = [...files.values()].reduce((sum, { length }) => sum + length, 0);
    expect(zipped.length).toBeLessThan(sizes + 600);
    const noise = new Map([['checkpoints/imae-5.safetensors', new Uint8Array(5000)]]);
    expect((await zipFolder('x', noise)).length).toBeGreaterThan(5000);
  });

  it('of another program may have folders of its own and a comment', async () => {
    const foreign = new ZipWriter(new Uint8ArrayWriter(), { dataDescriptor: true });
    await foreign.add('runs/', undefined, { directory: true });
    await foreign.add('runs/x/config.json', new TextReader('{}'), { level: 9, comment: 'said' });
    expect(await unzip(await foreign.close(), 'it.zip')).toEqual(new Map([['runs/x/config.json', bytes('{}')]]));
  });

  it(
    'with any one byte changed is refused, or gives the same files: a time of day is no content',
    { tags: ['thorough'] },
    async () => {
      let refused = 0;
      for (let at = 0; at < zipped.length; at++) {
        const changed = zipped.slice();
        changed[at] = (changed[at] as number) ^ 0x41;
        const found = await read(changed);
        if (typeof found !== 'string') expect(found, `byte ${at}`).toEqual(whole);
        else {
          refused++;
          expect(found).toMatch(
            /^it\.zip is no zip file, or was damaged or cut short \(.+\)\. Save or copy it again\.$/,
          );
        }
      }
      expect(refused).toBeGreaterThan(zipped.length / 2);
    },
  );

  it('cut short anywhere is refused', async () => {
    for (let length = 0; length < zipped.length; length += 7) {
      expect(await read(zipped.subarray(0, length)), String(length)).toMatch(
        /^it\.zip is no zip file, or was damaged or cut short/,
      );
    }
  });

  it('is found behind something that stands before it in memory', async () => {
    const larger = new Uint8Array(zipped.length + 7);
    larger.set(zipped, 7);
    expect((await unzip(larger.subarray(7), 'it.zip')).size).toBe(files.size);
  });
});
