import { describe, expect, it } from 'vitest';
import { readPickle, readPickleAt } from './pickle';
import { PickledGlobal } from './pickleValues';
import { NUMPY_GLOBALS, PickledAttributes, PYTHON_GLOBALS, type NumpyArray } from './pickleGlobals';
import { UserError } from '../common/userError';

/** Bytes from text, a character a byte, and numbers. */
const bytes = (...parts: (string | number)[]): Uint8Array =>
  Uint8Array.from(
    parts.flatMap((part) => (typeof part === 'string' ? Array.from(part, (char) => char.charCodeAt(0)) : [part])),
  );

const GLOBALS = { ...PYTHON_GLOBALS, ...NUMPY_GLOBALS };
const read = (...parts: (string | number)[]): unknown => readPickle(bytes(...parts), 'x.pkl', { globals: GLOBALS });

describe('plain values', () => {
  it.each<[string, (string | number)[], unknown]>([
    ['NONE', ['N.'], null],
    ['NEWTRUE', [0x88, '.'], true],
    ['NEWFALSE', [0x89, '.'], false],
    ['INT', ['I-17\n.'], -17],
    ['INT as a truth value', ['I01\n.'], true],
    ['BININT', ['J', 0xfe, 0xff, 0xff, 0xff, '.'], -2],
    ['BININT1', ['K', 200, '.'], 200],
    ['BININT2', ['M', 1, 2, '.'], 513],
    ['LONG', ['L123L\n.'], 123],
    ['LONG beyond 2⁵³', ['L9007199254740993L\n.'], 9007199254740993n],
    ['LONG1', [0x8a, 2, 0x00, 0xff, '.'], -256],
    ['LONG1 of nothing', [0x8a, 0, '.'], 0],
    ['LONG1 beyond 2⁵³', [0x8a, 9, 0, 0, 0, 0, 0, 0, 0, 0, 1, '.'], 1n << 64n],
    ['LONG4', [0x8b, 1, 0, 0, 0, 0x7f, '.'], 127],
    ['FLOAT', ['F-1.5e3\n.'], -1500],
    ['FLOAT without end', ['F-inf\n.'], -Infinity],
    ['BINFLOAT', ['G', 0x3f, 0xf8, 0, 0, 0, 0, 0, 0, '.'], 1.5],
    ['STRING', ["S'a\\x41\\n\\'\\\\\\101'\n."], "aA\n'\\A"],
    ['BINSTRING', ['T', 2, 0, 0, 0, 'h', 0xe9, '.'], 'hé'],
    ['SHORT_BINSTRING', ['U', 1, 0xff, '.'], 'ÿ'],
    ['UNICODE', ['V\\u20ac\\U0001f600', 0xe9, '\n.'], '€😀é'],
    ['BINUNICODE', ['X', 3, 0, 0, 0, 0xe2, 0x82, 0xac, '.'], '€'],
    ['SHORT_BINUNICODE', [0x8c, 2, 0xc3, 0xa9, '.'], 'é'],
    ['BINUNICODE8', [0x8d, 1, 0, 0, 0, 0, 0, 0, 0, 'a', '.'], 'a'],
    ['BINBYTES', ['B', 2, 0, 0, 0, 7, 8, '.'], Uint8Array.of(7, 8)],
    ['SHORT_BINBYTES', ['C', 1, 9, '.'], Uint8Array.of(9)],
    ['BINBYTES8', [0x8e, 1, 0, 0, 0, 0, 0, 0, 0, 9, '.'], Uint8Array.of(9)],
    ['BYTEARRAY8', [0x96, 1, 0, 0, 0, 0, 0, 0, 0, 9, '.'], Uint8Array.of(9)],
    ['PROTO and FRAME', [0x80, 5, 0x95, 2, 0, 0, 0, 0, 0, 0, 0, 'N.'], null],
  ])('%s', (_, parts, value) => {
    expect(read(...parts)).toStrictEqual(value);
  });
});

