/*
 * What a file is that is called an image and is none that is read, by its first bytes.
 */

/** Bytes that tell it. */
export const PICTURE_HEAD_BYTES = 64;

const KINDS: readonly (readonly [begin: RegExp, is: string])[] = [
  [/^$/, 'it is empty'],
  [
    /^....ftyp(heic|heix|hevc|heim|heis|mif1|msf1)/s,
    'it is a HEIC picture, as phones save them, which is not read. Convert it to JPEG',
  ],
  [/^....ftypavi[fs]/s, 'it is an AVIF picture. Convert it to JPEG or PNG'],
  [/^....ftyp/s, 'it is a video'],
  [/^(\xff\x0a|\0\0\0\x0cJXL )/, 'it is a JPEG XL picture. Convert it to JPEG or PNG'],
  [/^(II\*\0|MM\0\*)/, 'it is a TIFF or raw picture. Convert it to JPEG or PNG'],
  [/^GIF8/, 'it is a GIF picture. Convert it to PNG'],
  [/^BM/, 'it is a BMP picture. Convert it to PNG'],
  [/^8BPS/, 'it is a PSD picture. Convert it to PNG'],
  [/^%PDF/, 'it is a PDF document'],
  [/^\s*(<!doctype|<html|<\?xml|<svg)/i, 'it is a web page or a drawing in XML'],
  [/^version https:\/\/git-lfs/, 'it is a pointer of Git LFS. `git lfs pull` brings the picture'],
  [/^\0+$/, 'it holds nothing but zeros, as an interrupted copy leaves'],
];

/**
 * What a file that cannot be decoded is, as far as its beginning tells.
 *
 * @param head its first bytes: all, or `PICTURE_HEAD_BYTES`
 * @returns without a full stop; undefined where that is not known
 */
export function pictureKind(head: Uint8Array): string | undefined {
  const text = String.fromCharCode(...head);
  return KINDS.find(([begin]) => begin.test(text))?.[1];
}
