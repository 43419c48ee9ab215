import type { ByteSource } from './byteSource';
import { UserError } from '../common/userError';

/*
 * What people give for a checkpoint and is none, told by its first bytes: mostly what a download has left in its place.
 */

const HEAD_BYTES = 512;
const AGAIN = 'Download the file itself';

interface Kind {
  readonly begin: RegExp;
  readonly is: string;
  readonly advice: string;
}

/** Their beginnings, a character a byte. */
const KINDS: readonly Kind[] = [
  {
    begin: /^version https:\/\/git-lfs/,
    is: 'a pointer of Git LFS, not the file that it stands for',
    advice: 'Get that by `git lfs pull` in its repository, or download it from the page of the file',
  },
  {
    begin: /^\s*(<!doctype|<html|<head|<\?xml)/i,
    is: 'a web page, not the file that it is about',
    advice: `${AGAIN} (on Hugging Face its address has /resolve/, not /blob/)`,
  },
  // The head of a safetensors file, a number, may begin with such bytes, and goes on with zeros.
  { begin: /^\s*[{[]\s*["\]}][^\0]*$/, is: 'JSON text', advice: AGAIN },
  { begin: /^\x1f\x8b/, is: 'packed by gzip', advice: 'Unpack it first' },
  { begin: /^(7z\xbc\xaf|\xfd7zXZ|BZh|Rar!|\x28\xb5\x2f\xfd)/, is: 'a packed file', advice: 'Unpack it first' },
  { begin: /^\x89HDF/, is: 'an HDF5 file, as Keras saves them', advice: 'Save its tensors as safetensors' },
  { begin: /^GGUF/, is: 'a GGUF file', advice: 'Give the safetensors that it was made of' },
  { begin: /^\x93NUMPY/, is: 'a numpy array', advice: 'Save the tensors as safetensors' },
];

/** @throws UserError that says what a file is, where it is known to be no checkpoint */
export function assertNotForeign(source: ByteSource, name: string): void {
  const head = String.fromCharCode(...source.read(0, Math.min(source.size, HEAD_BYTES)));
  const kind = KINDS.find(({ begin }) => begin.test(head));
  if (kind) throw new UserError(`Cannot read ${name}: it is ${kind.is}. ${kind.advice}.`);
}
