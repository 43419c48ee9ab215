import { EngineError } from './errors';
import { evaluate, type ParamValues } from './expression';
import { MATRIX_EXTENSION, MATRIX_FEATURE } from './subgroupMatrix';

/*
 * The preprocessor of the kernels under `shaders/`. A file is a head (comment, shared functions) and one section a
 * kernel; a kernel's WGSL module is the heads it uses plus its own section. Directives stand on lines of their own,
 * indented like the code around them; `//#kernel` begins its line:
 *
 *   //#kernel NAME              starts the section of a kernel
 *   //#use NAME                 includes the head of another shader file, once: `gelu`, `attention/common`
 *   //#enable FEATURE           a WGSL extension (`f16`, `subgroups`, `subgroupMatrix`) that the kernel needs
 *   //#narrow                   takes many registers: where narrower subgroups leave more of them, it is given such
 *   //#param NAME: TYPE         a compile-time constant that every dispatch gives; TYPE is u32, i32, f32 or bool
 *   //#if EXPR, //#else, //#end keeps lines by an expression over parameters
 *   //#for NAME in A..B, //#end repeats lines for NAME = A … B−1
 *   //#for I in A..B, J in C..D the same nested: for each I, every J
 *   //#for NAME in A..B: CODE   repeats one line, and has no //#end
 *   //#end if EXPR, //#end for NAME, //#end for I, J
 *                               an end that says what it ends, which is checked
 *   ${EXPR}                     the integer value of an expression over parameters and loop names
 *
 * What a kernel binds is read from its own `@group(0) @binding(n) var<…>` declarations; run-time sizes are the scalar
 * fields of the struct that its `var<uniform>` names. `npm run wgsl -- KERNEL PARAM=VALUE …` prints what comes out.
 *
 * Kernels share their names: `id`, `group` and `groups` are the invocation, its workgroup and how many of these there are;
 * `local` is its number in the workgroup, `lane` that among those it shares a row or a subgroup with; `sizes` the uniform.
 */

/** The type of a compile-time constant. */
export type ParamType = 'u32' | 'i32' | 'f32' | 'bool';
/** How a kernel binds something. */
export type Access = 'read' | 'read_write' | 'uniform';

/** A tensor that a kernel binds. */
export interface Binding {
  readonly index: number;
  readonly name: string;
  readonly access: Access;
  readonly type: string;
  /** What it is made of: `f32`, `f16`, `u32`, `i32`, or the name of a struct. */
  readonly element: string;
}

/** A field of the uniform of a kernel. */
export interface UniformField {
  readonly name: string;
  readonly type: 'u32' | 'i32' | 'f32';
}

/** A kernel with its parameters filled in: WGSL that a device compiles, and what a dispatch of it must bind. */
export interface SpecializedKernel {
  readonly code: string;
  readonly bindings: readonly Binding[];
  readonly uniforms: readonly UniformField[];
  readonly features: readonly GPUFeatureName[];
}

/** A kernel as its shader file states it. Specialise it with parameters to get WGSL. */
export interface Kernel {
  readonly name: string;
  readonly params: ReadonlyMap<string, ParamType>;
  /** The code for one choice of parameters, with its bindings and uniforms. */
  specialize(values: ParamValues): SpecializedKernel;
}

/** What `//#enable` knows: the feature of the device, and what the shader enables. */
const FEATURES: Readonly<Record<string, { readonly feature: GPUFeatureName; readonly extension: string }>> = {
  f16: { feature: 'shader-f16', extension: 'f16' },
  subgroups: { feature: 'subgroups', extension: 'subgroups' },
  subgroupMatrix: { feature: MATRIX_FEATURE, extension: MATRIX_EXTENSION },
};
const BINDING =
  /@group\(0\)\s*@binding\((\d+)\)\s*var<(storage|uniform)(?:\s*,\s*(read|read_write))?>\s*(\w+)\s*:\s*([^;]+);/g;

function bad(name: string, what: string): EngineError {
  return new EngineError('bad-kernel', `Shader '${name}': ${what}.`, 'Mend the directives in its .wgsl file.');
}