describe('what has parts', () => {
  it.each<[string, (string | number)[], unknown]>([
    ['EMPTY_TUPLE', [').'], []],
    ['TUPLE1, TUPLE2, TUPLE3', ['K', 1, 0x85, 'K', 2, 0x86, 'NN', 0x87, '.'], [[[1], 2], null, null]],
    ['TUPLE of a mark', ['(K', 1, 'K', 2, 't.'], [1, 2]],
    ['LIST of a mark', ['(K', 1, 'l.'], [1]],
    ['APPEND and APPENDS', [']K', 1, 'a(K', 2, 'K', 3, 'e.'], [1, 2, 3]],
    ['DICT', ['(U', 1, 'a', 'K', 1, 'd.'], new Map([['a', 1]])],
    [
      'SETITEM and SETITEMS',
      ['}K', 1, 'K', 2, 's(K', 3, 'K', 4, 'u.'],
      new Map([
        [1, 2],
        [3, 4],
      ]),
    ],
    ['EMPTY_SET and ADDITEMS', [0x8f, '(K', 1, 'K', 1, 0x90, '.'], new Set([1])],
    ['FROZENSET', ['(K', 1, 0x91, '.'], new Set([1])],
    ['POP, POP_MARK and DUP', ['K', 1, 'K', 2, '0(K', 3, '1(02', 0x86, '.'], [1, 1]],
    ['PUT and GET', ['K', 7, 'p0\n0g0\n.'], 7],
    ['BINPUT and BINGET', ['K', 7, 'q', 200, '0h', 200, '.'], 7],
    ['LONG_BINPUT and LONG_BINGET', ['K', 7, 'r', 0, 1, 0, 0, '0j', 0, 1, 0, 0, '.'], 7],
    ['MEMOIZE', ['K', 7, 0x94, 'K', 8, 0x94, 'h', 0, 'h', 1, 0x86, '00h', 1, '.'], 8],
    [
      'a key __proto__',
      ['}U', 9, '__proto__', '}U', 1, 'a', 'K', 1, 'ss.'],
      new Map([['__proto__', new Map([['a', 1]])]]),
    ],
  ])('%s', (_, parts, value) => {
    expect(read(...parts)).toStrictEqual(value);
    expect(({} as Record<string, unknown>)['a']).toBeUndefined();
  });

  it('a list that holds itself', () => {
    const list = read(']q', 0, 'h', 0, 'a.') as unknown[];
    expect(list[0]).toBe(list);
  });

  it('bytes are a view into the file', () => {
    const file = bytes('C', 2, 5, 6, '.');
    expect((readPickle(file, 'x', { globals: {} }) as Uint8Array).buffer).toBe(file.buffer);
  });

  it('one pickle behind another', () => {
    const file = bytes('K', 1, '.K', 2, '.');
    const first = readPickleAt(file, 0, 'x', { globals: {} });
    expect(first).toEqual({ value: 1, end: 3 });
    expect(readPickleAt(file, first.end, 'x', { globals: {} })).toEqual({ value: 2, end: 6 });
  });
});

