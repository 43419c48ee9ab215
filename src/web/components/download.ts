import { element } from './dom';

/** Milliseconds after which a browser has surely begun to save a file. */
const ENOUGH = 60_000;

/** Saves a file as the browser saves downloads. */
export function download(name: string, bytes: Uint8Array, type: string): void {
  const url = URL.createObjectURL(new Blob([bytes as Uint8Array<ArrayBuffer>], { type }));
  element('a', { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), ENOUGH);
}
