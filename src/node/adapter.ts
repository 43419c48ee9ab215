import { pathToFileURL } from 'node:url';
import type { create, globals } from 'webgpu';
import { UserError } from '../common/userError';
import { isSoftware, isSoftwareName } from '../gpu/adapter';
import { reason } from './failure';
import { swiftShaderIsInstalled, unpackSwiftShader } from './swiftshader';
import { driverRestriction, mayHaveDrivers } from './vulkan';

/** The npm package webgpu, or a copy of it. */
interface WebGPU {
  readonly create: typeof create;
  readonly globals: typeof globals;
}

export interface OpenAdapter {
  readonly adapter: GPUAdapter;
  /** Dawn's instance: it must outlive the adapter's devices. */
  readonly gpu: GPU;
  /** Whether it is SwiftShader of the npm packages. */
  readonly bundled: boolean;
}

/** The kinds that one may ask for instead of a name, and what is looked for then. */
const KINDS: ReadonlyMap<string, string> = new Map([
  ['any', 'a GPU, a software driver of the system, or SwiftShader of the npm packages'],
  ['hardware', 'a GPU'],
  ['software', 'a software driver of the system, or SwiftShader of the npm packages'],
  ['swiftshader', 'SwiftShader of the npm packages'],
]);

/**
 * Finds an adapter, whatever order the drivers list theirs in.
 *
 * Dawn sees the adapters of this system's Vulkan drivers (`VK_DRIVER_FILES` chooses among these), of Metal or of
 * Direct3D 12. SwiftShader of the npm packages comes after all of them.
 *
 * @param wanted `any`: hardware, else the system's software, else SwiftShader; `hardware`; `software`; `swiftshader`;
 *   else a part of an adapter's name, in upper or lower case
 * @param flags for Dawn's instance, such as `enable-dawn-features=allow_unsafe_apis`
 * @throws UserError where there is none
 */
export async function requestAdapter(wanted: string, flags: readonly string[] = []): Promise<OpenAdapter> {
  const kind = wanted.toLowerCase();
  const names: string[] = [];
  if (kind !== 'swiftshader') {
    const webgpu = await importWebGPU();
    const foremost = await requestSystem(webgpu, flags);
    if (foremost && (kind === 'any' || kind === 'hardware') && !isSoftware(foremost.adapter.info)) return foremost;
    if (foremost) names.push(...(await namesOf(webgpu)));
    const name = chooseName(names, wanted);
    const chosen = name === undefined || names.length === 1 ? foremost : await requestSystem(webgpu, flags, name);
    if (chosen && name !== undefined) return chosen;
  }
  const bundled = KINDS.has(kind) && kind !== 'hardware' ? await requestSwiftShader(flags) : undefined;
  if (bundled) return bundled;
  throw noAdapter(names, wanted);
}

/** The names of the adapters of this system's drivers. SwiftShader of the npm packages is not among them. */
export async function adapterNames(): Promise<string[]> {
  return namesOf(await importWebGPU());
}

/** The name to take of those that drivers list; undefined where none will do. */
export function chooseName(names: readonly string[], wanted: string): string | undefined {
  const hardware = names.filter((name) => !isSoftwareName(name));
  const software = names.filter(isSoftwareName).sort((a, b) => Number(isSwiftShader(a)) - Number(isSwiftShader(b)));
  switch (wanted.toLowerCase()) {
    case 'any':
      return [...hardware, ...software][0];
    case 'hardware':
      return hardware[0];
    case 'software':
      return software[0];
    default:
      return names.find((name) => name.toLowerCase().includes(wanted.toLowerCase()));
  }
}

/** The slowest: lavapipe has wider vectors, subgroups and half precision. */
function isSwiftShader(name: string): boolean {
  return /swiftshader/i.test(name);
}

/** An adapter of the system's drivers. Where no driver can be there, Dawn is not asked: it would complain at length. */
async function requestSystem(
  webgpu: WebGPU,
  flags: readonly string[],
  name?: string,
): Promise<OpenAdapter | undefined> {
  if (process.platform === 'linux' && !mayHaveDrivers()) return undefined;
  const opened = await request(webgpu, name === undefined ? flags : [...flags, `adapter=${name}`]);
  return opened && { ...opened, bundled: false };
}

async function request(webgpu: WebGPU, flags: readonly string[]): Promise<Omit<OpenAdapter, 'bundled'> | undefined> {
  Object.assign(globalThis, webgpu.globals);
  const gpu = webgpu.create([...flags]);
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  return adapter ? { adapter, gpu } : undefined;
}

/** The names of all adapters. Dawn's binding tells them only where it is asked for one that there is not. */
async function namesOf(webgpu: WebGPU): Promise<string[]> {
  try {
    await requestSystem(webgpu, [], 'no such adapter');
    return [];
  } catch (error) {
    return [...String(error).matchAll(/name: '(.*)'$/gm)].map((match) => match[1] ?? '');
  }
}

async function importWebGPU(): Promise<WebGPU> {
  try {
    return await import('webgpu');
  } catch (error) {
    throw new UserError(
      `The npm package webgpu cannot be loaded on ${process.platform}-${process.arch}: ${reason(error)}\n` +
        'It is built for Linux with glibc, macOS and Windows. Run `npm ci` on this machine; `npm run doctor` says more.',
    );
  }
}

async function requestSwiftShader(flags: readonly string[]): Promise<OpenAdapter | undefined> {
  const index = await unpackSwiftShader();
  if (index === undefined) return undefined;
  try {
    const opened = await request((await import(/* @vite-ignore */ pathToFileURL(index).href)) as WebGPU, flags);
    return opened && { ...opened, bundled: true };
  } catch (error) {
    throw new UserError(
      `SwiftShader cannot be loaded: ${reason(error)}\n` +
        'Set XDG_CACHE_HOME to a folder whose programs may be run, or delete the one named here. `npm run doctor` says more.',
    );
  }
}

/** Says what was looked for, what was there, and what helps. */
function noAdapter(names: readonly string[], wanted: string): UserError {
  const kind = wanted.toLowerCase();
  const bundled = swiftShaderIsInstalled() ? ["SwiftShader of the npm packages ('swiftshader')"] : [];
  const seen = `Adapters here: ${[...names, ...bundled].join('; ') || 'none'}.`;
  const lookedFor = KINDS.get(kind);
  if (lookedFor === undefined) {
    return new UserError(
      `No adapter's name contains '${wanted}'. ${seen} Give a part of a name, or ${[...KINDS.keys()].join(', ')}.`,
    );
  }
  const lines = [`No adapter for '${kind}': looked for ${lookedFor}. ${seen}`];
  const restriction = driverRestriction();
  if (restriction && kind !== 'swiftshader') {
    lines.push(`  ${restriction}=${process.env[restriction]} hides every other driver.`);
  }
  lines.push('  Run `npm run doctor` to see what is missing and the command that brings it.');
  return new UserError(lines.join('\n'));
}