describe('what the caller knows', () => {
  const globals = { 'a.B': (...args: unknown[]) => ({ made: args }) };
  const readThis = (...parts: (string | number)[]): unknown =>
    readPickle(bytes(...parts), 'x.pkl', { globals, persistent: (id) => ['outside', id] });

  it.each<[string, (string | number)[]]>([
    ['REDUCE of GLOBAL', ['ca\nB\nK', 1, 0x85, 'R.']],
    ['NEWOBJ of STACK_GLOBAL', ['U', 1, 'a', 'U', 1, 'B', 0x93, 'K', 1, 0x85, 0x81, '.']],
    ['NEWOBJ_EX', ['ca\nB\nK', 1, 0x85, '}', 0x92, '.']],
    ['INST', ['(K', 1, 'ia\nB\n.']],
    ['OBJ', ['(ca\nB\nK', 1, 'o.']],
  ])('%s', (_, parts) => {
    expect(readThis(...parts)).toEqual({ made: [1] });
  });

  it('a class that is not called', () => {
    expect(readThis('ca\nB\n.')).toEqual(new PickledGlobal('a.B', globals['a.B']));
  });

  it('PERSID and BINPERSID', () => {
    expect(readThis('Pkey\n.')).toEqual(['outside', 'key']);
    expect(readThis('K', 3, 'Q.')).toEqual(['outside', 3]);
    expect(() => read('K', 3, 'Q.')).toThrow('refers to something outside');
  });

  it('Python’s own types', () => {
    const ordered = (...parts: (string | number)[]): unknown[] => [
      ...(read('ccollections\nOrderedDict\n', ...parts) as Map<unknown, unknown>),
    ];
    expect(ordered(')R(U', 1, 'a', 'K', 1, 'u}U', 9, '_metadata', 'Nsb.')).toEqual([['a', 1]]);
    expect(ordered('(((U', 1, 'a', 'K', 1, 'lltR.')).toEqual([['a', 1]]);
    const namespace = read('cargparse\nNamespace\n)R}U', 9, '__proto__', 'K', 1, 'sb.') as PickledAttributes;
    expect(namespace.values).toEqual(new Map([['__proto__', 1]]));
    expect(Object.getPrototypeOf(namespace)).toBe(PickledAttributes.prototype);
    // Protocol 0: copy_reg._reconstructor(argparse.Namespace, object, None).
    const old = read(
      'ccopy_reg\n_reconstructor\n(cargparse\nNamespace\nc__builtin__\nobject\nNtR(dS',
      "'lr'\nF0.5\nsb.",
    );
    expect((old as PickledAttributes).values).toEqual(new Map([['lr', 0.5]]));
    expect(read('c_codecs\nencode\n(X', 3, 0, 0, 0, 'a', 0xc3, 0xbf, 'U', 6, 'latin1', 'tR.')).toEqual(
      Uint8Array.of(97, 255),
    );
  });

  it('numpy’s arrays, as Python 2 wrote them, and numbers', () => {
    const dtype = [
      'cnumpy\ndtype\n(U',
      2,
      'u1',
      'K',
      0,
      'K',
      1,
      'tR(K',
      3,
      'U',
      1,
      '|NNNJ',
      255,
      255,
      255,
      255,
      'J',
      255,
      255,
      255,
      255,
      'K',
      0,
      'tb',
    ];
    const array = read(
      ...['cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K', 0, 'tU', 1, 'btR'],
      ...['(K', 1, '(K', 2, 'K', 3, 't', ...dtype, 0x89, 'U', 6, 1, 2, 3, 4, 5, 255, 'tb.'],
    ) as NumpyArray;
    expect({ ...array }).toEqual({
      shape: [2, 3],
      dtype: '|u1',
      columnMajor: false,
      bytes: Uint8Array.of(1, 2, 3, 4, 5, 255),
    });
    const f8 = ['cnumpy\ndtype\n(U', 2, 'f8', 'tR(K', 3, 'U', 1, '<tb'];
    expect(read('cnumpy.core.multiarray\nscalar\n(', ...f8, 'C', 8, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f, 'tR.')).toBe(1.5);
  });
});

