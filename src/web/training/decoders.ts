import { wrap, type Remote } from 'comlink';
import { describeBrowser } from '../browserName';
import type { DecodingService } from '../workers/decoding';

/** Decodes image files, some at once. */
export interface BrowserDecoders {
  /** The browser's name: each decodes in its own way. */
  readonly name: string;
  /** See `decodeImage`. @throws Error where it cannot be decoded */
  decode(file: Blob, side: number): Promise<Uint8Array>;
  size(file: Blob): Promise<{ readonly width: number; readonly height: number }>;
  close(): void;
}

/** More decode no faster than one disk reads. */
const MOST_WORKERS = 8;

/** Starts workers that decode. @param workers how many; 'auto' is one a processor core */
export function openBrowserDecoders(workers: number | 'auto'): BrowserDecoders {
  const count = workers === 'auto' ? Math.min(MOST_WORKERS, navigator.hardwareConcurrency) : workers;
  const started = Array.from(
    { length: count },
    () => new Worker(new URL('./decoding.js', import.meta.url), { type: 'module', name: 'decoding' }),
  );
  const free = started.map((worker) => wrap<DecodingService>(worker));
  const waiting: ((api: Remote<DecodingService>) => void)[] = [];
  const pass = async <T>(work: (api: Remote<DecodingService>) => Promise<T>): Promise<T> => {
    const api = free.pop() ?? (await new Promise<Remote<DecodingService>>((resolve) => waiting.push(resolve)));
    try {
      return await work(api);
    } finally {
      const next = waiting.shift();
      if (next) next(api);
      else free.push(api);
    }
  };
  return {
    name: describeBrowser(navigator.userAgent).replace(/ \d+$/, ''),
    decode: (file, side) => pass((api) => api.decode(file, side)),
    size: (file) => pass((api) => api.size(file)),
    close: () => {
      for (const worker of started) worker.terminate();
    },
  };
}
