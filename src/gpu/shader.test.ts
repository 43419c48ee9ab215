import { describe, expect, it } from 'vitest';
import { EngineError } from './errors';
import { kernelsOf, parseShader, type SpecializedKernel } from './shader';

/** Specialises kernel `k` of a shader file that consists of its section only. */
function specialize(body: string, params: Readonly<Record<string, number | boolean>> = {}): SpecializedKernel {
  const kernel = parseShader('file', `//#kernel k\n${body}`)['k'];
  if (!kernel) throw new Error('kernel k is missing');
  return kernel.specialize(params);
}

const linesOf = ({ code }: SpecializedKernel): string[] =>
  code
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean);

/** What `work` throws, which must be a `bad-kernel` error. */
function messageOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(EngineError);
    expect((error as EngineError).code).toBe('bad-kernel');
    return (error as EngineError).message;
  }
  throw new Error('nothing was thrown');
}

describe('sections', () => {
  const source = 'fn shared() {}\n//#kernel first\nfn one() {}\n//#kernel second\nfn two() {}\n';

  it('gives every kernel the head and its own section only', () => {
    const { first, second } = kernelsOf('file', source, ['first', 'second']);
    expect(linesOf(first.specialize({}))).toEqual(['fn shared() {}', 'fn one() {}']);
    expect(linesOf(second.specialize({}))).toEqual(['fn shared() {}', 'fn two() {}']);
    expect(second.name).toBe('second');
  });

  it('names the file and its kernels where one is missing', () => {
    expect(messageOf(() => kernelsOf('file', source, ['third']))).toContain(
      "Shader 'file': it has no kernel 'third', only first, second",
    );
  });

  it('refuses a kernel without a name, and one name twice', () => {
    expect(messageOf(() => parseShader('file', '//#kernel (\n'))).toContain('a //#kernel line has no name');
    expect(messageOf(() => parseShader('file', '//#kernel a\n//#kernel a\n'))).toContain("two kernels 'a'");
  });
});

describe('//#use', () => {
  const heads = {
    outer: '//#use inner\nfn outer() {}\n//#kernel unwanted\nfn unwanted() {}',
    inner: 'fn inner() {}',
  };

  it('includes heads, and what those use, without their kernels', () => {
    const kernel = parseShader('file', '//#kernel k\n//#use outer\nfn own() {}', heads)['k'];
    const lines = linesOf(kernel?.specialize({}) as SpecializedKernel);
    expect(lines).toEqual(['fn inner() {}', 'fn outer() {}', 'fn own() {}']);
  });

  it('includes a head once', () => {
    const both = '//#use inner\n//#kernel k\n//#use outer\n//#use outer\nfn own() {}';
    const lines = linesOf(parseShader('file', both, heads)['k']?.specialize({}) as SpecializedKernel);
    expect(lines).toEqual(['fn inner() {}', 'fn outer() {}', 'fn own() {}']);
  });

  it('names the head that was not given', () => {
    expect(messageOf(() => parseShader('file', '//#kernel k\n//#use nothing\n'))).toContain('//#use nothing');
  });
});

describe('a family of files', () => {
  const family = {
    common: '//#use other\nfn common() {}',
    plain: '//#use family/common\n//#kernel plain\nfn one() {}',
    fast: '//#use family/common\n//#kernel fast\nfn two() {}',
  };
  const heads = { other: 'fn other() {}' };

  it('gives the kernels of all its files, which include each other by their paths', () => {
    const { plain, fast } = kernelsOf('family', family, ['plain', 'fast'], heads);
    expect(linesOf(plain.specialize({}))).toEqual(['fn other() {}', 'fn common() {}', 'fn one() {}']);
    expect(linesOf(fast.specialize({}))).toEqual(['fn other() {}', 'fn common() {}', 'fn two() {}']);
  });

  it('names what it lacks, and what it has twice', () => {
    expect(messageOf(() => kernelsOf('family', family, ['slow'], heads))).toContain(
      "Shader 'family': it has no kernel 'slow', only plain, fast",
    );
    expect(messageOf(() => kernelsOf('family', family, ['plain']))).toContain(
      "Shader 'family/common': //#use other, which was not handed to parseShader",
    );
    expect(messageOf(() => kernelsOf('family', { ...family, again: '//#kernel fast\n' }, ['fast'], heads))).toContain(
      "Shader 'family/again': another file of family has a kernel 'fast' too",
    );
  });
});

