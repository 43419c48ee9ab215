import { expose, transfer } from 'comlink';
import { decodeInBrowser, browserImageSize } from '../training/decodeImage';

/* A worker that decodes image files beside the one that trains. */

const decoding = {
  async decode(file: Blob, side: number): Promise<Uint8Array> {
    const image = await decodeInBrowser(file, side);
    return transfer(image, [image.buffer as ArrayBuffer]);
  },
  size: browserImageSize,
};

export type DecodingService = typeof decoding;

expose(decoding);
