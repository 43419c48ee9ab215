import { UserError } from '../common/userError';

/*
 * Python's pickles, protocols 0 to 5, read without executing anything. A pickle is a program for a small stack machine
 * that may name any function of Python's and call it. Here a name means something only where the caller says what
 * inert data it stands for; any other name is refused.
 *
 * Read as: None → null; bool, float → themselves; int → number, or bigint beyond ±(2⁵³ − 1); str → string; bytes and
 * bytearray → Uint8Array (a view into the file); list and tuple → array; dict → Map; set → Set; a class or function that
 * is not called → PickledGlobal. The `str` of Python 2, which is bytes that mostly are text → a string of one character
 * a byte (latin 1): nothing is lost, whatever it was. A structure may hold itself, and one thing in many places: go
 * through it with care.
 */

/** What a pickle may name, as `module.name`, and what calling it gives. Whatever these throw becomes a UserError. */
export type PickleGlobals = Readonly<Record<string, (...args: unknown[]) => unknown>>;

export interface PickleOptions {
  readonly globals: PickleGlobals;
  /** What an identifier of something outside the pickle stands for. Without, there may be none. */
  readonly persistent?: (id: unknown) => unknown;
}

/** A class or function that a pickle names: it comes as an argument, or where the pickle holds it as a value. */
export class PickledGlobal {
  constructor(
    readonly name: string,
    readonly make: (...args: unknown[]) => unknown,
  ) {}
}

/** The method by which something that a global made takes the state that follows in the pickle. Without, it may have none. */
export const BUILD = Symbol('build');

/** The limit of Python's own reader of decimals, whose cost grows with the square of their length. */
const MOST_DIGITS = 4300;
const HIGHEST_PROTOCOL = 5;
/** What calls may be given, in times of the file's size: each is given what stands in the file, mostly once. */
const MOST_REUSE = 16;

/**
 * Reads a pickle.
 *
 * @param source what messages call the file
 * @throws UserError that names the file, the byte and what is wrong there, as the global that may not be named
 */
export function readPickle(bytes: Uint8Array, source: string, options: PickleOptions): unknown {
  const { value, end } = readPickleAt(bytes, 0, source, options);
  if (end < bytes.length) {
    throw new UserError(
      `Cannot read ${source}: ${bytes.length - end} bytes follow the end of its pickle, at byte ${end}. It is damaged.`,
    );
  }
  return value;
}

/** Reads the pickle that begins at `start`, and tells where it ends. @throws UserError as `readPickle` */
export function readPickleAt(
  bytes: Uint8Array,
  start: number,
  source: string,
  options: PickleOptions,
): { readonly value: unknown; readonly end: number } {
  const machine = new Machine(bytes, start, source, options);
  return { value: machine.run(), end: machine.position };
}

/** The stack machine. Nothing that it holds is larger than the file: every push takes a byte of it. */
class Machine {
  private readonly view: DataView;
  private readonly stack: unknown[] = [];
  /** Heights of the stack at which something of many parts began. */
  private readonly marks: number[] = [];
  private readonly memo = new Map<number, unknown>();
  private begun: number;
  private given = 0;

  constructor(
    private readonly bytes: Uint8Array,
    private at: number,
    private readonly source: string,
    private readonly options: PickleOptions,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.begun = at;
  }

  get position(): number {
    return this.at;
  }

  run(): unknown {
    for (;;) {
      this.begun = this.at;
      const code = this.u8();
      if (code === STOP) return this.pop();
      const operation = OPERATIONS.get(code);
      if (!operation) throw this.damaged(`0x${code.toString(16).padStart(2, '0')} is no instruction of a pickle`);
      operation(this);
    }
  }

  /** @param what without a full stop */
  refused(what: string, advice: string): UserError {
    return new UserError(`Cannot read ${this.source}: at byte ${this.begun}, ${what}. ${advice}`);
  }

  damaged(what: string): UserError {
    return this.refused(what, 'It is damaged or no pickle.');
  }

  // What follows in the file.

  /** @throws UserError where the file has fewer bytes left */
  need(count: number): void {
    const left = this.bytes.length - this.at;
    if (count > left) {
      throw this.refused(
        `${count} bytes should follow, and ${left} are there`,
        'It was cut short: copy or download it again.',
      );
    }
  }