describe('//#param', () => {
  it('becomes a typed constant', () => {
    const types = { A: 'u32', B: 'i32', C: 'f32', D: 'f32', E: 'bool', F: 'f32' };
    const body = Object.entries(types)
      .map(([name, type]) => `//#param ${name}: ${type}`)
      .join('\n');
    expect(linesOf(specialize(body, { A: 3, B: -4, C: 2, D: 0.5, E: true, F: 1e-7 }))).toEqual([
      'const A = 3u;',
      'const B = -4i;',
      'const C = 2.0f;',
      'const D = 0.5f;',
      'const E = true;',
      'const F = 1e-7f;',
    ]);
  });

  it('must be given, and nothing else may be', () => {
    expect(messageOf(() => specialize('//#param A: u32'))).toContain("Shader 'k': parameter A has no value");
    const unknown = messageOf(() => specialize('//#param A: u32', { A: 1, B: 2 }));
    expect(unknown).toContain("'B' is not one of its parameters (A)");
  });

  it.each(['//#param A: u8', '//#param A', '//#param A: u32 = 4'])('refuses %j instead of guessing a type', (line) => {
    expect(messageOf(() => specialize(line))).toContain(`'${line}' is not '//#param NAME: TYPE'`);
  });
});

describe('//#if and //#for', () => {
  it('keeps one side of a condition', () => {
    const body = '//#param A: u32\n//#if A > 2\nmany\n//#else\nfew\n//#end\nafter';
    expect(linesOf(specialize(body, { A: 3 }))).toEqual(['const A = 3u;', 'many', 'after']);
    expect(linesOf(specialize(body, { A: 2 }))).toEqual(['const A = 2u;', 'few', 'after']);
  });

  it('repeats lines with the loop name filled in, from A to B − 1', () => {
    const lines = linesOf(specialize('//#for i in 1..2 + 2\nx${i} = ${i * 10};\n//#end'));
    expect(lines).toEqual(['x1 = 10;', 'x2 = 20;', 'x3 = 30;']);
    expect(linesOf(specialize('//#for i in 2..2\nx${i}\n//#end\nafter'))).toEqual(['after']);
  });

  it('nests', () => {
    const body = [
      '//#param N: u32',
      '//#for i in 0..N',
      '  //#for j in i..N',
      '    //#if i == j',
      '    same ${i}',
      '    //#else',
      '    //#if j == N - 1',
      '    last ${i}${j}',
      '    //#end',
      '    //#end',
      '  //#end',
      '//#end',
    ].join('\n');
    expect(linesOf(specialize(body, { N: 3 })).slice(1)).toEqual(['same 0', 'last 02', 'same 1', 'last 12', 'same 2']);
  });

  it('nests loops in one line, an inner one bounded by an outer', () => {
    const lines = linesOf(specialize('//#for i in 0..2, j in i..2\nx${i}${j}\ny${i}${j}\n//#end for i, j'));
    expect(lines).toEqual(['x00', 'y00', 'x01', 'y01', 'x11', 'y11']);
  });

  it('repeats one line, without an end', () => {
    const body = '  //#for i in 0..2: let x${i}: f32 = ${2 * i}.0;\n  //#for i in 0..1, j in 2..4: y${i}${j}\nafter';
    const { code } = specialize(body);
    expect(code.split('\n').slice(1)).toEqual([
      '  let x0: f32 = 0.0;',
      '  let x1: f32 = 2.0;',
      '  y02',
      '  y03',
      'after',
    ]);
    const nested = '//#if 1\n//#for i in 0..2: //#for j in 0..i: x${i}${j}\n//#else\ny\n//#end if 1';
    expect(linesOf(specialize(nested))).toEqual(['x10']);
  });

  it('takes an end that says what it ends', () => {
    const body = '//#if 1&&(2 > 1)\n//#for i in 0..2\nx\n//#end for i\n//#end if 1 && (2>1)';
    expect(linesOf(specialize(body))).toEqual(['x', 'x']);
  });

  it.each([
    ['//#for i in 0..2\nx\n//#end for j', "'//#end for j' ends '//#for i in 0..2', so it is '//#end for i'"],
    ['//#for i in 0..2\nx\n//#end if i', "'//#end if i' ends '//#for i in 0..2', so it is '//#end for i'"],
    ['//#for i in 0..2\nx\n//#end i', "'//#end i' ends '//#for i in 0..2', so it is '//#end for i'"],
    ['//#if 1 > 0\nx\n//#end if 1', "'//#end if 1' ends '//#if 1 > 0', so it is '//#end if 1 > 0'"],
    ['//#for i in 0..1, j in 0..1\nx\n//#end for j', "it is '//#end for i, j'"],
    // Also where nothing is kept.
    ['//#if 0\n//#for i in 0..2\nx\n//#end for j\n//#end', "it is '//#end for i'"],
  ])('refuses an end of something else: %j', (body, message) => {
    expect(messageOf(() => specialize(body))).toContain(message);
  });

  it.each([
    ['//#if 1\nx', "'//#if 1' has no //#end"],
    ['//#for i in 0..2\n//#if 1\n//#end', "'//#for i in 0..2' has no //#end"],
    ['x\n//#end', "'//#end' is not a directive here"],
    ['//#else', "'//#else' is not a directive here"],
    ['//#for i of 0..2\n//#end', "'//#for i of 0..2' is not 'NAME in A..B'"],
    ['//#for i in 0..2, j\n//#end', "cannot read ', j' in '2, j'"],
    ['//#for i of 0..2: x', "'//#for i of 0..2: x' is not 'NAME in A..B'"],
    ['//#for i in 0..2: x\n//#end', "'//#end' is not a directive here"],
    ['//#for i in 0..2\nx\n//#else\ny\n//#end', "'//#for i in 0..2' has an //#else"],
    ['//#repeat 2', "'//#repeat 2' is not a directive here"],
    ['//#if WIDE\n//#end', "'WIDE' in 'WIDE' is no parameter"],
    ['let x = ${WIDE};', "'WIDE' in 'WIDE' is no parameter"],
  ])('refuses %j', (body, message) => {
    expect(messageOf(() => specialize(body))).toContain(`Shader 'k': ${message}`);
  });
});

