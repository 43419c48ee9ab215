import type { ByteSource } from './byteSource';
import { assertNotForeign } from './foreignFile';
import { readSafetensors, type Safetensors } from './safetensors';
import { isTorchFile, readTorchFile } from './torchFile';

/**
 * Reads a file of tensors, whatever it is called: safetensors, or what PyTorch's `torch.save` writes.
 *
 * @param name what messages call the file
 * @throws UserError where it is neither, or damaged
 */
export function readTensorFile(source: ByteSource, name: string): Safetensors {
  assertNotForeign(source, name);
  return isTorchFile(source) ? readTorchFile(source, name) : readSafetensors(source.read(0, source.size), name);
}