  take(count: number): Uint8Array {
    this.need(count);
    this.at += count;
    return this.bytes.subarray(this.at - count, this.at);
  }

  private number(size: number, read: (at: number) => number): number {
    this.need(size);
    this.at += size;
    return read(this.at - size);
  }

  u8 = (): number => this.number(1, (at) => this.view.getUint8(at));
  u16 = (): number => this.number(2, (at) => this.view.getUint16(at, true));
  u32 = (): number => this.number(4, (at) => this.view.getUint32(at, true));
  i32 = (): number => this.number(4, (at) => this.view.getInt32(at, true));
  f64 = (): number => this.number(8, (at) => this.view.getFloat64(at)); // big-endian, as Python writes it
  /** A length: beyond 2⁵³ it is not exact, and longer than any file. */
  u64 = (): number => this.number(8, (at) => Number(this.view.getBigUint64(at, true)));

  /** A length of Python's signed kind. */
  length = (): number => {
    const length = this.i32();
    if (length < 0) throw this.damaged(`a length is ${length}`);
    return length;
  };

  /** Text up to the end of the line, a character a byte. */
  line(): string {
    const end = this.bytes.indexOf(0x0a, this.at);
    if (end < 0) throw this.refused('a line does not end', 'It was cut short: copy or download it again.');
    const line = latin1(this.bytes.subarray(this.at, end));
    this.at = end + 1;
    return line;
  }

