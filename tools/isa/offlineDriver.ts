import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { UserError } from '../../src/common/userError';
import { findLibraryPath } from '../../src/node/vulkan';
import type { Chip } from './chips';

const HERE = resolve(import.meta.dirname, '..', 'tools', 'isa'); // of the built program in dist/
const BUILT = resolve(import.meta.dirname, 'isa');

/** How a process has to be started so that Dawn finds a chip. */
export interface OfflineGpu {
  /** The program that runs JavaScript. */
  readonly node: string;
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Makes a chip's driver ready.
 *
 * @param drivers a folder with a newer Mesa, its stand-ins for the kernel's drivers and a `node` that loads them
 * @throws UserError where a compiler, a header or the driver is missing
 */
export function openChip(name: string, { driver, env }: Chip, drivers: string | undefined): OfflineGpu {
  const file = `libvulkan_${driver}.so`;
  const settings = { ...env, VK_DRIVER_FILES: buildDriver(), MESA_SHADER_CACHE_DISABLE: 'true' };
  if (driver === 'radeon') {
    if (findLibraryPath(file) === undefined) {
      throw new UserError(
        `Mesa's driver for AMD, ${file}, is not here. On Debian and Ubuntu, \`apt install mesa-vulkan-drivers\` brings it.`,
      );
    }
    return { node: process.execPath, env: { ...settings, ISA_DRIVER: file } };
  }
  if (drivers === undefined) {
    throw new UserError(`--chip ${name} needs --drivers FOLDER: docs/kernels.md says what lies in it.`, {
      usage: true,
    });
  }
  const folder = resolve(drivers);
  const libraries = join(folder, 'root/usr/lib/x86_64-linux-gnu');
  const shim = driver === 'intel' ? join(folder, 'libintelshim.so') : join(libraries, `lib${driver}_noop_drm_shim.so`);
  const node = join(folder, 'node');
  const missing = [node, shim, join(libraries, file)].find((path) => !existsSync(path));
  if (missing !== undefined) throw new UserError(`--drivers: ${missing} is not there.`, { usage: true });
  return { node, env: { ...settings, ISA_DRIVER: join(libraries, file), LD_PRELOAD: shim } };
}

/** Compiles the driver without hardware, where it is not up to date. @returns the file by which the Vulkan loader finds it */
function buildDriver(): string {
  const source = join(HERE, 'offlineDriver.c');
  const library = join(BUILT, 'offlineDriver.so');
  const file = join(BUILT, 'offlineDriver.json');
  if (!existsSync(library) || statSync(library).mtimeMs < statSync(source).mtimeMs) {
    if (!existsSync('/usr/include/vulkan/vulkan.h')) {
      throw new UserError(
        "Vulkan's headers are missing. On Debian and Ubuntu, `apt install libvulkan-dev gcc` brings what is needed.",
      );
    }
    mkdirSync(BUILT, { recursive: true });
    try {
      execFileSync('cc', ['-O1', '-shared', '-fPIC', '-o', library, source, '-ldl'], {
        stdio: ['ignore', 'ignore', 'pipe'],
      });
    } catch (error) {
      const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
      throw new UserError(
        isMissing ? 'A C compiler is missing. On Debian and Ubuntu, `apt install gcc` brings one.' : String(error),
      );
    }
  }
  writeFileSync(
    file,
    JSON.stringify({ file_format_version: '1.0.1', ICD: { library_path: library, api_version: '1.4.305' } }),
  );
  return file;
}
