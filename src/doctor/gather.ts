import { accessSync, constants, existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { freeMemory, memoryLimit } from '../node/memory';
import { writableCache } from '../node/cacheFolders';
import { swiftShaderIsPublished, unpackedSwiftShader } from '../node/swiftshader';
import { driverFiles, driverRestriction, findNvidiaLibrary, findVulkanLoader, type VulkanPlace } from '../node/vulkan';
import type {
  DeviceFacts,
  Facts,
  GpuFacts,
  PackageFacts,
  Release,
  SwiftShaderFacts,
  SystemFacts,
  Vendor,
  VulkanFacts,
} from './facts';

const VENDORS: Readonly<Record<string, Vendor>> = { '0x10de': 'nvidia', '0x1002': 'amd', '0x8086': 'intel' };

/** Everything but the adapters. */
export async function gather(): Promise<Omit<Facts, 'adapters'>> {
  const linux = process.platform === 'linux';
  const manifest = readManifest();
  return {
    node: { version: process.versions.node, needed: manifest.engines.node.replace(/^>=/, '') },
    system: gatherSystem(),
    packages: gatherPackages(manifest),
    swiftshader: await gatherSwiftShader(),
    ...(linux ? { vulkan: gatherVulkan() } : {}),
    gpus: linux ? gatherGpus() : [],
    devices: linux ? gatherDevices() : { render: [], nvidia: { nodes: false }, dxg: false },
  };
}

interface Manifest {
  readonly engines: { readonly node: string };
  readonly peerDependencies: Readonly<Record<string, string>>;
}

/** Peers that training can do without: SwiftShader's, and what only users of the library call. */
const OPTIONAL = '@sparticuz/chromium';
const OF_LIBRARY = 'ndarray';

/** The package.json of this program, which runs from dist/ or from src/. */
function readManifest(): Manifest {
  let folder = import.meta.dirname;
  while (!existsSync(join(folder, 'package.json')) && folder !== dirname(folder)) folder = dirname(folder);
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
}

/** The machine and its system. */
export function gatherSystem(): SystemFacts {
  const { platform, arch } = process;
  const libc = platform === 'linux' ? readLibc() : undefined;
  const release = platform === 'linux' ? readRelease() : undefined;
  const container = platform === 'linux' ? readContainer() : undefined;
  return {
    platform,
    arch,
    ...(libc ? { libc } : {}),
    ...(release ? { release } : {}),
    ...(container ? { container } : {}),
    cores: availableParallelism(),
    memory: { total: memoryLimit(), free: freeMemory() },
    wsl: /microsoft/i.test(readText('/proc/sys/kernel/osrelease') ?? ''),
    root: process.getuid?.() === 0,
  };
}

function readLibc(): NonNullable<SystemFacts['libc']> {
  const { header } = process.report.getReport() as unknown as { header: { glibcVersionRuntime?: string } };
  const version = header.glibcVersionRuntime;
  return version === undefined ? { name: 'musl' } : { name: 'glibc', version };
}

/** What /etc/os-release says of the distribution. */
export function readRelease(place: VulkanPlace = {}): Release | undefined {
  const text = readText('/etc/os-release', place) ?? readText('/usr/lib/os-release', place);
  if (text === undefined) return undefined;
  const values = new Map(
    [...text.matchAll(/^(\w+)=["']?(.*?)["']?$/gm)].map((match) => [match[1] ?? '', match[2] ?? '']),
  );
  const version = values.get('VERSION_ID');
  return {
    id: values.get('ID') ?? 'linux',
    like: (values.get('ID_LIKE') ?? '').split(' ').filter((id) => id !== ''),
    name: values.get('PRETTY_NAME') ?? values.get('ID') ?? 'Linux',
    ...(version ? { version } : {}),
  };
}

/** The kind of container that this system is; undefined where it is none. */
export function readContainer(place: VulkanPlace = {}): string | undefined {
  const { env = process.env } = place;
  if (existsAt('/run/.containerenv', place)) return 'Podman';
  if (existsAt('/.dockerenv', place)) return 'Docker';
  if (env['KUBERNETES_SERVICE_HOST']) return 'Kubernetes';
  const groups = readText('/proc/1/cgroup', place) ?? '';
  return env['container'] ?? /docker|kubepods|containerd|lxc/.exec(groups)?.[0];
}

function gatherPackages({ peerDependencies }: Manifest): PackageFacts[] {
  const require = createRequire(import.meta.url);
  const find = (name: string): PackageFacts => {
    // Not resolved by name: a package need not export its package.json.
    const paths = (require.resolve.paths(name) ?? []).map((folder) => join(folder, name, 'package.json'));
    const path = paths.find((candidate) => existsSync(candidate));
    const version = path && (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version;
    return { name, optional: name === OPTIONAL, ...(version ? { version } : {}) };
  };
  return Object.keys(peerDependencies)
    .filter((name) => name !== OF_LIBRARY)
    .map(find);
}

async function gatherSwiftShader(): Promise<SwiftShaderFacts> {
  const unpacked = await unpackedSwiftShader();
  const cache = await writableCache();
  return { supported: swiftShaderIsPublished(), ...(unpacked ? { unpacked } : {}), ...(cache ? { cache } : {}) };
}

function gatherVulkan(): VulkanFacts {
  const loader = findVulkanLoader();
  const variable = driverRestriction();
  return {
    ...(loader ? { loader } : {}),
    drivers: driverFiles(),
    ...(variable ? { restriction: { variable, value: process.env[variable] ?? '' } } : {}),
  };
}

/** The GPUs on the PCI bus. A virtual machine's or a server's plain display controller is none. */
export function gatherGpus(place: VulkanPlace = {}): GpuFacts[] {
  const bus = '/sys/bus/pci/devices';
  return namesIn(bus, place).flatMap((device): GpuFacts[] => {
    const read = (file: string): string => (readText(`${bus}/${device}/${file}`, place) ?? '').trim();
    const vendor = VENDORS[read('vendor')];
    if (vendor === undefined || !read('class').startsWith('0x03')) return [];
    return [{ vendor, id: `${read('vendor')}:${read('device')}`.replaceAll('0x', '') }];
  });
}

/** The doors to the GPUs that the kernel opens. */
export function gatherDevices(place: VulkanPlace = {}): DeviceFacts {
  const folder = '/dev/dri';
  const module = /(\d+\.\d+(?:\.\d+)?)/.exec(readText('/proc/driver/nvidia/version', place) ?? '')?.[1];
  const library = findNvidiaLibrary(place);
  return {
    render: namesIn(folder, place)
      .filter((name) => name.startsWith('renderD'))
      .map((name) => {
        const path = `${folder}/${name}`;
        return { path, openable: mayOpen(path, place), group: groupOf(path, place) };
      }),
    nvidia: {
      ...(module ? { module } : {}),
      nodes: namesIn('/dev', place).some((name) => /^nvidia\d+$/.test(name)),
      ...(library ? { library } : {}),
    },
    dxg: existsAt('/dev/dxg', place),
  };
}

function mayOpen(path: string, place: VulkanPlace): boolean {
  try {
    accessSync(at(path, place), constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** The name of the group that a file belongs to; its number where the system has no name for it. */
function groupOf(path: string, place: VulkanPlace): string {
  const id = String(statSync(at(path, place)).gid);
  const entries = (readText('/etc/group', place) ?? '').split('\n').map((line) => line.split(':'));
  return entries.find((entry) => entry[2] === id)?.[0] ?? id;
}

function readText(path: string, place: VulkanPlace = {}): string | undefined {
  try {
    return readFileSync(at(path, place), 'utf8');
  } catch {
    return undefined;
  }
}

function namesIn(folder: string, place: VulkanPlace): string[] {
  try {
    return readdirSync(at(folder, place)).sort();
  } catch {
    return [];
  }
}

function existsAt(path: string, place: VulkanPlace): boolean {
  return existsSync(at(path, place));
}

function at(path: string, { root = '/' }: VulkanPlace): string {
  return join(root, path);
}