/**
 * Splits the text of a shader file into its kernels.
 *
 * @param name the file's path under `shaders/`, without `.wgsl`
 * @param heads texts of the files that `//#use` names, by the same paths
 * @throws EngineError `bad-kernel` where a directive is wrong
 */
export function parseShader(
  name: string,
  source: string,
  heads: Readonly<Record<string, string>> = {},
): Readonly<Record<string, Kernel>> {
  const [head = '', ...sections] = source.split(/^\/\/#kernel\s+/m);
  const kernels: Record<string, Kernel> = {};
  for (const section of sections) {
    const kernelName = /^\w+/.exec(section)?.[0];
    if (!kernelName) throw bad(name, 'a //#kernel line has no name');
    if (kernels[kernelName]) throw bad(name, `it has two kernels '${kernelName}'`);
    const text = include(name, head + section.slice(kernelName.length), heads, new Set());
    const params = new Map<string, ParamType>();
    for (const match of text.matchAll(/^\s*\/\/#param\s+(\w+)\s*:\s*(u32|i32|f32|bool)\s*$/gm)) {
      params.set(match[1] as string, match[2] as ParamType);
    }
    kernels[kernelName] = {
      name: kernelName,
      params,
      specialize: (values) => specialize(kernelName, text, params, values),
    };
  }
  return kernels;
}

/**
 * The named kernels of a shader file or of a family, a folder of such files.
 *
 * @param source its text, or the text of each of its files: `//#use FAMILY/FILE` includes the head of one in another
 * @throws EngineError `bad-kernel` where there is no such kernel, or the same in two files
 */
// So that bundlers drop the shaders of what nobody imports.
/* @__NO_SIDE_EFFECTS__ */
export function kernelsOf<const Name extends string>(
  name: string,
  source: string | Readonly<Record<string, string>>,
  names: readonly Name[],
  heads: Readonly<Record<string, string>> = {},
): Readonly<Record<Name, Kernel>> {
  const parsed = typeof source === 'string' ? parseShader(name, source, heads) : parseFamily(name, source, heads);
  for (const wanted of names) {
    if (!parsed[wanted]) throw bad(name, `it has no kernel '${wanted}', only ${Object.keys(parsed).join(', ')}`);
  }
  return parsed;
}

function parseFamily(
  family: string,
  sources: Readonly<Record<string, string>>,
  heads: Readonly<Record<string, string>>,
): Readonly<Record<string, Kernel>> {
  const files = Object.entries(sources).map(([file, text]) => [`${family}/${file}`, text] as const);
  const all = { ...heads, ...Object.fromEntries(files) };
  const kernels: Record<string, Kernel> = {};
  for (const [file, text] of files) {
    for (const [name, kernel] of Object.entries(parseShader(file, text, all))) {
      if (kernels[name]) throw bad(file, `another file of ${family} has a kernel '${name}' too`);
      kernels[name] = kernel;
    }
  }
  return kernels;
}

/** @param included names of the heads that are in the text already */
function include(name: string, text: string, heads: Readonly<Record<string, string>>, included: Set<string>): string {
  return text.replace(/^\s*\/\/#use\s+([\w/]+)\s*$/gm, (_, used: string) => {
    const source = heads[used];
    if (source === undefined) throw bad(name, `//#use ${used}, which was not handed to parseShader`);
    if (included.has(used)) return '';
    included.add(used);
    return include(used, source.split(/^\/\/#kernel\s+/m)[0] ?? '', heads, included);
  });
}

function specialize(
  name: string,
  text: string,
  params: ReadonlyMap<string, ParamType>,
  values: ParamValues,
): SpecializedKernel {
  for (const param of params.keys()) {
    if (values[param] === undefined) throw bad(name, `parameter ${param} has no value`);
  }
  for (const given of Object.keys(values)) {
    if (!params.has(given))
      throw bad(name, `'${given}' is not one of its parameters (${[...params.keys()].join(', ')})`);
  }
  const enables = new Set<string>();
  let code: string;
  try {
    code = expand(text.split('\n'), values, params, enables).join('\n');
  } catch (error) {
    throw error instanceof EngineError ? error : bad(name, error instanceof Error ? error.message : String(error));
  }
  const bindings = [...code.matchAll(BINDING)].map((match): Binding => {
    const type = (match[5] as string).trim();
    return {
      index: Number(match[1]),
      name: match[4] as string,
      access: match[2] === 'uniform' ? 'uniform' : ((match[3] ?? 'read') as Access),
      type,
      element: elementOf(type, code),
    };
  });
  const needed = [...enables].map((enable) => {
    const known = FEATURES[enable];
    if (!known) throw bad(name, `//#enable ${enable} is not known`);
    return known;
  });
  const enableLines = needed.map(({ extension }) => `enable ${extension};\n`).join('');
  const features = needed.map(({ feature }) => feature);
  return { code: enableLines + code, bindings, uniforms: uniformFields(name, code, bindings), features };
}

const LETTERS: Readonly<Record<string, string>> = { f: 'f32', h: 'f16', u: 'u32', i: 'i32' };

/** What a type is made of: of an array its elements, of a vector its components, of an alias what it stands for. */
function elementOf(type: string, code: string): string {
  const array = /^array<(.*)>$/.exec(type)?.[1]?.replace(/,[^<>]*$/, '');
  const inner = array ?? /^(?:atomic|vec\d)<(.*)>$/.exec(type)?.[1];
  if (inner !== undefined) return elementOf(inner.trim(), code);
  const vector = /^vec\d([fhui])$/.exec(type)?.[1];
  if (vector !== undefined) return LETTERS[vector] ?? type;
  const alias = new RegExp(`\\balias\\s+${type}\\s*=\\s*([^;]+);`).exec(code)?.[1];
  return alias === undefined ? type : elementOf(alias.trim(), code);
}

function uniformFields(name: string, code: string, bindings: readonly Binding[]): UniformField[] {
  const [uniform, another] = bindings.filter((binding) => binding.access === 'uniform');
  if (!uniform) return [];
  if (another) throw bad(name, `it has two uniforms, '${uniform.name}' and '${another.name}'`);
  const struct = new RegExp(`struct\\s+${uniform.type}\\s*\\{([^}]*)\\}`).exec(code)?.[1];
  if (struct === undefined) throw bad(name, `struct ${uniform.type} of its uniform is not declared`);
  return struct
    .replace(/\/\/.*$/gm, '')
    .split(',')
    .map((field) => field.trim())
    .filter((field) => field !== '')
    .map((field) => {
      const match = /^(\w+)\s*:\s*(u32|i32|f32)$/.exec(field);
      if (!match) throw bad(name, `uniform field '${field}' is not a scalar u32, i32 or f32`);
      return { name: match[1] as string, type: match[2] as UniformField['type'] };
    });
}

function literal(type: ParamType, value: number | boolean): string {
  if (type === 'bool') return String(Boolean(value));
  const number = Number(value);
  if (type !== 'f32') return `${number}${type === 'u32' ? 'u' : 'i'}`;
  const text = number.toString();
  return /[.e]/.test(text) ? `${text}f` : `${text}.0f`;
}

/** Expands one level of directives; blocks are expanded by calling it on their lines. */
function expand(
  lines: readonly string[],
  values: ParamValues,
  params: ReadonlyMap<string, ParamType>,
  enables: Set<string>,
): string[] {
  const out: string[] = [];
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] as string;
    const directive = /^\s*\/\/#(\w+)\s*(.*?)\s*$/.exec(line);
    if (!directive) {
      out.push(line.replace(/\$\{([^}]+)\}/g, (_, expression: string) => String(evaluate(expression, values))));
      continue;
    }
    const [, word, rest = ''] = directive;
    if (word === 'param') {
      const param = rest.split(':')[0]?.trim() ?? '';
      const type = params.get(param);
      if (!type) throw new Error(`'${line.trim()}' is not '//#param NAME: TYPE' with u32, i32, f32 or bool`);
      out.push(`const ${param} = ${literal(type, values[param] ?? 0)};`);
    } else if (word === 'enable') {
      enables.add(rest);
    } else if (word === 'narrow') {
      out.push(line); // for whoever compiles it: src/gpu/subgroupSize.ts
    } else if (word === 'if') {
      const { body, otherwise, end } = takeBlock(lines, at);
      at = end;
      out.push(...expand(evaluate(rest, values) !== 0 ? body : otherwise, values, params, enables));
    } else if (word === 'for') {
      const { loops, code } = readLoops(rest);
      const block =
        code === undefined ? takeBlock(lines, at) : { body: [indentOf(line) + code], otherwise: [], end: at };
      at = block.end;
      if (block.otherwise.length > 0) throw new Error(`'//#for ${rest}' has an //#else`);
      for (const names of roundsOf(loops, values)) out.push(...expand(block.body, names, params, enables));
    } else {
      throw new Error(`'${line.trim()}' is not a directive here`);
    }
  }
  return out;
}

