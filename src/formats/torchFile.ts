import type { ByteSource } from './byteSource';
import { readPickle, readPickleAt } from './pickle';
import { inWords, type PickleOptions } from './pickleValues';
import { PickledArray, PickledAttributes } from './pickleGlobals';
import { ELEMENT_BYTES, elementCount, type Safetensors, type StoredTensor } from './safetensors';
import { StoredZip } from './storedZip';
import { TORCH_GLOBALS, TorchTensor, torchStorage, type TorchStorage } from './torchGlobals';
import { UserError } from '../common/userError';

/*
 * What `torch.save` writes, read without executing anything in it: `.pth`, `.pt`, `.bin`.
 *
 * Since PyTorch 1.6 a zip archive: `NAME/data.pkl`, a pickle in which storages are named by keys, and `NAME/data/KEY`,
 * their bytes, in the order that `NAME/byteorder` says (little, where it is missing).
 * Before, pickles one behind another: a magic number, the version of the format, facts of the machine, the object, and
 * the keys of its storages; then of each storage its count of elements (i64) and its bytes.
 */

/** 0x1950a86a20f9469cfc6c as pickles begin with it: of protocol 2 and above, what follows the protocol and the frame. */
const LEGACY_MAGIC = [0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e];
const PROTO_BYTES = 2;
/** From protocol 4 on a frame may come first: its code, and its length in 8 bytes. */
const FRAME = 0x95;
const FRAME_BYTES = 9;

/** Under which keys training scripts keep a model among other things, the likelier first. */
const MODEL_KEYS = ['model', 'state_dict', 'model_state_dict', 'module', 'network', 'teacher', 'student', 'encoder'];
/** What wrappers put before every name: those of several GPUs, and of the compiler. */
const WRAPPERS = ['module.', '_orig_mod.'];
const DEEPEST = 3;
/** Elements are laid out anew where a tensor does not lie in rows: so many times the file's bytes at most. */
const MOST_COPIES = 4;

const PICKLES: PickleOptions = { globals: TORCH_GLOBALS, persistent: torchStorage };

/** Whether a source begins as what `torch.save` writes. */
export function isTorchFile(source: ByteSource): boolean {
  return StoredZip.isZip(source) || isLegacy(source);
}

function isLegacy(source: ByteSource): boolean {
  const begin = source.read(0, Math.min(source.size, PROTO_BYTES + FRAME_BYTES + LEGACY_MAGIC.length));
  const at = magicAt(begin);
  return begin[0] === 0x80 && LEGACY_MAGIC.every((byte, index) => begin[at + index] === byte);
}

function magicAt(begin: Uint8Array): number {
  return PROTO_BYTES + (begin[PROTO_BYTES] === FRAME ? FRAME_BYTES : 0);
}

/**
 * Reads the tensors of a model from what `torch.save` wrote: those of the state dict that it is, or that it holds under
 * `model`, `state_dict` or the like; of the file, no more is read than these need. A wrapper's `module.` before all names
 * is left out. Metadata tells where the state dict was (`torch.key`), where there are others (`torch.others`), `epoch`, and the script's arguments (`args.NAME`).
 *
 * @param name what messages call the file
 * @throws UserError that names the file and what is wrong with it, as a global that no checkpoint needs
 */
export function readTorchFile(source: ByteSource, name: string): Safetensors {
  const { content, storages } = StoredZip.isZip(source) ? openZip(source, name) : openLegacy(source, name);
  const { state, path, others } = findStateDict(content, name);
  const wrapper = wrapperOf([...state.keys()]);
  const reader = new TensorReader(storages, MOST_COPIES * source.size + 65536, name);
  const tensors = new Map<string, StoredTensor>();
  for (const [key, tensor] of state) tensors.set(key.slice(wrapper.length), reader.read(key, tensor));
  return { tensors, metadata: metadataOf(content, path, others) };
}

/** The bytes of a storage, in the machine's order. */
type Storages = (storage: TorchStorage) => Uint8Array;

interface Opened {
  readonly content: unknown;
  readonly storages: Storages;
}

function openZip(source: ByteSource, name: string): Opened {
  const zip = StoredZip.open(source, name);
  const pickle = zip.names.find((file) => /^([^/]+\/)?data\.pkl$/.test(file));
  if (pickle === undefined) {
    throw new UserError(
      `Cannot read ${name}: it is a zip archive without a data.pkl, not one that PyTorch saved. Give a checkpoint (.pth or .safetensors).`,
    );
  }
  const root = pickle.slice(0, -'data.pkl'.length);
  const order = zip.names.includes(`${root}byteorder`)
    ? new TextDecoder().decode(zip.read(`${root}byteorder`)).trim()
    : 'little';
  if (order !== 'little' && order !== 'big') throw damaged(name, `its order of bytes is ${inWords(order)}`);
  const known = new Map<string, Uint8Array>();
  const storages: Storages = (storage) => {
    const bytes = known.get(storage.key) ?? zip.read(`${root}data/${storage.key}`);
    known.set(storage.key, bytes);
    return order === 'big' ? swapped(bytes, elementBytes(storage)) : bytes;
  };
  return { content: readPickle(zip.read(pickle), `${pickle} in ${name}`, PICKLES), storages };
}

