import { constants } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { brotliDecompressSync } from 'node:zlib';
import { UserError } from '../common/userError';
import { cacheFolders, claim, exists } from './cacheFolders';
import { readTar } from './tar';

// SwiftShader is a Vulkan driver that runs on any CPU. npm has it inside @sparticuz/chromium, a browser for servers.
//
// Dawn opens the `libvulkan.so.1` that lies beside its own library before it looks elsewhere, and SwiftShader's library
// has a Vulkan loader's entry point. So a copy of the webgpu package with SwiftShader under that name runs on it alone:
// without a loader on the system, without an environment variable, and beside the real package in one process.

const LIBRARY = 'libvk_swiftshader.so';
const BINDING = join('dist', `${process.platform}-${process.arch}`);

/**
 * Makes a copy of the webgpu package that runs on SwiftShader, in the user's cache, where there is none yet. Processes
 * may do so at the same time.
 *
 * @returns the path of the copy's index.js; undefined where SwiftShader is not installed or not made for this platform
 * @throws UserError where no cache folder can be written
 */
export async function unpackSwiftShader(): Promise<string | undefined> {
  const copy = await plannedCopy();
  if (copy === undefined) return undefined;
  const { name, archive, webgpu } = copy;
  const refusals: string[] = [];
  for (const cache of cacheFolders()) {
    const folder = join(cache.path, name);
    try {
      if (cache.shared) await claim(cache.path);
      if (!(await exists(folder))) await unpack(archive, webgpu, folder);
      return join(folder, 'index.js');
    } catch (error) {
      refusals.push(`  ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  throw new UserError(
    `SwiftShader cannot be unpacked:\n${refusals.join('\n')}\nSet XDG_CACHE_HOME to a folder with 40 MB of room.`,
  );
}

/** Where the copy lies already; undefined where it has to be made first. */
export async function unpackedSwiftShader(): Promise<string | undefined> {
  const name = (await plannedCopy())?.name;
  if (name === undefined) return undefined;
  for (const { path } of cacheFolders()) if (await exists(join(path, name))) return join(path, name);
  return undefined;
}

/** What the copy is made of, and its name in a cache; undefined where one of the packages is missing. */
async function plannedCopy(): Promise<{ name: string; archive: string; webgpu: string } | undefined> {
  const chromium = swiftShaderPackage();
  const index = resolveModule('webgpu');
  if (chromium === undefined || index === undefined) return undefined;
  const webgpu = dirname(index);
  const name = `swiftshader-${await version(chromium)}-webgpu-${await version(webgpu)}`;
  return { name, archive: join(chromium, 'bin', 'swiftshader.tar.br'), webgpu };
}

/** Builds `folder` under another name first, so that it is complete whenever it exists. */
async function unpack(archive: string, webgpu: string, folder: string): Promise<void> {
  await mkdir(dirname(folder), { recursive: true });
  const draft = await mkdtemp(`${folder}-`);
  try {
    await mkdir(join(draft, BINDING), { recursive: true });
    for (const file of ['package.json', 'index.js', join(BINDING, 'dawn.node')]) {
      await copyFile(join(webgpu, file), join(draft, file), constants.COPYFILE_FICLONE);
    }
    await writeFile(join(draft, BINDING, 'libvulkan.so.1'), await readLibrary(archive), { mode: 0o755 });
    await rename(draft, folder);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    if (!(await exists(folder))) throw error; // else another process was faster
  }
}

async function readLibrary(archive: string): Promise<Uint8Array> {
  const unpacked = Readable.from([brotliDecompressSync(await readFile(archive))]);
  for await (const { path, bytes } of readTar(unpacked, (name) => name === LIBRARY)) if (path === LIBRARY) return bytes;
  throw new Error(`${archive} holds no ${LIBRARY}.`);
}

/** The published archive is built for one platform. */
export function swiftShaderIsPublished(): boolean {
  return process.platform === 'linux' && process.arch === 'x64';
}

export function swiftShaderIsInstalled(): boolean {
  return swiftShaderPackage() !== undefined;
}

function swiftShaderPackage(): string | undefined {
  if (!swiftShaderIsPublished()) return undefined;
  const main = resolveModule('@sparticuz/chromium'); // build/cjs/index.cjs
  return main && join(main, '..', '..', '..');
}

/** The main file of an installed package; undefined where it is not installed. */
function resolveModule(name: string): string | undefined {
  try {
    return createRequire(import.meta.url).resolve(name);
  } catch {
    return undefined;
  }
}

async function version(folder: string): Promise<string> {
  return (JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as { version: string }).version;
}
