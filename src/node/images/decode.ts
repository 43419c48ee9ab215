import type Sharp from 'sharp';
import { BrokenImageError } from '../../data/sources/brokenFiles';
import { PICTURE_HEAD_BYTES, pictureKind } from '../../data/sources/pictureKind';
import { UserError } from '../../common/userError';
import { errorCode, reason } from '../failure';
import { fileHead } from '../fileHead';

/*
 * Image files become the stored form of a set: upright (as EXIF says), the shorter side scaled to S, the centred square cut
 * out, three planes of bytes in sRGB. Greyscale becomes RGB, CMYK and other profiles are converted, 16 bits become 8, and
 * what is transparent lies on white. Files smaller than S are scaled up; those of S × S keep their pixels.
 *
 * sharp does it in threads of its own. The canvas that draws the pictures could decode, too, but takes half a file for a
 * whole one with a black part, and knows no colour profiles.
 */

let loading: Promise<typeof Sharp> | undefined;

/** It is loaded when the first file is decoded: who has none need not have it. @throws UserError where it is missing */
function loadSharp(): Promise<typeof Sharp> {
  loading ??= import('sharp').then(
    ({ default: sharp }) => {
      // Each file is read once, and there are more of them than threads.
      sharp.cache(false);
      sharp.concurrency(1);
      return sharp;
    },
    (error: unknown) => {
      throw new UserError(
        `The npm package sharp, which decodes image files, cannot be loaded: ${reason(error)}. \`npm run doctor\` names the command that brings it.`,
      );
    },
  );
  return loading;
}

/**
 * An image file in the stored form: 3 × `side` × `side` bytes.
 *
 * @param file its path, or its bytes
 * @param name what messages call it
 * @throws BrokenImageError
 */
export async function decodeImage(file: string | Uint8Array, side: number, name = String(file)): Promise<Uint8Array> {
  const sharp = await loadSharp();
  try {
    const { data, info } = await sharp(file, { failOn: 'error' })
      .autoOrient()
      .resize(side, side, { fit: 'cover', position: 'centre', kernel: 'cubic', fastShrinkOnLoad: false })
      .flatten({ background: 'white' })
      .toColourspace('srgb')
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    if (info.channels !== 3) throw new Error(`it has ${info.channels} channels`);
    return toPlanes(data, side * side);
  } catch (error) {
    throw await broken(error, file, name);
  }
}

/**
 * Width and height of an image file as it is seen, upright, from its head alone.
 *
 * @param file its path, or its bytes
 * @param name what messages call it
 * @throws BrokenImageError
 */
export async function imageSize(
  file: string | Uint8Array,
  name = String(file),
): Promise<{ readonly width: number; readonly height: number }> {
  const sharp = await loadSharp();
  try {
    return (await sharp(file).metadata()).autoOrient;
  } catch (error) {
    throw await broken(error, file, name);
  }
}

/** Why a file cannot be decoded: what the system says of it, or what it is, or else what the decoder says. */
async function broken(error: unknown, file: string | Uint8Array, name: string): Promise<BrokenImageError> {
  try {
    const head =
      typeof file === 'string' ? await fileHead(file, PICTURE_HEAD_BYTES) : file.subarray(0, PICTURE_HEAD_BYTES);
    const kind = pictureKind(head);
    const text = errorCode(error) === undefined && error instanceof Error ? inOneLine(error.message) : reason(error);
    return new BrokenImageError(name, kind ?? text);
  } catch (unreadable) {
    return new BrokenImageError(name, reason(unreadable));
  }
}

/** What the decoder says, less its own words for what a file is. */
function inOneLine(message: string): string {
  const [first = ''] = message.split('\n');
  if (first.includes('unsupported image format')) return 'it is no image of a known format';
  if (first.startsWith('Input file is missing')) return 'there is no such file';
  // What libvips says of one file, another that is decoded at the same time may have said last.
  if (/^Vips\w+: |^Unknown error|premature end|corrupt/i.test(first)) return 'its data are damaged or end too early';
  return first.replace(/^Input (file|buffer) (has|is|contains)/, 'it $2').replace(/\.$/, '');
}

/** Pixels RGBRGB… → RR…GG…BB…. */
function toPlanes(pixels: Uint8Array, plane: number): Uint8Array {
  const planes = new Uint8Array(3 * plane);
  for (let at = 0, from = 0; at < plane; at++) {
    planes[at] = pixels[from++] as number;
    planes[at + plane] = pixels[from++] as number;
    planes[at + 2 * plane] = pixels[from++] as number;
  }
  return planes;
}
