import { UserError } from '../common/userError';
import { BUILD, inWords, PickledGlobal, type PickleOptions } from './pickleValues';

/** The limit of Python's own reader of decimals, whose cost grows with the square of their length. */
const MOST_DIGITS = 4300;
/** What calls may be given, in times of the file's size: each is given what stands in the file, mostly once. */
const MOST_REUSE = 16;

/** The stack machine. Nothing that it holds is larger than the file: every push takes a byte of it. */
export class PickleMachine {
  private readonly view: DataView;
  private readonly stack: unknown[] = [];
  /** Heights of the stack at which something of many parts began. */
  private readonly marks: number[] = [];
  private readonly memo = new Map<number, unknown>();
  /** Where the instruction at hand stands. */
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

  /** The code of the next instruction. */
  next(): number {
    this.begun = this.at;
    return this.u8();
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

/** Text of a character a byte. */
export function latin1(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return text;
}