  utf8(length: number): string {
    const bytes = this.take(length);
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      throw this.damaged('a string is not UTF-8');
    }
  }

  // The stack.

  push(value: unknown): void {
    this.stack.push(value);
  }

  private assertHeight(count: number): void {
    if (this.stack.length - (this.marks.at(-1) ?? 0) < count)
      throw this.damaged('an instruction needs more than there is on the stack');
  }

  pop(): unknown {
    this.assertHeight(1);
    return this.stack.pop();
  }

  top(): unknown {
    this.assertHeight(1);
    return this.stack.at(-1);
  }

  popMany(count: number): unknown[] {
    this.assertHeight(count);
    return this.stack.splice(this.stack.length - count, count);
  }

  mark(): void {
    this.marks.push(this.stack.length);
  }

  /** What came since the last mark, which is taken away. */
  popMarked(): unknown[] {
    const height = this.marks.pop();
    if (height === undefined) throw this.damaged('an instruction needs a mark, and there is none');
    return this.stack.splice(height);
  }

  /** Takes away the top, or the mark if that is what is on top. */
  discard(): void {
    if (this.marks.at(-1) === this.stack.length) this.marks.pop();
    else this.pop();
  }

  // What was read before.

  remember(index: number): void {
    this.memo.set(index, this.top());
  }

  rememberNext(): void {
    this.remember(this.memo.size);
  }

  recall(index: number): void {
    if (!this.memo.has(index)) throw this.damaged(`entry ${index} of the memo was never set`);
    this.push(this.memo.get(index));
  }

  /** An index as a line of text. */
  index(): number {
    const line = this.line();
    if (!/^\d{1,10}$/.test(line)) throw this.damaged(`${inWords(line)} is no index of the memo`);
    return Number(line);
  }

  // What is not plain data.

  /** @throws UserError unless the caller knows it */
  global(module: unknown, name: unknown): PickledGlobal {
    if (typeof module !== 'string' || typeof name !== 'string')
      throw this.damaged('a global is named by something else than two strings');
    const full = `${module}.${name}`;
    const make = Object.hasOwn(this.options.globals, full) ? this.options.globals[full] : undefined;
    if (!make) {
      throw this.refused(
        `it asks for Python's ${JSON.stringify(full.slice(0, 200)).slice(1, -1)}, which is not plain data of the kind expected here`,
        'Nothing was executed. Get the file from a source that you trust, or save its tensors alone (as safetensors).',
      );
    }
    return new PickledGlobal(full, make);
  }

  call(target: unknown, args: unknown): unknown {
    if (!(target instanceof PickledGlobal))
      throw this.damaged('something is called that is neither a class nor a function');
    if (!Array.isArray(args)) throw this.damaged(`${target.name} is called with something else than a tuple`);
    const values: readonly unknown[] = args;
    this.given += values.reduce<number>((sum, value) => sum + extent(value), values.length);
    if (this.given > MOST_REUSE * this.bytes.length + 65536) throw this.damaged('the same data is used over and over');
    return this.guard(target.name, () => target.make(...values));
  }

  /** Gives what a global has made its state. */
  build(target: unknown, state: unknown): void {
    const build: unknown =
      typeof target === 'object' && target !== null ? (target as { [BUILD]?: unknown })[BUILD] : undefined;
    if (typeof build !== 'function') throw this.damaged('a state is given to what takes none');
    this.given += extent(state);
    this.guard('a state', () => (build as (state: unknown) => void).call(target, state));
  }

  outside(id: unknown): unknown {
    const { persistent } = this.options;
    if (!persistent) throw this.damaged('it refers to something outside');
    return this.guard('a reference to something outside', () => persistent(id));
  }

  private guard<T>(what: string, act: () => T): T {
    try {
      return act();
    } catch (error) {
      if (error instanceof UserError) throw error;
      throw this.damaged(`${what} cannot be read (${error instanceof Error ? error.message : String(error)})`);
    }
  }

  // What has parts.

  append(items: readonly unknown[]): void {
    const list = this.top();
    if (!Array.isArray(list)) throw this.damaged('items are appended to what is no list');
    for (const item of items) list.push(item);
  }

  setItems(items: readonly unknown[]): void {
    const map = this.top();
    if (!(map instanceof Map)) throw this.damaged('entries are set in what is no dict');
    this.fill(map, items);
  }

  fill(map: Map<unknown, unknown>, items: readonly unknown[]): Map<unknown, unknown> {
    if (items.length % 2 !== 0) throw this.damaged('a key has no value');
    this.guard('a dict', () => {
      for (let index = 0; index < items.length; index += 2) map.set(items[index], items[index + 1]);
    });
    return map;
  }

  addItems(items: readonly unknown[]): void {
    const set = this.top();
    if (!(set instanceof Set)) throw this.damaged('items are added to what is no set');
    this.guard('a set', () => {
      for (const item of items) set.add(item);
    });
  }

  // Numbers as text, and long ones.

  decimal(line: string): number | bigint {
    if (!/^\s*[+-]?\d+\s*$/.test(line) || line.length > MOST_DIGITS)
      throw this.damaged(`${inWords(line)} is no whole number`);
    return narrowest(BigInt(line.trim().replace(/^\+/, '')));
  }

  float(line: string): number {
    const text = line.trim();
    const special = /^([+-]?)(inf(?:inity)?|nan)$/i.exec(text);
    if (special) return special[2]?.toLowerCase() === 'nan' ? NaN : special[1] === '-' ? -Infinity : Infinity;
    if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text))
      throw this.damaged(`${JSON.stringify(text.slice(0, 40))} is no number`);
    return Number(text);
  }

  /** Two's complement, the lowest byte first. */
  long(length: number): number | bigint {
    const bytes = this.take(length);
    if (length > MOST_DIGITS) throw this.damaged(`a whole number has ${length} bytes`);
    if (length === 0) return 0;
    let digits = '';
    for (const byte of bytes) digits = byte.toString(16).padStart(2, '0') + digits;
    return narrowest(BigInt.asIntN(8 * length, BigInt(`0x${digits}`)));
  }
}

/** A value in a message. What has parts is only named: they may repeat without end. */
export function inWords(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 60));
  if (typeof value === 'object' && value !== null)
    return Array.isArray(value) ? 'a list' : `a ${value.constructor.name}`;
  return String(value);
}

/** How much there is to be gone through in a value, its parts not. */
function extent(value: unknown): number {
  if (typeof value === 'string' || Array.isArray(value)) return value.length;
  if (value instanceof Uint8Array) return value.length;
  return value instanceof Map || value instanceof Set ? value.size : 1;
}

