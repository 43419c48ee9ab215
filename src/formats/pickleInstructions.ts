import { latin1, type PickleMachine } from './pickleMachine';

const HIGHEST_PROTOCOL = 5;

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
function unquoted(machine: PickleMachine, line: string): string {
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
function unescaped(machine: PickleMachine, line: string): string {
  return line.replace(/\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))/g, (_, short?: string, long?: string) => {
    const code = parseInt(short ?? long ?? '', 16);
    if (code > 0x10ffff) throw machine.damaged('a string has a character that does not exist');
    return String.fromCodePoint(code);
  });
}

/** Python's old codes of classes in a table that each program keeps for itself. */
function extension(size: number): (machine: PickleMachine) => void {
  return (machine) => {
    const [code = 0, ...rest] = machine.take(size);
    const number = rest.reduce((sum, byte, index) => sum + byte * 256 ** (index + 1), code);
    throw machine.refused(
      `it asks for extension ${number} of the Python that wrote it, which may be anything`,
      'Nothing was executed. Save its tensors alone (as safetensors).',
    );
  };
}

function outOfBand(machine: PickleMachine): void {
  throw machine.damaged('it needs buffers that were kept outside of it');
}

export const STOP = 0x2e;

/** Instructions by their codes, named as in Python's pickletools. */
export const OPERATIONS: ReadonlyMap<number, (machine: PickleMachine) => void> = new Map<
  number,
  (machine: PickleMachine) => void
>([
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
