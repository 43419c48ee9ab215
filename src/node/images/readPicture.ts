import { basename } from 'node:path';
import { UserError } from '../../common/userError';
import type { NamedPicture } from '../../imae/eval/reconstruction';
import { decodeImage } from './decode';

/** Shares of red, green and blue in grey (ITU-R 601), as PIL converts. */
const GREY = [0.299, 0.587, 0.114] as const;

/**
 * A picture of any size for a model: its shorter side scaled to the model's, the centred square cut out.
 *
 * @throws UserError where it cannot be decoded, or the model takes other channels
 */
export async function readPicture(
  path: string,
  { image, channels }: { readonly image: number; readonly channels: number },
): Promise<NamedPicture> {
  if (channels !== 3 && channels !== 1)
    throw new UserError(`${path} has 3 channels, and the model takes ${channels}. Give another model.`);
  const pixels = await decodeImage(path, image);
  return { name: basename(path), pixels: channels === 3 ? pixels : grey(pixels) };
}

function grey(pixels: Uint8Array): Uint8Array {
  const plane = pixels.length / 3;
  return Uint8Array.from({ length: plane }, (_, at) =>
    Math.round(GREY.reduce((sum, share, channel) => sum + share * (pixels[at + channel * plane] as number), 0)),
  );
}
