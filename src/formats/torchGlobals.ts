import { inWords, PickledGlobal, type PickleGlobals } from './pickleValues';
import { NUMPY_GLOBALS, PYTHON_GLOBALS } from './pickleGlobals';
import type { StoredType } from './safetensors';

/*
 * What PyTorch's checkpoints name in their pickles: tensors over storages, which lie outside the pickle, and the small
 * things that training scripts keep beside them.
 */

/** Types of storages by their names. Without one, a storage is bytes, and who uses it knows what they are. */
const STORAGE_TYPES = {
  DoubleStorage: 'F64',
  FloatStorage: 'F32',
  HalfStorage: 'F16',
  BFloat16Storage: 'BF16',
  LongStorage: 'I64',
  IntStorage: 'I32',
  ShortStorage: 'I16',
  CharStorage: 'I8',
  ByteStorage: 'U8',
  BoolStorage: 'BOOL',
} as const satisfies Record<string, StoredType>;

const OTHER_TYPES = [
  'UntypedStorage',
  'ComplexFloatStorage',
  'ComplexDoubleStorage',
  'QInt8Storage',
  'QUInt8Storage',
  'QInt32Storage',
];

const DTYPES: Readonly<Record<string, StoredType>> = {
  float64: 'F64',
  float32: 'F32',
  float16: 'F16',
  bfloat16: 'BF16',
  int64: 'I64',
  int32: 'I32',
  int16: 'I16',
  int8: 'I8',
  uint8: 'U8',
  bool: 'BOOL',
};

/** Memory that tensors share: so many elements under a key. */
export class TorchStorage {
  constructor(
    readonly key: string,
    /** Undefined for a kind of element that is not known here, and for bytes of no kind. */
    readonly dtype: StoredType | undefined,
    readonly typeName: string,
    readonly count: number,
  ) {}
}

/** A part of a storage, seen as a tensor. Nothing of it is checked but that the numbers are counts. */
export class TorchTensor {
  constructor(
    readonly storage: TorchStorage,
    /** In elements. */
    readonly offset: number,
    readonly shape: readonly number[],
    readonly strides: readonly number[],
    readonly dtype: StoredType | undefined,
  ) {}
}

/**
 * What a persistent id stands for: ('storage', type, key, place, count), and in the format before zip a sixth, which is
 * None but for parts of storages as PyTorch before 0.4 wrote them.
 */
export function torchStorage(id: unknown): unknown {
  if (!Array.isArray(id)) throw new Error('it is no tuple');
  const [kind, ...rest] = id as unknown[];
  if (kind === 'module') return rest[0]; // a class beside its source text
  if (kind !== 'storage') throw new Error(`it is ${inWords(kind)}`);
  const [type, key, , count, view] = rest;
  if (!(type instanceof PickledGlobal) || typeof key !== 'string' || !isCount(count))
    throw new Error('a storage is not described as one');
  if (view !== undefined && view !== null)
    throw new Error('its storages share memory, as PyTorch before 0.4 wrote them');
  const typeName = type.name.split('.').at(-1) ?? '';
  return new TorchStorage(
    key,
    Object.hasOwn(STORAGE_TYPES, typeName) ? STORAGE_TYPES[typeName as keyof typeof STORAGE_TYPES] : undefined,
    typeName,
    count,
  );
}

function rebuildTensor(
  storage: unknown,
  offset: unknown,
  shape: unknown,
  strides: unknown,
  dtype?: StoredType,
): TorchTensor {
  if (!(storage instanceof TorchStorage)) throw new Error('it lies in no storage');
  if (!isCount(offset) || !isCounts(shape) || !isCounts(strides) || shape.length !== strides.length)
    throw new Error('its shape is none');
  return new TorchTensor(storage, offset, shape, strides, dtype ?? storage.dtype);
}

/** `_rebuild_tensor_v3` says the elements' type beside an untyped storage. */
function rebuildTyped(...args: unknown[]): TorchTensor {
  const [storage, offset, shape, strides, , , type] = args;
  const name = type instanceof PickledGlobal ? (type.name.split('.').at(-1) ?? '') : '';
  if (!Object.hasOwn(DTYPES, name)) throw new Error('its elements are of an unknown type');
  return rebuildTensor(storage, offset, shape, strides, DTYPES[name]);
}

/** A tensor of another class, or with attributes of its own: (function, class, its arguments, state). */
function rebuildFromType(make: unknown, _class: unknown, args: unknown): unknown {
  if (!(make instanceof PickledGlobal) || !Array.isArray(args)) throw new Error('it is not made by a call');
  return make.make(...(args as unknown[]));
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isCounts(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every(isCount);
}

const first = (value: unknown): unknown => value;
const device = (type: unknown, index?: unknown): string =>
  typeof index === 'number' ? `${word(type)}:${index}` : word(type);
const path = (...parts: unknown[]): string => parts.map(word).join('/').replace(/^\/\//, '/');

function word(value: unknown): string {
  if (typeof value !== 'string') throw new Error('it is given something else than text');
  return value;
}

/** A type that stands as a value and is not called. */
function asValue(): never {
  throw new Error('it is not called in a checkpoint');
}

function valuesOnly(...names: readonly string[]): PickleGlobals {
  return Object.fromEntries(names.map((name) => [name, asValue]));
}

/** Everything that a checkpoint may name. */
export const TORCH_GLOBALS: PickleGlobals = {
  ...PYTHON_GLOBALS,
  ...NUMPY_GLOBALS,
  ...valuesOnly(
    ...[...Object.keys(STORAGE_TYPES), ...OTHER_TYPES].flatMap((name) => [
      `torch.${name}`,
      `torch.storage.${name}`,
      `torch.cuda.${name}`,
    ]),
    ...Object.keys(DTYPES).map((name) => `torch.${name}`),
    ...['torch.Tensor', 'torch._tensor.Tensor', 'torch.nn.parameter.Parameter'],
  ),
  'torch._utils._rebuild_tensor': (storage, offset, shape, strides) => rebuildTensor(storage, offset, shape, strides),
  'torch._utils._rebuild_tensor_v2': (storage, offset, shape, strides) =>
    rebuildTensor(storage, offset, shape, strides),
  'torch._utils._rebuild_tensor_v3': rebuildTyped,
  'torch._utils._rebuild_parameter': first,
  'torch._utils._rebuild_parameter_with_state': first,
  'torch._tensor._rebuild_from_type_v2': rebuildFromType,
  'torch._tensor._rebuild_from_type': rebuildFromType,
  'torch.Size': first,
  'torch.device': device,
  'pathlib.PosixPath': path,
  'pathlib.WindowsPath': path,
  'pathlib.PurePosixPath': path,
};