describe('//#enable', () => {
  it('moves to the top of the module, once, and states the feature', () => {
    const { code, features } = specialize('fn a() {}\n//#enable f16\n//#enable subgroups\n//#enable f16');
    expect(code.split('\n').slice(0, 2)).toEqual(['enable f16;', 'enable subgroups;']);
    expect(code.match(/enable/g)).toHaveLength(2);
    expect(features).toEqual(['shader-f16', 'subgroups']);
  });

  it('counts only where its condition holds', () => {
    expect(specialize('//#if 0\n//#enable f16\n//#end').features).toEqual([]);
  });

  it('refuses what it does not know', () => {
    expect(messageOf(() => specialize('//#enable f64'))).toContain('//#enable f64 is not known');
  });
});

describe('bindings', () => {
  it.each([
    ['array<f32>', 'f32'],
    ['array<f32, 8>', 'f32'],
    ['array<vec4f>', 'f32'],
    ['array<vec2h>', 'f16'],
    ['array<vec4<u32>>', 'u32'],
    ['array<atomic<i32>>', 'i32'],
    ['array<Cell>', 'f16'],
    ['array<Pair, 3>', 'Pair'],
  ])('of %s are made of %s', (type, element) => {
    const { bindings } = specialize(`
      alias Element = f16; alias Cell = vec4<Element>;
      @group(0) @binding(0) var<storage> x: ${type};
    `);
    expect(bindings.map((binding) => binding.element)).toEqual([element]);
  });

  it('are read from the declarations that remain', () => {
    const { bindings, uniforms } = specialize(`
      //#if 1
      @group(0) @binding(0) var<storage, read> x: array<f32>;
      //#else
      @group(0) @binding(0) var<storage, read> other: array<f32>;
      //#end
      @group(0) @binding(2) var<storage,read_write> y : array<vec4<f32>>;
      @group(0)
      @binding(3) var<storage> plain: array<u32>;
      struct Sizes {
        rows: u32, // how many, first
        shift: i32,
        eps: f32,
      }
      @group(0) @binding(1) var<uniform> sizes: Sizes;
    `);
    expect(bindings).toEqual([
      { index: 0, name: 'x', access: 'read', type: 'array<f32>', element: 'f32' },
      { index: 2, name: 'y', access: 'read_write', type: 'array<vec4<f32>>', element: 'f32' },
      { index: 3, name: 'plain', access: 'read', type: 'array<u32>', element: 'u32' },
      { index: 1, name: 'sizes', access: 'uniform', type: 'Sizes', element: 'Sizes' },
    ]);
    expect(uniforms).toEqual([
      { name: 'rows', type: 'u32' },
      { name: 'shift', type: 'i32' },
      { name: 'eps', type: 'f32' },
    ]);
  });

  it.each([
    ['@group(0) @binding(0) var<uniform> sizes: Sizes;', 'struct Sizes of its uniform is not declared'],
    [
      'struct S { a: vec2f }\n@group(0) @binding(0) var<uniform> s: S;',
      "uniform field 'a: vec2f' is not a scalar u32, i32 or f32",
    ],
    [
      'struct S { a: u32 }\n@group(0) @binding(0) var<uniform> s: S;\n@group(0) @binding(1) var<uniform> t: S;',
      "it has two uniforms, 's' and 't'",
    ],
  ])('refuses %j', (body, message) => {
    expect(messageOf(() => specialize(body))).toContain(message);
  });
});
