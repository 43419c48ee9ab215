import { halfToNumber } from './safetensors';
import { BUILD, inWords, PickledGlobal, type PickleGlobals } from './pickleValues';

/*
 * What Python's own types and numpy's arrays are in a pickle, as inert data.
 */

/** An ordered dict: its entries. The attributes that PyTorch hangs on it say nothing of them. */
class OrderedDict extends Map<unknown, unknown> {
  [BUILD](): void {
    // `_metadata`: versions of PyTorch's layers
  }
}

/** An `argparse.Namespace`, or any object that is nothing but its attributes. */
export class PickledAttributes {
  readonly values = new Map<string, unknown>();

  [BUILD](state: unknown): void {
    const parts = Array.isArray(state) ? (state as unknown[]) : [state]; // (attributes, slots)
    for (const part of parts) {
      if (part === null) continue;
      if (!(part instanceof Map)) throw new Error('its attributes are no dict');
      for (const [name, value] of part as Map<unknown, unknown>) {
        if (typeof name !== 'string') throw new Error('an attribute has no name');
        this.values.set(name, value);
      }
    }
  }
}

/** A numpy array: its elements as bytes, in rows unless `columnMajor`. `dtype` as numpy writes it: `<f4`, `|u1`. */
export interface NumpyArray {
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly columnMajor: boolean;
  readonly bytes: Uint8Array;
}

/** An array while it is read. Of elements that are no plain numbers nothing is kept. */
export class PickledArray implements NumpyArray {
  shape: readonly number[] = [0];
  dtype = '|u1';
  columnMajor = false;
  bytes: Uint8Array = new Uint8Array(0);

  /** @param state (version, shape, dtype, is column-major, bytes) */
  [BUILD](state: unknown): void {
    if (!Array.isArray(state)) throw new Error('its state is no tuple');
    const [, shape, dtype, columnMajor, data] = state as unknown[];
    this.fill(shape, dtype, columnMajor === true, data);
  }

  fill(shape: unknown, dtype: unknown, columnMajor: boolean, data: unknown): this {
    if (!isShape(shape)) throw new Error('its shape is none');
    if (!(dtype instanceof PickledDType)) throw new Error('it has no dtype');
    if (!dtype.isNumber) {
      this.dtype = dtype.name;
      return this;
    }
    const bytes = bytesOf(data);
    const wanted = shape.reduce((product, size) => product * size, dtype.itemBytes);
    if (bytes.length !== wanted) throw new Error(`it needs ${wanted} bytes and has ${bytes.length}`);
    this.shape = shape;
    this.dtype = dtype.name;
    this.columnMajor = columnMajor;
    this.bytes = bytes;
    return this;
  }
}

/** A numpy dtype. Of those that are no plain numbers (texts, dates, objects) no element is read. */
class PickledDType {
  private order = '|';
  private readonly code: string;

  constructor(code: unknown) {
    if (typeof code !== 'string' || !/^([?]|[biufcSUVOMm]\d*)$/.test(code))
      throw new Error(`its elements are ${inWords(code)}`);
    this.code = code === '?' ? 'b1' : code;
  }

  get isNumber(): boolean {
    return /^[biuf][1248]$/.test(this.code);
  }

  get itemBytes(): number {
    return Number(this.code[1]);
  }

  get name(): string {
    return `${this.itemBytes === 1 ? '|' : this.order}${this.code}`;
  }

  /** @param state (version, byte order, …) */
  [BUILD](state: unknown): void {
    const order: unknown = Array.isArray(state) ? state[1] : undefined;
    if (order !== '<' && order !== '>' && order !== '|') throw new Error('its order of bytes is unknown');
    this.order = order;
  }
}

