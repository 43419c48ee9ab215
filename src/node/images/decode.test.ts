import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BrokenImageError } from '../../data/sources/brokenFiles';
import { decodeImage, imageSize } from './decode';
import { CMYK_JPEG, GREY_JPEG, halves, plain, png, turned, type Colour } from '../../testing/testImages';

const RED: Colour = [220, 30, 40];
const BLUE: Colour = [20, 60, 200];

/** The colour at a place of a stored image. */
function at(planes: Uint8Array, side: number, x: number, y: number): number[] {
  return [0, 1, 2].map((channel) => planes[(channel * side + y) * side + x] as number);
}

function expectNear(found: readonly number[], wanted: readonly number[], tolerance: number): void {
  expect(
    Math.max(...found.map((value, i) => Math.abs(value - (wanted[i] as number)))),
    `${found.join()} for ${wanted.join()}`,
  ).toBeLessThanOrEqual(tolerance);
}

describe('decodeImage', () => {
  it('keeps the pixels of an image that has the size already, plane by plane', async () => {
    const planes = await decodeImage(halves(8, 8, RED, BLUE), 8);
    expect(planes.length).toBe(3 * 64);
    const wanted = [0, 1, 2].flatMap((channel) =>
      Array.from({ length: 64 }, (_, i) => (i % 8 < 4 ? RED : BLUE)[channel]),
    );
    expect([...planes]).toEqual(wanted);
  });

  // JPEG and WebP are lossy: a plain colour comes within a few levels.
  it.each<[string, Buffer, readonly number[], number]>([
    ['JPEG', plain(8, RED, 'jpeg'), RED, 3],
    ['WebP', plain(8, RED, 'webp'), RED, 4],
    ['PNG', plain(8, RED), RED, 0],
    ['greyscale JPEG', GREY_JPEG, [105, 105, 105], 1],
    ['greyscale PNG', png(8, 8, 0, [91]), [91, 91, 91], 0],
    ['PNG of 16 bits', png(8, 16, 2, [0xdc80, 0x1e80, 0x2880]), [220, 30, 40], 1],
    ['greyscale PNG of 16 bits', png(8, 16, 0, [0x5b80]), [91, 91, 91], 1],
    ['transparent PNG, which lies on white', png(8, 8, 6, [0, 0, 0, 0]), [255, 255, 255], 0],
    ['half transparent PNG', png(8, 8, 6, [0, 0, 0, 128]), [127, 127, 127], 1],
    ['grey PNG with alpha', png(8, 8, 4, [91, 255]), [91, 91, 91], 0],
    // How red magenta and yellow are together, a profile says; without one it would be 255, 0, 0.
    ['CMYK JPEG', CMYK_JPEG, [240, 0, 0], 15],
  ])('reads a %s', async (_, file, wanted, tolerance) => {
    const planes = await decodeImage(file, 8);
    for (const [x, y] of [
      [0, 0],
      [7, 0],
      [3, 5],
    ] as const)
      expectNear(at(planes, 8, x, y), wanted, tolerance);
  });

  it('scales the shorter side and cuts the centred square out', async () => {
    const wide = await decodeImage(halves(64, 16, RED, BLUE), 8);
    expectNear(at(wide, 8, 0, 4), RED, 0);
    expectNear(at(wide, 8, 7, 4), BLUE, 0);
    expect(await decodeImage(halves(6, 4, RED, RED), 8)).toEqual(await decodeImage(plain(8, RED), 8)); // up
  });

  it('turns an image upright as its EXIF says', async () => {
    const jpeg = halves(16, 16, RED, BLUE, 'jpeg');
    const planes = await decodeImage(turned(jpeg, 6), 16); // left comes to the top
    expectNear(at(planes, 16, 8, 1), RED, 4);
    expectNear(at(planes, 16, 8, 14), BLUE, 4);
    expect(await decodeImage(turned(jpeg, 1), 16)).toEqual(await decodeImage(jpeg, 16));
  });

  describe('of a broken file', () => {
    let folder = '';
    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'broken-'));
    });
    afterAll(() => rm(folder, { recursive: true }));

    const whole = halves(64, 64, RED, BLUE, 'jpeg');
    it.each<[string, Uint8Array | string, RegExp]>([
      ['a text', 'Dear reader', /letter\.jpg cannot be decoded: it is no image of a known format\.$/],
      ['nothing', '', /letter\.jpg cannot be decoded: /],
      [
        'half a JPEG',
        whole.subarray(0, whole.length * 0.6),
        /letter\.jpg cannot be decoded: its data are damaged or end too early/,
      ],
      [
        'a HEIC picture',
        '\0\0\0\x18ftypheic\0\0\0\0mif1heic',
        /it is a HEIC picture, as phones save them.*Convert it to JPEG\.$/,
      ],
      ['a video', '\0\0\0\x18ftypmp42', /it is a video\.$/],
      ['nothing', '', /it is empty\.$/],
      ['zeros', '\0'.repeat(100), /it holds nothing but zeros/],
      ['a web page', '<!DOCTYPE html><html>', /it is a web page/],
      ['a pointer of Git LFS', 'version https://git-lfs.github.com/spec/v1\n', /it is a pointer of Git LFS/],
      [
        'half a PNG',
        halves(64, 64, RED, BLUE).subarray(0, 90),
        /letter\.jpg cannot be decoded: its data are damaged or end too early/,
      ],
    ])('with %s in it, names it and says why, in a line', async (_, content, message) => {
      const path = join(folder, 'letter.jpg');
      await writeFile(path, content);
      const error: unknown = await decodeImage(path, 8).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(BrokenImageError);
      expect((error as Error).message).toMatch(message);
      expect((error as Error).message).not.toContain('\n');
    });

    it('that is not there, too', async () => {
      await expect(decodeImage(join(folder, 'absent.jpg'), 8)).rejects.toThrow(
        /absent\.jpg cannot be decoded: there is no such file/,
      );
    });

    it('that is a folder, or may not be read', async () => {
      await expect(decodeImage(folder, 8)).rejects.toThrow(`${folder} cannot be decoded: it is a folder.`);
      if (process.getuid?.() === 0) return; // who may read everything
      const path = join(folder, 'secret.jpg');
      await writeFile(path, halves(8, 8, RED, BLUE), { mode: 0 });
      await expect(decodeImage(path, 8)).rejects.toThrow(`${path} cannot be decoded: permission denied.`);
    });

    it('tells the size of an image as it is seen', async () => {
      const path = join(folder, 'turned.jpg');
      await writeFile(path, turned(halves(32, 16, RED, BLUE, 'jpeg'), 6));
      expect(await imageSize(path)).toEqual({ width: 16, height: 32 });
    });
  });
});