function narrowest(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

function latin1(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return text;
}

const SIMPLE_ESCAPES: ReadonlyMap<string, string> = new Map([
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
  ['a', '\x07'],
  ['b', '\b'],
  ['f', '\f'],
  ['v', '\v'],
  ['\\', '\\'],
  ["'", "'"],
  ['"', '"'],
]);

/** The `repr` of a Python 2 string. */
function unquoted(machine: Machine, line: string): string {
  const text = line.trim();
  const [quote] = text;
  if (text.length < 2 || (quote !== "'" && quote !== '"') || !text.endsWith(quote))
    throw machine.damaged('a string is not in quotes');
  return text.slice(1, -1).replace(/\\(x[0-9a-fA-F]{2}|[0-7]{1,3}|[^])/g, (whole, code: string) => {
    if (code.length === 3 && code.startsWith('x')) return String.fromCharCode(parseInt(code.slice(1), 16));
    if (/^[0-7]/.test(code)) return String.fromCharCode(parseInt(code, 8) & 255);
    return SIMPLE_ESCAPES.get(code) ?? whole;
  });
}

/** Python's raw-unicode-escape: a character a byte, others as \uXXXX or \UXXXXXXXX. */
function unescaped(machine: Machine, line: string): string {
  return line.replace(/\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))/g, (_, short?: string, long?: string) => {
    const code = parseInt(short ?? long ?? '', 16);
    if (code > 0x10ffff) throw machine.damaged('a string has a character that does not exist');
    return String.fromCodePoint(code);
  });
}

/** Python's old codes of classes in a table that each program keeps for itself. */
function extension(size: number): (machine: Machine) => void {
  return (machine) => {
    const [code = 0, ...rest] = machine.take(size);
    const number = rest.reduce((sum, byte, index) => sum + byte * 256 ** (index + 1), code);
    throw machine.refused(
      `it asks for extension ${number} of the Python that wrote it, which may be anything`,
      'Nothing was executed. Save its tensors alone (as safetensors).',
    );
  };
}

function outOfBand(machine: Machine): void {
  throw machine.damaged('it needs buffers that were kept outside of it');
}

const STOP = 0x2e;

