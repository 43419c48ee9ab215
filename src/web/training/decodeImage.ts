import { scaleSquare } from '../../data/bicubic';

const CHANNELS = 3;

/**
 * An image file in the stored form of a set, as `decodeImage` of Node has it: upright, the shorter side scaled, the centred
 * square cut out, three planes of bytes in sRGB, what is transparent on white. The browser decodes, which is not to the bit
 * what Node does; it is scaled here, alike in every browser.
 *
 * @throws Error where it cannot be decoded
 */
export async function decodeInBrowser(file: Blob, side: number): Promise<Uint8Array> {
  const bitmap = await createImageBitmap(file, { imageOrientation: 'from-image' });
  try {
    const square = Math.min(bitmap.width, bitmap.height);
    const context = new OffscreenCanvas(square, square).getContext('2d', { willReadFrequently: true });
    if (!context) throw new Error('this browser draws nothing in workers');
    context.fillStyle = 'white';
    context.fillRect(0, 0, square, square);
    context.drawImage(bitmap, -Math.floor((bitmap.width - square) / 2), -Math.floor((bitmap.height - square) / 2));
    const { data } = context.getImageData(0, 0, square, square);
    // A canvas beyond what a browser can hold stays empty, without a word: what was drawn on white has no holes.
    if (data[3] !== 255 || data.at(-1) !== 255)
      throw new Error(`it is ${bitmap.width} × ${bitmap.height} pixels, more than this browser draws: make it smaller`);
    const planes = toPlanes(data);
    if (square === side) return planes;
    return Uint8Array.from(
      scaleSquare(planes, { channels: CHANNELS, width: square, height: square }, side),
      Math.round,
    );
  } finally {
    bitmap.close();
  }
}

/** Width and height of an image file as it is seen, upright. @throws Error where it cannot be decoded */
export async function browserImageSize(file: Blob): Promise<{ readonly width: number; readonly height: number }> {
  const bitmap = await createImageBitmap(file, { imageOrientation: 'from-image' });
  const { width, height } = bitmap;
  bitmap.close();
  return { width, height };
}

/** Pixels RGBARGBA… → RR…GG…BB…. */
function toPlanes(rgba: Uint8ClampedArray): Uint8Array {
  const plane = rgba.length / 4;
  const planes = new Uint8Array(CHANNELS * plane);
  for (let at = 0, from = 0; at < plane; at++, from += 4) {
    for (let channel = 0; channel < CHANNELS; channel++) planes[channel * plane + at] = rgba[from + channel] as number;
  }
  return planes;
}