describe('nothing is executed', () => {
  it.each<[string, (string | number)[], string]>([
    ['GLOBAL', ['cposix\nsystem\n(S', "'true'\ntR."], 'posix.system'],
    ['GLOBAL of builtins', ['c__builtin__\neval\n(S', "'1'\ntR."], '__builtin__.eval'],
    ['STACK_GLOBAL', [0x8c, 8, 'builtins', 0x8c, 4, 'eval', 0x93, '.'], 'builtins.eval'],
    ['INST', ['(S', "'true'\niposix\nsystem\n."], 'posix.system'],
    ['OBJ', ['(cposix\nsystem\nS', "'true'\no."], 'posix.system'],
    ['what objects inherit', ['cconstructor\nconstructor\n.'], 'constructor.constructor'],
  ])('%s is refused by name', (_, parts, name) => {
    expect(() => read(...parts)).toThrow(UserError);
    expect(() => read(...parts)).toThrow(
      new RegExp(`x\\.pkl: at byte \\d+, it asks for Python's ${name}, .* Nothing was executed`),
    );
  });

  it.each(['toString', '__proto__', 'constructor'])('what every object has is not known: %s', (name) => {
    expect(() => readPickle(bytes('c', '\n', name, '\n.'), 'x', { globals: {} })).toThrow(`asks for Python's .${name}`);
    expect(() => readPickle(bytes(`c${name}\n\n.`), 'x', { globals: {} })).toThrow(`asks for Python's ${name}.`);
  });

  it.each<[string, (string | number)[], string]>([
    ['EXT1', [0x82, 5, '.'], 'extension 5 '],
    ['EXT2', [0x83, 1, 1, '.'], 'extension 257 '],
    ['EXT4', [0x84, 0, 0, 0, 128, '.'], 'extension 2147483648 '],
    ['NEXT_BUFFER', [0x97, '.'], 'buffers'],
    ['a call of a string', ['U', 1, 'a', ')R.'], 'neither a class nor a function'],
    ['a call with a dict', ['ccollections\nOrderedDict\n}R.'], 'something else than a tuple'],
    ['named arguments', ['ccollections\nOrderedDict\n)}U', 1, 'a', 'Ns', 0x92, '.'], 'named arguments'],
    ['a state of a list', [']}b.'], 'a state is given to what takes none'],
    ['a state of a class', ['cargparse\nNamespace\n}b.'], 'a state is given to what takes none'],
    ['entries of a namespace', ['cargparse\nNamespace\n)RK', 1, 'K', 2, 's.'], 'no dict'],
    ['an OrderedDict of a number', ['ccollections\nOrderedDict\nK', 1, 0x85, 'R.'], 'its entries are no list'],
    ['a set of a number', ['c__builtin__\nset\nK', 1, 0x85, 'R.'], 'its items are no list'],
    ['an object of a string', ['ccopy_reg\n_reconstructor\n(U', 1, 'a', 'NNtR.'], 'it is of no class'],
    ['an object made directly', ['c__builtin__\nobject\n)R.'], 'it is not called'],
    ['a dtype of no kind', ['cnumpy\ndtype\nU', 2, 'x8', 0x85, 'R.'], 'its elements are "x8"'],
    ['bytes in another encoding', ['c_codecs\nencode\n(U', 1, 'a', 'U', 4, 'zlib', 'tR.'], 'another way than latin1'],
    [
      'an array larger than its bytes',
      [
        'cnumpy.core.multiarray\n_reconstruct\n)R(K',
        1,
        '(J',
        255,
        255,
        255,
        127,
        'J',
        255,
        255,
        255,
        127,
        'tcnumpy\ndtype\nU',
        2,
        'f4',
        0x85,
        'R',
        0x89,
        'U',
        1,
        0,
        'tb.',
      ],
      'it needs 18446744056529682000 bytes and has 1',
    ],
  ])('%s is refused', (_, parts, message) => {
    expect(() => read(...parts)).toThrow(UserError);
    expect(() => read(...parts)).toThrow(message);
  });

  it('a string that a thousand calls copy is refused before it fills the memory', () => {
    const calls = Array.from({ length: 3000 }, () => 'h\x00\x85R').join('');
    const file = bytes(
      'cbuiltins\nbytearray\nq',
      1,
      'T',
      0,
      0,
      4,
      0,
      'a'.repeat(1 << 18),
      'q',
      0,
      '0(',
      calls.replaceAll('h\x00', 'h\x01h\x00'),
      't.',
    );
    expect(() => readPickle(file, 'x', { globals: GLOBALS })).toThrow('used over and over');
  });
});

