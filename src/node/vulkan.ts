import { closeSync, openSync, readdirSync, readFileSync, readSync, statSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';

// What the Vulkan loader of a Linux system would find, known before anything is loaded.

/** Where to look: a test gives a folder that stands for the system, and an environment of its own. */
export interface VulkanPlace {
  readonly root?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** A file by which a driver makes itself known to the Vulkan loader. */
export interface DriverFile {
  readonly path: string;
  /** The driver's library as the file names it. */
  readonly library?: string;
  /** Why it brings no driver; undefined where nothing is wrong with it. */
  readonly problem?: string;
  /** Its library is made for another processor: the loader passes over it, and nothing is wrong. */
  readonly foreign?: boolean;
}

/** Where libraries lie that the linker finds by itself, and with them every distribution's Vulkan loader. */
const LIBRARY_FOLDERS = ['/lib', '/usr/lib', '/lib64', '/usr/lib64'];
const MULTIARCH: Partial<Record<string, string>> = { x64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' };
/** ELF's numbers of processors. */
const MACHINES: Partial<Record<string, number>> = { x64: 62, arm64: 183 };

/** The variables that take the place of the loader's own search: the first that is set, even to nothing. */
const RESTRICTIONS = ['VK_DRIVER_FILES', 'VK_ICD_FILENAMES'] as const;

/** NVIDIA's driver for Vulkan, where it is installed. */
export function findNvidiaLibrary(place: VulkanPlace = {}): string | undefined {
  return findLibraryPath('libGLX_nvidia.so.0', place);
}

/** The path of the Vulkan loader that opening `libvulkan.so.1` would load; undefined where there is none. */
export function findVulkanLoader(place: VulkanPlace = {}): string | undefined {
  return findLibraryPath('libvulkan.so.1', place);
}

/** The path of the library that opening `name` would load; undefined where there is none. */
export function findLibraryPath(name: string, place: VulkanPlace = {}): string | undefined {
  const found = findLibrary(name, place);
  return found?.kind === 'library' ? found.path : undefined;
}

/** The variable that hides all drivers but those it names, where one is set. */
export function driverRestriction({ env = process.env }: VulkanPlace = {}): string | undefined {
  return RESTRICTIONS.find((variable) => env[variable] !== undefined);
}

/** The driver files in the order in which the loader reads them. */
export function driverFiles(place: VulkanPlace = {}): DriverFile[] {
  const { env = process.env } = place;
  const restriction = driverRestriction(place);
  const named = pathsOf(env[restriction ?? 'VK_ADD_DRIVER_FILES']).flatMap((path) =>
    statOf(path, place)?.isDirectory() ? filesIn(path, place) : [path],
  );
  const searched = restriction ? [] : driverFolders(env).flatMap((folder) => filesIn(folder, place));
  return [...new Set([...named, ...searched])].map((path) => readDriverFile(path, place));
}

/**
 * Whether the loader could find a driver at all. Where it can't, Dawn finds no adapter, and says so in lines that look
 * like a failure. A loader outside the system's own folders may search in places of its own: it might.
 */
export function mayHaveDrivers(place: VulkanPlace = {}): boolean {
  const loader = findVulkanLoader(place);
  if (loader === undefined) return false;
  const standard = LIBRARY_FOLDERS.some((folder) => loader.startsWith(`${folder}/`));
  return !standard || driverFiles(place).some(({ problem, foreign }) => problem === undefined && !foreign);
}

/** The folders of the loader's search path, as its documentation lists them. */
function driverFolders(env: NonNullable<VulkanPlace['env']>): string[] {
  const home = env['HOME'];
  const own = (variable: string, fallback: string): string[] =>
    env[variable] ? pathsOf(env[variable]) : home ? [join(home, fallback)] : [];
  const folders = [
    ...own('XDG_CONFIG_HOME', '.config'),
    ...pathsOf(env['XDG_CONFIG_DIRS'] || '/etc/xdg'),
    '/etc',
    ...own('XDG_DATA_HOME', '.local/share'),
    ...pathsOf(env['XDG_DATA_DIRS'] || '/usr/local/share:/usr/share'),
  ];
  return folders.map((folder) => join(folder, 'vulkan', 'icd.d'));
}

function filesIn(folder: string, place: VulkanPlace): string[] {
  try {
    const names = readdirSync(within(folder, place)).filter((name) => name.endsWith('.json'));
    return names.sort().map((name) => join(folder, name));
  } catch {
    return []; // it need not be there
  }
}

function readDriverFile(path: string, place: VulkanPlace): DriverFile {
  let text: string;
  try {
    text = readFileSync(within(path, place), 'utf8');
  } catch (error) {
    const absent = (error as NodeJS.ErrnoException).code === 'ENOENT';
    return { path, problem: absent ? 'there is no such file' : 'it cannot be read' };
  }
  const library = libraryPath(text);
  if (library === undefined) return { path, problem: 'it is not a driver file: JSON with ICD.library_path' };
  const found = library.includes('/')
    ? libraryAt(isAbsolute(library) ? library : join(dirname(path), library), place)
    : findLibrary(library, place);
  if (!found) return { path, library, problem: `its library ${library} is missing` };
  if (found.kind === 'foreign') return { path, library, foreign: true };
  return found.kind === 'library' ? { path, library } : { path, library, problem: `its library ${library} is broken` };
}

function libraryPath(text: string): string | undefined {
  try {
    const path = (JSON.parse(text) as { ICD?: { library_path?: unknown } } | null)?.ICD?.library_path;
    return typeof path === 'string' && path !== '' ? path : undefined;
  } catch {
    return undefined;
  }
}

interface Library {
  readonly path: string;
  /** `foreign` is for another processor. */
  readonly kind: 'library' | 'foreign' | 'broken';
}

/** A library as `dlopen` finds it by its name: the best of what there is. */
function findLibrary(name: string, place: VulkanPlace): Library | undefined {
  const { env = process.env } = place;
  const multiarch = MULTIARCH[process.arch];
  const folders = multiarch ? LIBRARY_FOLDERS.flatMap((folder) => [join(folder, multiarch), folder]) : LIBRARY_FOLDERS;
  const paths = [
    ...pathsOf(env['LD_LIBRARY_PATH']).map((folder) => join(folder, name)),
    ...cachedPaths(name, place),
    ...folders.map((folder) => join(folder, name)),
  ];
  const found = paths.flatMap((path) => libraryAt(path, place) ?? []);
  return found.find(({ kind }) => kind === 'library') ?? found[0];
}

/** The paths of a library in the linker's cache, a binary file in which each path ends with a zero. */
function cachedPaths(name: string, place: VulkanPlace): string[] {
  try {
    const strings = readFileSync(within('/etc/ld.so.cache', place), 'latin1').split('\0');
    return strings.flatMap((text) => (text.endsWith(`/${name}`) ? text.slice(text.indexOf('/')) : []));
  } catch {
    return [];
  }
}

/** What the file at `path` is; undefined where there is none. */
function libraryAt(path: string, place: VulkanPlace): Library | undefined {
  if (!statOf(path, place)?.isFile()) return undefined;
  const head = Buffer.alloc(20);
  try {
    const file = openSync(within(path, place), 'r');
    try {
      readSync(file, head, 0, head.length, 0);
    } finally {
      closeSync(file);
    }
  } catch {
    return { path, kind: 'broken' };
  }
  if (!head.subarray(0, 4).equals(Buffer.from('\x7fELF', 'latin1'))) return { path, kind: 'broken' };
  return {
    path,
    kind: head.readUInt16LE(18) === (MACHINES[process.arch] ?? head.readUInt16LE(18)) ? 'library' : 'foreign',
  };
}

function pathsOf(list: string | undefined): string[] {
  return (list ?? '').split(':').filter((path) => path !== '');
}

function within(path: string, { root = '/' }: VulkanPlace): string {
  return isAbsolute(path) ? join(root, path) : path;
}

function statOf(path: string, place: VulkanPlace): ReturnType<typeof statSync> | undefined {
  try {
    return statSync(within(path, place), { throwIfNoEntry: false });
  } catch {
    return undefined; // behind a folder that this user may not enter
  }
}
