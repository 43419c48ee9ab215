/** `palimpsest/formats`: files of tensors, read and written as bytes. Everything else may change without a word. */
export {
  readSafetensors,
  storedTensor,
  tensorData,
  tensorFloat32,
  writeSafetensors,
  type Safetensors,
  type StoredElements,
  type StoredTensor,
  type StoredType,
} from './safetensors';
export { readStateDict, writeStateDict, type StateTensor } from './stateDict';
export { readTensorFile } from './tensorFile';
export { isTorchFile, readTorchFile } from './torchFile';
export { memorySource, type ByteSource } from './byteSource';
export { UserError } from '../common/userError';