/** Instructions by their codes, named as in Python's pickletools. */
const OPERATIONS: ReadonlyMap<number, (machine: Machine) => void> = new Map<number, (machine: Machine) => void>([
  // The machine itself.
  [
    0x80, // PROTO
    (m) => {
      const protocol = m.u8();
      if (protocol > HIGHEST_PROTOCOL)
        throw m.damaged(`it is of protocol ${protocol}, and ${HIGHEST_PROTOCOL} is the highest known`);
    },
  ],
  [
    0x95, // FRAME: how much to read at once. All is here.
    (m) => {
      m.need(m.u64());
    },
  ],
  [0x28, (m) => m.mark()], // MARK
  [0x30, (m) => m.discard()], // POP
  [0x31, (m) => void m.popMarked()], // POP_MARK
  [0x32, (m) => m.push(m.top())], // DUP
  [0x70, (m) => m.remember(m.index())], // PUT
  [0x71, (m) => m.remember(m.u8())], // BINPUT
  [0x72, (m) => m.remember(m.u32())], // LONG_BINPUT
  [0x94, (m) => m.rememberNext()], // MEMOIZE
  [0x67, (m) => m.recall(m.index())], // GET
  [0x68, (m) => m.recall(m.u8())], // BINGET
  [0x6a, (m) => m.recall(m.u32())], // LONG_BINGET

  // Plain values.
  [0x4e, (m) => m.push(null)], // NONE
  [0x88, (m) => m.push(true)], // NEWTRUE
  [0x89, (m) => m.push(false)], // NEWFALSE
  [
    0x49, // INT, which Python 2.3 also wrote truth values as
    (m) => {
      const line = m.line();
      m.push(line === '00' ? false : line === '01' ? true : m.decimal(line));
    },
  ],
  [0x4a, (m) => m.push(m.i32())], // BININT
  [0x4b, (m) => m.push(m.u8())], // BININT1
  [0x4d, (m) => m.push(m.u16())], // BININT2
  [0x4c, (m) => m.push(m.decimal(m.line().replace(/L$/, '')))], // LONG
  [0x8a, (m) => m.push(m.long(m.u8()))], // LONG1
  [0x8b, (m) => m.push(m.long(m.length()))], // LONG4
  [0x46, (m) => m.push(m.float(m.line()))], // FLOAT
  [0x47, (m) => m.push(m.f64())], // BINFLOAT
  [0x53, (m) => m.push(unquoted(m, m.line()))], // STRING
  [0x54, (m) => m.push(latin1(m.take(m.length())))], // BINSTRING
  [0x55, (m) => m.push(latin1(m.take(m.u8())))], // SHORT_BINSTRING
  [0x56, (m) => m.push(unescaped(m, m.line()))], // UNICODE
  [0x58, (m) => m.push(m.utf8(m.u32()))], // BINUNICODE
  [0x8c, (m) => m.push(m.utf8(m.u8()))], // SHORT_BINUNICODE
  [0x8d, (m) => m.push(m.utf8(m.u64()))], // BINUNICODE8
  [0x42, (m) => m.push(m.take(m.u32()))], // BINBYTES
  [0x43, (m) => m.push(m.take(m.u8()))], // SHORT_BINBYTES
  [0x8e, (m) => m.push(m.take(m.u64()))], // BINBYTES8
  [0x96, (m) => m.push(m.take(m.u64()))], // BYTEARRAY8

  // What has parts.
  [0x29, (m) => m.push([])], // EMPTY_TUPLE
  [0x85, (m) => m.push(m.popMany(1))], // TUPLE1
  [0x86, (m) => m.push(m.popMany(2))], // TUPLE2
  [0x87, (m) => m.push(m.popMany(3))], // TUPLE3
  [0x74, (m) => m.push(m.popMarked())], // TUPLE
  [0x5d, (m) => m.push([])], // EMPTY_LIST
  [0x6c, (m) => m.push(m.popMarked())], // LIST
  [0x61, (m) => m.append([m.pop()])], // APPEND
  [0x65, (m) => m.append(m.popMarked())], // APPENDS
  [0x7d, (m) => m.push(new Map())], // EMPTY_DICT
  [0x64, (m) => m.push(m.fill(new Map(), m.popMarked()))], // DICT
  [0x73, (m) => m.setItems(m.popMany(2))], // SETITEM
  [0x75, (m) => m.setItems(m.popMarked())], // SETITEMS
  [0x8f, (m) => m.push(new Set())], // EMPTY_SET
  [0x90, (m) => m.addItems(m.popMarked())], // ADDITEMS
  [0x91, (m) => m.push(new Set(m.popMarked()))], // FROZENSET

  // What is not plain.
  [0x63, (m) => m.push(m.global(m.line(), m.line()))], // GLOBAL
  [
    0x93, // STACK_GLOBAL
    (m) => {
      const [module, name] = m.popMany(2);
      m.push(m.global(module, name));
    },
  ],
  [
    0x69, // INST
    (m) => {
      const target = m.global(m.line(), m.line());
      m.push(m.call(target, m.popMarked()));
    },
  ],
  [
    0x6f, // OBJ
    (m) => {
      const [target, ...args] = m.popMarked();
      m.push(m.call(target, args));
    },
  ],
  [
    0x52, // REDUCE
    (m) => {
      const [target, args] = m.popMany(2);
      m.push(m.call(target, args));
    },
  ],
  [
    0x81, // NEWOBJ
    (m) => {
      const [target, args] = m.popMany(2);
      m.push(m.call(target, args));
    },
  ],
  [
    0x92, // NEWOBJ_EX
    (m) => {
      const [target, args, named] = m.popMany(3);
      if (!(named instanceof Map) || named.size > 0)
        throw m.damaged('something is made with named arguments, which nothing known here has');
      m.push(m.call(target, args));
    },
  ],
  [
    0x62, // BUILD
    (m) => {
      const state = m.pop();
      m.build(m.top(), state);
    },
  ],
  [0x50, (m) => m.push(m.outside(m.line()))], // PERSID
  [0x51, (m) => m.push(m.outside(m.pop()))], // BINPERSID
  [0x82, extension(1)], // EXT1
  [0x83, extension(2)], // EXT2
  [0x84, extension(4)], // EXT4
  [0x97, outOfBand], // NEXT_BUFFER
  [0x98, outOfBand], // READONLY_BUFFER
]);
