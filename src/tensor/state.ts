import { EngineError } from '../gpu/errors';
import type { GpuEngine } from '../gpu/gpuEngine';
import { Slice } from '../gpu/storage';
import { formatShape, sizeOf, type Shape } from './shape';
import { readTensor, type Tensor } from './tensor';

/** What a tensor of a state holds. */
export interface StateEntry {
  readonly shape: Shape;
  readonly data: Float32Array | Uint32Array;
}

/** Tensors by name: what is saved of a model or an optimizer. */
export type StateDict = ReadonlyMap<string, StateEntry>;

/** The lasting tensors of something that is saved and loaded. */
export interface NamedState {
  readonly engine: GpuEngine;
  readonly tensors: ReadonlyMap<string, Tensor<'f32' | 'u32'>>;
  /** Is called once the host has written some of them. */
  readonly written?: () => Promise<void>;
}

/** What has state on the GPU: a module, an optimizer, an average of parameters. */
export interface Stateful {
  /** @throws EngineError `bad-program` where it has no memory */
  namedState(): NamedState;
}

/** What `load` may be told. */
export interface LoadOptions {
  /** Whether every tensor must be there, and no other: true by default. Shapes must fit either way. */
  readonly strict?: boolean;
}

/** Reads all of a state. */
export async function readState(target: Stateful): Promise<Map<string, StateEntry>> {
  const { engine, tensors } = target.namedState();
  const state = new Map<string, StateEntry>();
  for (const [name, tensor] of tensors)
    state.set(name, { shape: tensor.shape, data: await readTensor(engine, tensor) });
  return state;
}

/** What PyTorch saves with BatchNorm, and nothing here needs. */
const UNUSED = /(^|\.)num_batches_tracked$/;
/** Names of one kind that a message lists. */
const LISTED = 5;

/**
 * Sets what a model, an optimizer or an average holds. All of it is checked before any of it is written.
 *
 * @param state as `stateDict` gives it, and `readStateDict` of `palimpsest/formats` from a file
 * @throws EngineError (a rejection) `bad-shape` that names what is missing, unknown or of another shape
 */
export async function load(target: Stateful, state: StateDict, { strict = true }: LoadOptions = {}): Promise<void> {
  const { engine, tensors, written } = target.namedState();
  const complaints: string[] = [];
  const complain = (names: readonly string[], what: string): void => {
    if (names.length === 0) return;
    const more = names.length > LISTED ? ` and ${names.length - LISTED} more` : '';
    complaints.push(`${what} ${names.slice(0, LISTED).join(', ')}${more}`);
  };
  if (strict) {
    complain(quoted([...tensors.keys()].filter((name) => !state.has(name))), 'it lacks');
    complain(quoted([...state.keys()].filter((name) => !tensors.has(name) && !UNUSED.test(name))), 'unknown are');
  }
  const misfits: string[] = [];
  for (const [name, { shape, dtype }] of tensors) {
    const entry = state.get(name);
    if (!entry) continue;
    if (formatShape(entry.shape) !== formatShape(shape)) {
      misfits.push(`'${name}' ${formatShape(shape)}, which is ${formatShape(entry.shape)} there`);
    } else if (!(entry.data instanceof (dtype === 'u32' ? Uint32Array : Float32Array))) {
      misfits.push(`'${name}', which holds ${dtype} here`);
    } else if (entry.data.length !== sizeOf(shape)) {
      misfits.push(`'${name}' ${formatShape(shape)}, of which it has ${entry.data.length} elements`);
    }
  }
  complain(misfits, 'it does not fit');
  if (complaints.length > 0) {
    const fix =
      strict && misfits.length === 0
        ? 'Load the state of the same model, or give { strict: false }.'
        : 'Load the state of such a model.';
    throw new EngineError('bad-shape', `load: the state is another one's: ${complaints.join('; ')}.`, fix);
  }
  for (const [name, { storage }] of tensors) {
    const entry = state.get(name);
    if (entry && storage instanceof Slice) engine.write(storage, entry.data);
  }
  await written?.();
}

function quoted(names: readonly string[]): string[] {
  return names.map((name) => `'${name}'`);
}