interface Loop {
  readonly name: string;
  readonly from: string;
  readonly to: string;
}

/** What stands after `//#for`: its loops, the outermost first, and the line that it repeats where it has no block. */
function readLoops(rest: string): { loops: Loop[]; code: string | undefined } {
  const [, head = '', code] = /^([^:]*)(?::\s*(.+))?$/.exec(rest) ?? [];
  const loops = head.split(/,(?=\s*\w+\s+in\s)/).map((text): Loop => {
    const [, name = '', from = '', to = ''] = /^\s*(\w+)\s+in\s+(.+?)\.\.(.+)$/.exec(text) ?? [];
    if (name === '') throw new Error(`'//#for ${rest}' is not 'NAME in A..B'`);
    return { name, from, to };
  });
  return { loops, code };
}

/** Values with the names of loops filled in, round after round; an inner loop's bounds may name an outer one. */
function* roundsOf([loop, ...inner]: readonly Loop[], values: ParamValues): Generator<ParamValues> {
  if (!loop) {
    yield values;
    return;
  }
  for (let i = evaluate(loop.from, values), end = evaluate(loop.to, values); i < end; i++) {
    yield* roundsOf(inner, { ...values, [loop.name]: i });
  }
}

function indentOf(line: string): string {
  return /^\s*/.exec(line)?.[0] ?? '';
}

