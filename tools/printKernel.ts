import { shaders } from '../shaders/index';
import { EngineError } from '../src/gpu/errors';
import type { ParamValues } from '../src/gpu/expression';
import { parseShader, type Kernel, type ParamType } from '../src/gpu/shader';

const USAGE = 'npm run wgsl -- KERNEL PARAM=VALUE … prints what a kernel becomes; without arguments, all there are.';

/** What is printed, and the exit code: 2 where the arguments are wrong, which `text` then says. */
export interface Printed {
  readonly text: string;
  readonly code: 0 | 2;
}

/** Answers `npm run wgsl`: the WGSL of a kernel with its parameters filled in, or a list of all kernels. */
export function printKernel([name, ...given]: readonly string[]): Printed {
  const files = kernelsByFile();
  if (name === undefined) return { text: listOf(files), code: 0 };
  const kernels = new Map(files.flatMap(([, inFile]) => inFile.map((kernel) => [kernel.name, kernel] as const)));
  const kernel = kernels.get(name);
  try {
    if (!kernel) {
      const inFile = files.filter(([path]) => path.split('/').includes(name)).flatMap(([, ofFile]) => ofFile);
      const near = inFile.length > 0 ? inFile.map((each) => each.name).join(', ') : nearest(name, [...kernels.keys()]);
      throw new UsageError(`There is no kernel '${name}'. ${inFile.length > 0 ? 'Its file has' : 'Near:'} ${near}.`);
    }
    const { code } = kernel.specialize(valuesOf(kernel, given));
    return { text: code.trim().replace(/\n(\s*\n){2,}/g, '\n\n'), code: 0 };
  } catch (error) {
    if (error instanceof UsageError) return { text: `${error.message}\n${USAGE}`, code: 2 };
    if (error instanceof EngineError) return { text: error.message, code: 2 };
    throw error;
  }
}

class UsageError extends Error {}

/** Every file that has kernels, by its path under shaders/, with them. */
function kernelsByFile(): (readonly [path: string, kernels: readonly Kernel[]])[] {
  return Object.entries(shaders)
    .map(([path, text]) => [path, Object.values(parseShader(path, text, shaders))] as const)
    .filter(([, kernels]) => kernels.length > 0);
}

function listOf(files: ReturnType<typeof kernelsByFile>): string {
  return files
    .map(([path, kernels]) => {
      const lines = kernels.map(({ name, params }) => `  ${[name, ...[...params].map(stated)].join(' ')}`);
      return [`shaders/${path}.wgsl`, ...lines].join('\n');
    })
    .join('\n');
}

const stated = ([param, type]: readonly [string, ParamType]): string => `${param}=${type}`;

function valuesOf({ name, params }: Kernel, given: readonly string[]): ParamValues {
  const values: Record<string, number | boolean> = {};
  for (const text of given) {
    const [, param = '', value = ''] = /^([^=]*)=(.*)$/.exec(text) ?? [];
    const type = params.get(param);
    if (!type) throw new UsageError(`'${text}' is no PARAM=VALUE of ${name}. ${whatItTakes(params)}`);
    values[param] = valueOf(type, value, text);
  }
  const missing = [...params].filter(([param]) => values[param] === undefined);
  if (missing.length === 0) return values;
  throw new UsageError(`${name} lacks ${missing.map(stated).join(' ')}.`);
}

function whatItTakes(params: Kernel['params']): string {
  return params.size === 0 ? 'It takes none.' : `It takes ${[...params].map(stated).join(' ')}.`;
}

const FORMS: Readonly<Record<ParamType, RegExp>> = {
  bool: /^(0|1|true|false)$/,
  u32: /^\d+$/,
  i32: /^-?\d+$/,
  f32: /^-?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/,
};

function valueOf(type: ParamType, value: string, text: string): number | boolean {
  if (!FORMS[type].test(value)) {
    throw new UsageError(`'${text}' is not ${type === 'bool' ? '0, 1, true or false' : `of type ${type}`}.`);
  }
  return type === 'bool' ? value === '1' || value === 'true' : Number(value);
}

/** Three names of the fewest edits. */
function nearest(name: string, names: readonly string[]): string {
  const distances = new Map(names.map((other) => [other, edits(name.toLowerCase(), other.toLowerCase())]));
  const sorted = [...names].sort((a, b) => (distances.get(a) ?? 0) - (distances.get(b) ?? 0));
  return sorted.slice(0, 3).join(', ');
}

/** How many letters must be added, removed or replaced to make one of the other (Levenshtein 1966). */
function edits(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, at) => at);
  for (const [i, letter] of Array.from(from).entries()) {
    const next = [i + 1];
    for (const [j, other] of Array.from(to).entries()) {
      const [left = 0, diagonal = 0, above = 0] = [next[j], row[j], row[j + 1]];
      next.push(Math.min(left + 1, above + 1, diagonal + Number(letter !== other)));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}
