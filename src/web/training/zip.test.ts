import { zipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { UserError } from '../../files/userError';
import { crc32, unzip, zipFolder } from './zip';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const files = new Map([
  ['config.json', bytes('{"preset":"demo"}\n')],
  ['metrics.jsonl', bytes('{"phase":"imae","step":0,"loss":0.5}\n'.repeat(20))],
  ['checkpoints/imae-5.safetensors', Uint8Array.from({ length: 300 }, (_, i) => (i * 37) & 0xff)],
  ['panels/imae-000005.png', new Uint8Array()],
]);
const zipped = zipFolder('a run', files);

/** What a file would be loaded as: its files, or the message that refuses it. */
function read(zip: Uint8Array): Map<string, Uint8Array> | string {
  try {
    return unzip(zip, 'it.zip');
  } catch (error) {
    if (error instanceof UserError) return error.message;
    throw error;
  }
}

describe('a zip file', () => {
  it('gives back the folder that was put into it, under its name', () => {
    expect(unzip(zipped, 'it.zip')).toEqual(new Map([...files].map(([path, content]) => [`a run/${path}`, content])));
  });

  it('stores what does not shrink, and deflates what does', () => {
    const sizes = [...files.values()].reduce((sum, { length }) => sum + length, 0);
    expect(zipped.length).toBeLessThan(sizes);
    const noise = new Map([['checkpoints/imae-5.safetensors', new Uint8Array(5000)]]);
    expect(zipFolder('x', noise).length).toBeGreaterThan(5000);
  });

  it('of another program may have folders of its own, a comment and backslashes', () => {
    const foreign = zipSync({ 'runs\\x\\config.json': [bytes('{}'), { level: 9, comment: 'said', extra: { 1: bytes('more') } }], 'runs/': [new Uint8Array(), {}] });
    expect(unzip(foreign, 'it.zip')).toEqual(new Map([['runs/x/config.json', bytes('{}')]]));
  });

  it('with any one byte changed is refused, or gives the same files: a time of day is no content', () => {
    const refusals = new Set<string>();
    for (let at = 0; at < zipped.length; at++) {
      const changed = zipped.slice();
      changed[at] = (changed[at] as number) ^ 0x41;
      const found = read(changed);
      if (typeof found === 'string') refusals.add(found);
      else expect(found, `byte ${at}`).toEqual(unzip(zipped, 'it.zip'));
    }
    expect([...refusals].join('\n')).toContain('it.zip is damaged: a run/metrics.jsonl is not what was saved. Save or copy it again.');
    for (const refusal of refusals) expect(refusal).toMatch(/^it\.zip (is damaged|is no zip file|is encrypted|has 4 GiB).*\.$/);
  });

  it('cut short anywhere is refused', () => {
    for (let length = 0; length < zipped.length; length++) expect(read(zipped.subarray(0, length)), String(length)).toMatch(/^it\.zip is no zip file, or was cut short/);
  });

  it('is found behind something that stands before it in memory', () => {
    const larger = new Uint8Array(zipped.length + 7);
    larger.set(zipped, 7);
    expect(unzip(larger.subarray(7), 'it.zip').size).toBe(files.size);
  });

  it('has the checksum that everybody computes', () => {
    expect(crc32(bytes('123456789')).toString(16)).toBe('cbf43926');
  });
});