function isShape(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

/** Bytes, or the `str` of Python 2. */
function bytesOf(data: unknown): Uint8Array {
  if (data instanceof Uint8Array) return data;
  if (typeof data !== 'string') throw new Error('it has no bytes');
  const bytes = new Uint8Array(data.length);
  for (let at = 0; at < data.length; at++) {
    const code = data.charCodeAt(at);
    if (code > 255) throw new Error('it has text where bytes should be');
    bytes[at] = code;
  }
  return bytes;
}

/** A number of numpy's, as a number: JavaScript knows one kind only. What is none stays inert. */
function scalar(dtype: unknown, data: unknown): unknown {
  if (!(dtype instanceof PickledDType)) throw new Error('it has no dtype');
  if (!dtype.isNumber) return new PickledAttributes();
  const bytes = bytesOf(data);
  if (bytes.length !== dtype.itemBytes) throw new Error(`it needs ${dtype.itemBytes} bytes and has ${bytes.length}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const little = !dtype.name.startsWith('>');
  const kind = dtype.name.slice(1);
  switch (kind) {
    case 'b1':
      return view.getUint8(0) !== 0;
    case 'i1':
      return view.getInt8(0);
    case 'u1':
      return view.getUint8(0);
    case 'i2':
      return view.getInt16(0, little);
    case 'u2':
      return view.getUint16(0, little);
    case 'i4':
      return view.getInt32(0, little);
    case 'u4':
      return view.getUint32(0, little);
    case 'i8':
      return Number(view.getBigInt64(0, little));
    case 'u8':
      return Number(view.getBigUint64(0, little));
    case 'f2':
      return halfToNumber(view.getUint16(0, little));
    case 'f4':
      return view.getFloat32(0, little);
    case 'f8':
      return view.getFloat64(0, little);
    default:
      throw new Error(`a single ${kind} is not known here`);
  }
}

/** @param data text whose characters are bytes, as Python 3 writes bytes for Python 2 */
function encode(data: unknown, encoding: unknown): Uint8Array {
  if (encoding !== 'latin1') throw new Error('it is encoded in another way than latin1');
  return bytesOf(data);
}

function orderedDict(entries: unknown = []): OrderedDict {
  const dict = new OrderedDict();
  if (entries instanceof Map) for (const [key, value] of entries as Map<unknown, unknown>) dict.set(key, value);
  else if (Array.isArray(entries)) {
    for (const entry of entries as unknown[]) {
      if (!Array.isArray(entry) || entry.length !== 2) throw new Error('its entries are no pairs');
      dict.set(entry[0], entry[1]);
    }
  } else throw new Error('its entries are no list');
  return dict;
}

function setOf(items: unknown = []): Set<unknown> {
  if (!Array.isArray(items)) throw new Error('its items are no list');
  return new Set(items as unknown[]);
}

function byteArray(data: unknown = '', encoding: unknown = 'latin1'): Uint8Array {
  return typeof data === 'string' ? encode(data, encoding) : bytesOf(data);
}

/** How protocols 0 and 1 write an object: (its class, the class that it is built on, what that is made of). */
function reconstructor(type: unknown): unknown {
  if (!(type instanceof PickledGlobal)) throw new Error('it is of no class');
  return type.make();
}

function neverCalled(): never {
  throw new Error('it is not called in plain data');
}

const attributes = (): PickledAttributes => new PickledAttributes();

/** A list of another kind. */
const listOf = (items: unknown = []): unknown => items;
/** A dict of another kind, with attributes or without. Entries follow; what it was made with says nothing of them. */
const dictOf = (): OrderedDict => new OrderedDict();

/** What programs keep beside numbers, of which nothing is wanted. */
const INERT = [
  ...['__builtin__', 'builtins'].flatMap((module) =>
    ['complex', 'slice', 'range', 'xrange'].map((name) => `${module}.${name}`),
  ),
  ...['datetime.datetime', 'datetime.date', 'datetime.time', 'datetime.timedelta', 'datetime.timezone'],
  ...['decimal.Decimal', 'fractions.Fraction', 'uuid.UUID', 'torch.torch_version.TorchVersion'],
  ...['omegaconf.dictconfig.DictConfig', 'omegaconf.listconfig.ListConfig', 'omegaconf.base.ContainerMetadata'],
  ...['omegaconf.base.Metadata', 'ml_collections.config_dict.config_dict.ConfigDict'],
  ...['AnyNode', 'StringNode', 'IntegerNode', 'FloatNode', 'BooleanNode'].map((name) => `omegaconf.nodes.${name}`),
];
/** Dicts of other classes: those that configurations are kept in, mostly. */
const DICTS = [
  ...['collections.defaultdict', 'collections.Counter', 'yacs.config.CfgNode', 'fvcore.common.config.CfgNode'],
  ...['easydict.EasyDict', 'addict.addict.Dict', 'lightning.fabric.utilities.data.AttributeDict'],
  ...['lightning_fabric.utilities.data.AttributeDict', 'pytorch_lightning.utilities.parsing.AttributeDict'],
];
/** Types that stand as values. */
const TYPES = ['dict', 'list', 'tuple', 'int', 'long', 'float', 'bool', 'str', 'unicode', 'type'];

/** Python's own types, and those of libraries that are nothing more. Both of Python's names where 2 and 3 differ. */
export const PYTHON_GLOBALS: PickleGlobals = {
  ...Object.fromEntries(INERT.map((name) => [name, attributes])),
  ...Object.fromEntries(DICTS.map((name) => [name, dictOf])),
  ...Object.fromEntries(
    ['__builtin__', 'builtins'].flatMap((module) => TYPES.map((name) => [`${module}.${name}`, neverCalled])),
  ),
  'collections.deque': listOf,
  'typing.Any': neverCalled,
  'collections.OrderedDict': orderedDict,
  'argparse.Namespace': attributes,
  'types.SimpleNamespace': attributes,
  'copy_reg._reconstructor': reconstructor,
  'copyreg._reconstructor': reconstructor,
  '__builtin__.object': neverCalled,
  'builtins.object': neverCalled,
  '__builtin__.set': setOf,
  'builtins.set': setOf,
  '__builtin__.frozenset': setOf,
  'builtins.frozenset': setOf,
  '__builtin__.bytearray': byteArray,
  'builtins.bytearray': byteArray,
  '__builtin__.bytes': byteArray,
  'builtins.bytes': byteArray,
  '_codecs.encode': encode,
};

/** Numpy's arrays of plain numbers (NumpyArray) and single numbers. */
export const NUMPY_GLOBALS: PickleGlobals = Object.fromEntries(
  ['numpy.core', 'numpy._core']
    .flatMap((core): [string, (...args: unknown[]) => unknown][] => [
      [`${core}.multiarray._reconstruct`, () => new PickledArray()],
      [`${core}.multiarray.scalar`, scalar],
      [
        `${core}.numeric._frombuffer`, // protocol 5
        (data, dtype, shape, order) => new PickledArray().fill(shape, dtype, order === 'F', data),
      ],
    ])
    .concat([
      ['numpy.ndarray', neverCalled],
      ['numpy.dtype', (code) => new PickledDType(code)],
    ]),
);