/** The lines of the block that opens at `start`, up to its own `//#end`; labels of what it holds are checked too. */
function takeBlock(lines: readonly string[], start: number): { body: string[]; otherwise: string[]; end: number } {
  const open = [(lines[start] as string).trim()];
  const body: string[] = [];
  const otherwise: string[] = [];
  let into = body;
  for (let at = start + 1; at < lines.length; at++) {
    const line = lines[at] as string;
    const [, word, rest = ''] = /^\s*\/\/#(if|for|else|end)\b\s*(.*?)\s*$/.exec(line) ?? [];
    if (word === 'if' || (word === 'for' && !rest.includes(':'))) open.push(line.trim());
    if (word === 'end') {
      checkLabel(rest, open.pop() as string);
      if (open.length === 0) return { body, otherwise, end: at };
    }
    if (word === 'else' && open.length === 1) into = otherwise;
    else into.push(line);
  }
  throw new Error(`'${(lines[start] as string).trim()}' has no //#end`);
}

/** An `//#end` says nothing, or what it ends: `if EXPR`, `for NAME`. */
function checkLabel(label: string, opening: string): void {
  if (label === '') return;
  const [, word = '', rest = ''] = /^\/\/#(\w+)\s*(.*)$/.exec(opening) ?? [];
  const wanted =
    word === 'if'
      ? rest
      : readLoops(rest)
          .loops.map(({ name }) => name)
          .join(', ');
  if (spaceless(label) === spaceless(`${word} ${wanted}`)) return;
  throw new Error(`'//#end ${label}' ends '${opening}', so it is '//#end ${word} ${wanted}'`);
}

/** Without the spaces that do not part words. */
function spaceless(text: string): string {
  return text.replace(/\s*([^\w\s])\s*/g, '$1').replace(/\s+/g, ' ');
}