function openLegacy(source: ByteSource, name: string): Opened {
  const bytes = source.read(0, source.size);
  const counts = new Map<string, TorchStorage>();
  const persistent = (id: unknown): unknown => {
    const found = torchStorage(id);
    if (Array.isArray(id) && id[0] === 'storage') counts.set((found as TorchStorage).key, found as TorchStorage);
    return found;
  };
  let at = magicAt(bytes) + LEGACY_MAGIC.length;
  const next = (): unknown => {
    const { value, end } = readPickleAt(bytes, at, name, { ...PICKLES, persistent });
    at = end;
    return value;
  };
  const version = next();
  if (version !== 1001)
    throw damaged(name, `it is of version ${inWords(version)} of PyTorch's format, and 1001 is known`);
  const machine = next();
  if (machine instanceof Map && machine.get('little_endian') === false)
    throw damaged(name, 'it was written on a machine of the other order of bytes');
  const content = next();
  const keys = next();
  if (!Array.isArray(keys)) throw damaged(name, 'its storages are not listed');
  const known = new Map<string, Uint8Array>();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (const key of keys as unknown[]) {
    const storage = typeof key === 'string' ? counts.get(key) : undefined;
    if (!storage) throw damaged(name, `it lists a storage ${inWords(key)} that nothing lies in`);
    const size = at + 8 <= bytes.length ? Number(view.getBigInt64(at, true)) * elementBytes(storage) : 0;
    if (at + 8 + size > bytes.length) throw cutShort(name, `storage '${storage.key}' ends behind the file`);
    if (size !== storage.count * elementBytes(storage))
      throw damaged(name, `storage '${storage.key}' has another length than its tensors say`);
    known.set(storage.key, bytes.subarray(at + 8, at + 8 + size));
    at += 8 + size;
  }
  return {
    content,
    storages: ({ key }) => {
      const found = known.get(key);
      if (!found) throw damaged(name, `storage '${key}' is missing`);
      return found;
    },
  };
}

/** Elements that are not known here are never read; in the older format what lies behind them still is. */
const OTHER_ELEMENT_BYTES: Readonly<Record<string, number>> = {
  ComplexFloatStorage: 8,
  ComplexDoubleStorage: 16,
  QInt32Storage: 4,
};

function elementBytes({ dtype, typeName }: TorchStorage): number {
  return dtype ? ELEMENT_BYTES[dtype] : (OTHER_ELEMENT_BYTES[typeName] ?? 1);
}

function swapped(bytes: Uint8Array, width: number): Uint8Array {
  const out = new Uint8Array(bytes.length);
  for (let at = 0; at < bytes.length; at++) out[at] = bytes[at - (at % width) + (width - 1 - (at % width))] ?? 0;
  return out;
}

/** Tensors as views into their storages, where they lie in rows; else laid out anew. */
class TensorReader {
  private copied = 0;

  constructor(
    private readonly storages: Storages,
    private readonly mostCopied: number,
    private readonly name: string,
  ) {}

  read(key: string, tensor: TorchTensor): StoredTensor {
    const { storage, offset, shape, strides, dtype } = tensor;
    if (!dtype || (storage.dtype !== undefined && storage.dtype !== dtype)) {
      throw new UserError(
        `Cannot read ${this.name}: tensor '${key}' is of a ${storage.typeName}, which is not known here. Convert it to float32.`,
      );
    }
    const width = ELEMENT_BYTES[dtype];
    const bytes = this.storages(storage);
    const count = elementCount(shape);
    const last =
      count === 0 ? 0 : shape.reduce((place, size, axis) => place + (size - 1) * (strides[axis] as number), offset) + 1;
    if (!(last * width <= bytes.length)) {
      throw damaged(
        this.name,
        `tensor '${key}' reaches to element ${last} of its storage, which has ${Math.floor(bytes.length / width)}`,
      );
    }
    if (count === 0) return { dtype, shape, bytes: bytes.subarray(0, 0) };
    if (isInRows(shape, strides))
      return { dtype, shape, bytes: bytes.subarray(offset * width, (offset + count) * width) };
    this.copied += count * width;
    if (!(this.copied <= this.mostCopied))
      throw damaged(this.name, `tensor '${key}' repeats its storage to more than the file holds`);
    return { dtype, shape, bytes: gather(bytes, width, tensor, count) };
  }
}

