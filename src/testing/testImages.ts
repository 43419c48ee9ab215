import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { crc32, deflateSync } from 'node:zlib';
import { createCanvas } from '@napi-rs/canvas';

/* Image files that tests make for themselves. */

export type Colour = readonly [red: number, green: number, blue: number];

/** A picture whose left half has one colour and whose right half another, as PNG (exact), JPEG or WebP. */
export function halves(
  width: number,
  height: number,
  left: Colour,
  right: Colour,
  format: 'png' | 'jpeg' | 'webp' = 'png',
): Buffer {
  const canvas = createCanvas(width, height);
  const context = canvas.getContext('2d');
  context.fillStyle = `rgb(${left.join()})`;
  context.fillRect(0, 0, width / 2, height);
  context.fillStyle = `rgb(${right.join()})`;
  context.fillRect(width / 2, 0, width / 2, height);
  return format === 'png'
    ? canvas.toBuffer('image/png')
    : format === 'jpeg'
      ? canvas.toBuffer('image/jpeg', 100)
      : canvas.toBuffer('image/webp', 100);
}

export const plain = (side: number, colour: Colour, format: 'png' | 'jpeg' | 'webp' = 'png'): Buffer =>
  halves(side, side, colour, colour, format);

/** A JPEG with an EXIF segment that says how it is turned: 6 is by 90° clockwise. */
export function turned(jpeg: Buffer, orientation: number): Buffer {
  const entry = Buffer.from([0x12, 0x01, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0]);
  const tiff = Buffer.concat([Buffer.from('II*\0'), Buffer.from([8, 0, 0, 0, 1, 0]), entry, Buffer.alloc(4)]);
  const body = Buffer.concat([Buffer.from('Exif\0\0'), tiff]);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(body.length + 2);
  return Buffer.concat([jpeg.subarray(0, 2), Buffer.from([0xff, 0xe1]), length, body, jpeg.subarray(2)]);
}

/** A PNG of one colour by its bytes. Colour types: 0 grey, 2 RGB, 4 grey and alpha, 6 RGB and alpha. */
export function png(side: number, depth: 8 | 16, colourType: 0 | 2 | 4 | 6, pixel: readonly number[]): Buffer {
  const chunk = (type: string, body: Buffer): Buffer => {
    const content = Buffer.concat([Buffer.from(type), body]);
    const [length, checksum] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(body.length);
    checksum.writeUInt32BE(crc32(content));
    return Buffer.concat([length, content, checksum]);
  };
  const head = Buffer.alloc(13);
  head.writeUInt32BE(side, 0);
  head.writeUInt32BE(side, 4);
  head.set([depth, colourType], 8);
  const samples = depth === 8 ? pixel : pixel.flatMap((value) => [value >> 8, value & 255]);
  const row = [0, ...Array.from({ length: side }, () => samples).flat()];
  const rows = Buffer.from(Array.from({ length: side }, () => row).flat());
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([
    signature,
    chunk('IHDR', head),
    chunk('IDAT', deflateSync(rows)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

/** JPEGs of 8 × 8 pixels that no canvas writes: grey of 105 (as Pillow reads it), and CMYK of no cyan and black and all magenta and yellow, in Adobe's inverted form. */
export const GREY_JPEG = Buffer.from(
  '/9j/2wBDAAYEBQYFBAYGBQYHBwYIChAKCgkJChQODwwQFxQYGBcUFhYaHSUfGhsjHBYWICwgIyYnKSopGR8tMC0oMCUoKSj/wAALCAAIAAgBAREA/8QAFAABAAAAAAAAAAAAAAAAAAAABf/EABQQAQAAAAAAAAAAAAAAAAAAAAD/2gAIAQEAAD8AAf/Z',
  'base64',
);
export const CMYK_JPEG = Buffer.from(
  '/9j/7gAOQWRvYmUAZAAAAAAA/9sAQwANCQoLCggNCwoLDg4NDxMgFRMSEhMnHB4XIC4pMTAuKS0sMzpKPjM2RjcsLUBXQUZMTlJTUjI+WmFaUGBKUVJP/8AAFAgACAAIBEMRAE0RAFkRAEsRAP/EABQAAQAAAAAAAAAAAAAAAAAAAAf/xAAUEAEAAAAAAAAAAAAAAAAAAAAA/9oADgRDAE0AWQBLAAA/AE4YDAnP/9k=',
  'base64',
);

/** Writes files under a folder, by their paths. */
export async function writeTree(root: string, files: Readonly<Record<string, Uint8Array | string>>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content);
  }
}
