/*
 * Pickles of protocol 2 as Python 2 and numpy wrote those of CIFAR, for tests: texts and bytes are its `str` (U and T), an
 * array is `_reconstruct(ndarray, (0,), 'b')` with its state behind it.
 */

const text = (value: string): number[] => [...new TextEncoder().encode(value)];
const u32 = (value: number): number[] => [value & 255, (value >> 8) & 255, (value >> 16) & 255, (value >>> 24) & 255];
const str = (value: string | Uint8Array): number[] => {
  const bytes = typeof value === 'string' ? text(value) : [...value];
  return bytes.length < 256 ? [0x55, bytes.length, ...bytes] : [0x54, ...u32(bytes.length), ...bytes];
};
const int = (value: number): number[] => [0x4a, ...u32(value)];
const tuple = (...items: number[][]): number[] => [0x28, ...items.flat(), 0x74];
const list = (items: number[][]): number[] => [0x5d, 0x28, ...items.flat(), 0x65];
const dict = (entries: Readonly<Record<string, number[]>>): number[] => [
  0x7d,
  0x28,
  ...Object.entries(entries).flatMap(([key, value]) => [...str(key), ...value]),
  0x75,
];
export const global = (module: string, name: string): number[] => [0x63, ...text(`${module}\n${name}\n`)];
const REDUCE = 0x52;
const BUILD = 0x62;
const NONE = [0x4e];

const pickle = (value: number[]): Uint8Array => Uint8Array.of(0x80, 2, ...value, 0x2e);

export function array(
  shape: readonly number[],
  bytes: Uint8Array,
  { type = 'u1', fortran = false, order = '|' } = {},
): number[] {
  const dtype = [
    ...global('numpy', 'dtype'),
    ...tuple(str(type), int(0), int(1)),
    REDUCE,
    ...tuple(int(3), str(order), NONE, NONE, NONE, int(-1), int(-1), int(0)),
    BUILD,
  ];
  const state = tuple(int(1), tuple(...shape.map(int)), dtype, [fortran ? 0x88 : 0x89], str(bytes));
  const begin = [
    ...global('numpy.core.multiarray', '_reconstruct'),
    ...tuple(global('numpy', 'ndarray'), tuple(int(0)), str('b')),
    REDUCE,
  ];
  return [...begin, ...state, BUILD];
}

/** A batch with some lists of labels, and its images one behind the other. */
export function pickledBatch(
  labels: Readonly<Record<string, readonly number[]>>,
  images: Uint8Array,
  data: number[] = array([images.length / 3072, 3072], images),
  also: Readonly<Record<string, number[]>> = {},
): Uint8Array {
  const lists = Object.fromEntries(Object.entries(labels).map(([name, values]) => [name, list(values.map(int))]));
  return pickle(
    dict({ batch_label: str('training batch'), ...lists, ...also, data, filenames: list([str('a_s_1.png')]) }),
  );
}

/** The file that names `count` classes: class0, class1, … */
export function pickledNames(entry: string, count: number): Uint8Array {
  const names = Array.from({ length: count }, (_, index) => str(`class${index}`));
  return pickle(dict({ num_vis: int(3072), [entry]: list(names) }));
}