describe('damage', () => {
  it.each<[string, (string | number)[], RegExp]>([
    ['an unknown instruction', [0xff], /x\.pkl: at byte 0, 0xff is no instruction/],
    ['an unknown protocol', [0x80, 6], /protocol 6/],
    ['an empty stack', ['N00.'], /at byte 2, an instruction needs more/],
    ['nothing at the end', ['.'], /needs more/],
    ['a value under a mark', ['N(0a'], /needs more/],
    ['no mark', ['Nt.'], /needs a mark/],
    ['an unset memo', ['h', 1, '.'], /entry 1 of the memo/],
    ['an index that is none', ['g__proto__\n.'], /"__proto__" is no index/],
    ['a key without value', ['}(Nu.'], /a key has no value/],
    ['items of a number', ['K', 1, 'Na.'], /no list/],
    ['items of what is no set', [']', '(', 0x90, '.'], /no set/],
    ['a number that is none', ['I1x\n.'], /"1x" is no whole number/],
    ['a number of too many digits', [`L${'9'.repeat(5000)}\n.`], /is no whole number/],
    ['a float that is none', ['F1e\n.'], /"1e" is no number/],
    ['a string without quotes', ['Sabc\n.'], /not in quotes/],
    ['a character that does not exist', ['V\\U00110000\n.'], /does not exist/],
    ['a string that is no UTF-8', ['X', 1, 0, 0, 0, 0xff, '.'], /not UTF-8/],
    ['a negative length', ['T', 255, 255, 255, 255, '.'], /a length is -1/],
    [
      'a length beyond the file',
      [0x8e, 255, 255, 255, 255, 255, 255, 255, 127, '.'],
      /9223372036854776000 bytes should follow, and 1 are there.*cut short/,
    ],
    ['a frame beyond the file', [0x95, 9, 0, 0, 0, 0, 0, 0, 0, 'N.'], /9 bytes should follow/],
    ['bytes behind the end', ['N.N'], /1 bytes follow the end/],
  ])('%s', (_, parts, message) => {
    expect(() => read(...parts)).toThrow(UserError);
    expect(() => read(...parts)).toThrow(message);
  });

  it('every truncation is an error', () => {
    const whole = bytes(
      ...[
        0x80,
        4,
        0x95,
        12,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        '}(U',
        1,
        'a',
        ']q',
        0,
        '(K',
        1,
        'M',
        1,
        2,
        'J',
        1,
        2,
        3,
        4,
        'G',
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        'e',
      ],
      ...["S'b'\n", 'X', 1, 0, 0, 0, 'c', 'L12L\n', 'h', 0, 0x86, 'Nu', 'ccollections\nOrderedDict\n)R', 0x86, '.'],
    );
    expect(() => readPickle(whole, 'x', { globals: GLOBALS })).not.toThrow();
    for (let length = 0; length < whole.length; length++) {
      expect(() => readPickle(whole.subarray(0, length), 'x', { globals: GLOBALS }), `${length} bytes`).toThrow(
        UserError,
      );
    }
  });

  it('whatever the bytes, it ends with a value or a UserError', () => {
    let state = 12345; // a small generator of its own: the same bytes each time
    const next = (): number => (state = (Math.imul(state, 1103515245) + 12345) >>> 0) >>> 16;
    const codes = [
      ...Array.from('(.012FGIJKLMNSTUVX)]}abdelopqrstu'),
      ...[0x81, 0x85, 0x86, 0x87, 0x88, 0x8f, 0x90, 0x91, 0x93, 0x94],
    ];
    let ended = 0;
    for (let round = 0; round < 3000; round++) {
      const file = bytes(
        ...Array.from({ length: 60 }, () => (next() % 4 ? (codes[next() % codes.length] ?? 0) : next() & 255)),
      );
      try {
        readPickle(file, 'x', { globals: GLOBALS });
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        ended++;
      }
    }
    expect(ended).toBeGreaterThan(0);
  });
});
