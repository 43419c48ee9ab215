import { readSafetensors, storedTensor, tensorData, tensorFloat32, writeSafetensors } from './safetensors';

/** A tensor of a state: as `stateDict` of a model or an optimizer gives it, and `load` takes it. */
export interface StateTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array | Uint32Array;
}

/**
 * The tensors of a safetensors file, for `load`: U32 as they are, all others as f32.
 *
 * @param file its bytes; an ArrayBuffer is what `fetch` and `Blob` give
 * @param source what the messages call the file
 * @throws UserError that names the first thing wrong with the file
 */
export function readStateDict(file: Uint8Array | ArrayBuffer, source?: string): Map<string, StateTensor> {
  const bytes = file instanceof ArrayBuffer ? new Uint8Array(file) : file;
  const state = new Map<string, StateTensor>();
  for (const [name, tensor] of readSafetensors(bytes, source).tensors) {
    const { shape, dtype } = tensor;
    const data = dtype === 'U32' ? (tensorData(tensor) as Uint32Array) : tensorFloat32(tensor); // of U32, that it is
    state.set(name, { shape, data });
  }
  return state;
}

/** A state as the bytes of a safetensors file. They depend on what it holds alone. */
export function writeStateDict(
  state: ReadonlyMap<string, StateTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const tensors = new Map([...state].map(([name, { shape, data }]) => [name, storedTensor(shape, data)]));
  return writeSafetensors(tensors, metadata);
}