function isInRows(shape: readonly number[], strides: readonly number[]): boolean {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const size = shape[axis] as number;
    if (size > 1 && strides[axis] !== expected) return false;
    expected *= size;
  }
  return true;
}

function gather(bytes: Uint8Array, width: number, { offset, shape, strides }: TorchTensor, count: number): Uint8Array {
  const out = new Uint8Array(count * width);
  const index = shape.map(() => 0);
  let from = offset;
  for (let to = 0; to < count; to++) {
    for (let byte = 0; byte < width; byte++) out[to * width + byte] = bytes[from * width + byte] as number;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const stride = strides[axis] as number;
      from += stride;
      index[axis] = (index[axis] as number) + 1;
      if ((index[axis] as number) < (shape[axis] as number)) break;
      from -= stride * (shape[axis] as number);
      index[axis] = 0;
    }
  }
  return out;
}

interface FoundState {
  readonly state: ReadonlyMap<string, TorchTensor>;
  readonly path: string;
  /** Where else there are tensors of a model. */
  readonly others: readonly string[];
}

/** The tensors of the first dict that holds some: what the content keeps under a key of a model, or the content itself. */
function findStateDict(content: unknown, name: string): FoundState {
  const found = stateUnder(content, []);
  if (found) return found;
  const dict: ReadonlyMap<unknown, unknown> = content instanceof Map ? content : new Map();
  const arrays = MODEL_KEYS.map((key) => dict.get(key))
    .concat(dict)
    .find(holdsArrays);
  if (arrays) {
    throw new UserError(
      `${name} holds a model as numpy arrays, not as tensors. Save it with tensors: {name: torch.from_numpy(array)}.`,
    );
  }
  const keys = [...dict.keys()].slice(0, 8).map(inWords).join(', ');
  throw new UserError(
    `${name} holds no model's tensors. ${content instanceof Map ? `It has ${keys}` : 'It is no dict'}; ` +
      `give a file with a state dict, alone or under one of ${MODEL_KEYS.join(', ')}.`,
  );
}

function stateUnder(at: unknown, path: readonly string[]): FoundState | undefined {
  if (!(at instanceof Map) || path.length > DEEPEST) return undefined;
  const dict = at as ReadonlyMap<unknown, unknown>;
  const [first, ...beside] = MODEL_KEYS.flatMap((key) => stateUnder(dict.get(key), [...path, key]) ?? []);
  if (first) return { ...first, others: [...beside.map((each) => each.path), ...first.others] };
  const state = new Map(
    [...dict].filter(
      (entry): entry is [string, TorchTensor] => typeof entry[0] === 'string' && entry[1] instanceof TorchTensor,
    ),
  );
  return state.size > 0 ? { state, path: path.join('.'), others: [] } : undefined;
}

function holdsArrays(value: unknown): boolean {
  return (
    value instanceof Map && [...(value as Map<unknown, unknown>).values()].some((each) => each instanceof PickledArray)
  );
}

function wrapperOf(names: readonly string[]): string {
  let wrapper = '';
  for (;;) {
    const next = WRAPPERS.find((each) => names.every((name) => name.startsWith(wrapper + each)));
    if (next === undefined || names.length === 0) return wrapper;
    wrapper += next;
  }
}

/** What is plain text or a number beside the model. */
function metadataOf(content: unknown, path: string, others: readonly string[]): Record<string, string> {
  if (path === '' || !(content instanceof Map)) return {};
  const entries: [string, unknown][] = [
    ['torch.key', path],
    ...(others.length > 0 ? [['torch.others', others.join(', ')] as [string, unknown]] : []),
    ['epoch', content.get('epoch')],
  ];
  const args: unknown = content.get('args');
  const values =
    args instanceof PickledAttributes ? args.values : args instanceof Map ? (args as Map<unknown, unknown>) : [];
  for (const [key, value] of values) if (typeof key === 'string') entries.push([`args.${key}`, value]);
  const plain = entries.filter(([, value]) => ['string', 'number', 'boolean'].includes(typeof value));
  return Object.fromEntries(plain.map(([key, value]) => [key, String(value)]));
}

function damaged(name: string, what: string): UserError {
  return new UserError(`Cannot read ${name}: ${what}. It is damaged, or newer than what is known here.`);
}

function cutShort(name: string, what: string): UserError {
  return new UserError(`Cannot read ${name}: ${what}. It was cut short: copy or download it again.`);
}
