import { FIRST_TEST_IMAGE, makeShapes } from '../../../data/shapes';
import { integer, RandomStream } from '../../../data/philox';
import * as purposes from '../../../data/purposes';
import { UserError } from '../../../common/userError';
import type { ModelSize } from '../../../imae/config/config';

export type ImageSize = Pick<ModelSize, 'image' | 'channels'>;

/** An image to be mixed, at whatever size a model wants it. */
export interface ImageSource {
  readonly title: string;
  /** Whether it is of the built-in set. */
  readonly builtIn: boolean;
  /** [C, H, W] bytes. @throws UserError where it cannot be drawn so small */
  bytes(size: ImageSize): Uint8Array;
}

/** The seed of the shapes that models are trained on by default; held-out ones are others by their number. */
const SEED = 0;
/** Pairs are drawn from so many held-out images; the thumbnails are the first of them. */
const HELD_OUT = 512;
const THUMBNAILS = 16;
/** The sides of thumbnails and of own images as they are kept, in pixels. */
export const THUMBNAIL_SIDE = 32;
const KEPT_SIDE = 512;

const RED = 0.299;
const GREEN = 0.587;
const BLUE = 0.114;

/** What the views begin with: a pair of two colours, and hidden patches all over. */
export const FIRST_MIX = { pair: 14, alpha: 0.35, ratio: 0.25, order: 9 } as const;

/** One of the built-in set's held-out images, drawn at the size that is wanted. */
export function heldOut(index: number): ImageSource {
  const first = FIRST_TEST_IMAGE + index;
  const { classes, labels } = makeShapes({ count: 1, size: 8, seed: SEED, first });
  return {
    title: `${classes[labels[0] ?? 0] ?? 'shape'} (held-out image ${index + 1})`,
    builtIn: true,
    bytes: drawnOnce(({ image, channels }) =>
      withChannels(makeShapes({ count: 1, size: image, seed: SEED, first }).images, channels),
    ),
  };
}

export function thumbnails(): ImageSource[] {
  return Array.from({ length: THUMBNAILS }, (_, index) => heldOut(index));
}

/** The pair of a number: two held-out images of two classes, the same for everyone. */
export function pairOf(number: number): [ImageSource, ImageSource] {
  const stream = RandomStream.at(SEED, purposes.evaluation, number);
  const classes = makeShapes({ count: 1, size: 8, seed: SEED }).classes.length;
  const first = integer(stream, HELD_OUT);
  // The labels go round the classes.
  const apart = 1 + integer(stream, classes - 1) + classes * integer(stream, HELD_OUT / classes);
  return [heldOut(first), heldOut((first + apart) % HELD_OUT)];
}

/** @throws UserError where the browser cannot read it as an image */
export async function ownImage(file: File): Promise<ImageSource> {
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    throw new UserError(`${file.name} is no image that this browser can read. Give a PNG, JPEG, WebP or the like.`);
  }
  const side = Math.min(bitmap.width, bitmap.height);
  const kept = drawn(Math.min(side, KEPT_SIDE), (context, to) => {
    const [left, top] = [(bitmap.width - side) / 2, (bitmap.height - side) / 2];
    context.drawImage(bitmap, left, top, side, side, 0, 0, to, to);
  });
  bitmap.close();
  return {
    title: file.name,
    builtIn: false,
    bytes: drawnOnce(({ image, channels }) => {
      const small = drawn(image, (context, to) => context.drawImage(kept.canvas, 0, 0, to, to));
      const { data } = small.getImageData(0, 0, image, image);
      const plane = image * image;
      const planes = Uint8Array.from(
        { length: 3 * plane },
        (_, i) => data[(i % plane) * 4 + Math.floor(i / plane)] ?? 0,
      );
      return withChannels(planes, channels);
    }),
  };
}

/** Remembers what was drawn last. */
function drawnOnce(draw: (size: ImageSize) => Uint8Array): ImageSource['bytes'] {
  let last: { readonly size: ImageSize; readonly bytes: Uint8Array } | undefined;
  return (size) => {
    if (last?.size.image !== size.image || last.size.channels !== size.channels) last = { size, bytes: draw(size) };
    return last.bytes;
  };
}

/** A square canvas, white where nothing is drawn on it. */
function drawn(
  side: number,
  draw: (context: CanvasRenderingContext2D, side: number) => void,
): CanvasRenderingContext2D {
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [side, side];
  const context = canvas.getContext('2d', { willReadFrequently: true }) as CanvasRenderingContext2D;
  context.fillStyle = 'white';
  context.fillRect(0, 0, side, side);
  context.imageSmoothingQuality = 'high';
  draw(context, side);
  return context;
}

/** [3, H, W] as it is, or as grey. */
function withChannels(rgb: Uint8Array, channels: number): Uint8Array {
  if (channels === 3) return rgb;
  const plane = rgb.length / 3;
  return Uint8Array.from({ length: plane }, (_, i) =>
    Math.round(RED * (rgb[i] ?? 0) + GREEN * (rgb[plane + i] ?? 0) + BLUE * (rgb[2 * plane + i] ?? 0)),
  );
}
