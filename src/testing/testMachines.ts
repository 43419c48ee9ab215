import type { DriverFile } from '../node/vulkan';
import type { AdapterDescription, Examined, Facts, Release } from '../doctor/facts';

// Machines for tests: a plain one with nothing but SwiftShader, and what others differ in.

export const RELEASES = {
  bookworm: { id: 'debian', like: [], name: 'Debian GNU/Linux 12 (bookworm)', version: '12' },
  trixie: { id: 'debian', like: [], name: 'Debian GNU/Linux 13 (trixie)', version: '13' },
  ubuntu: { id: 'ubuntu', like: ['debian'], name: 'Ubuntu 24.04.3 LTS', version: '24.04' },
  mint: { id: 'linuxmint', like: ['ubuntu', 'debian'], name: 'Linux Mint 22', version: '22' },
  fedora: { id: 'fedora', like: [], name: 'Fedora Linux 43', version: '43' },
  rocky: { id: 'rocky', like: ['rhel', 'centos', 'fedora'], name: 'Rocky Linux 10', version: '10.1' },
  arch: { id: 'arch', like: [], name: 'Arch Linux' },
  alpine: { id: 'alpine', like: [], name: 'Alpine Linux v3.22', version: '3.22.1' },
  void: { id: 'void', like: [], name: 'Void Linux' },
} as const satisfies Record<string, Release>;

const RIGHT = { error: 2.4e-7, tensor: 'y', limit: 1e-5, right: true, compileSeconds: 0.21, seconds: 0.012 };
export const WRONG = { ...RIGHT, error: 0.25, tensor: 'dx', right: false };

export function adapter(name: string, changes: Partial<AdapterDescription> = {}): Examined {
  const description: AdapterDescription = {
    description: name,
    vendor: '',
    device: name.toLowerCase(),
    software: false,
    bundled: false,
    features: ['subgroups', 'timestamp-query'],
    limits: {
      maxBufferSize: 2 ** 32,
      maxStorageBufferBindingSize: 2 ** 31,
      maxStorageBuffersPerShaderStage: 16,
      maxComputeWorkgroupStorageSize: 32768,
      maxComputeInvocationsPerWorkgroup: 1024,
    },
    subgroups: { min: 32, max: 32 },
    ...changes,
  };
  return { name, adapter: description, outcome: RIGHT };
}

export const SWIFTSHADER: Examined = {
  ...adapter('SwiftShader driver 5.0.0', { software: true, bundled: true, subgroups: { min: 4, max: 4 } }),
  name: 'swiftshader',
};

export const LAVAPIPE = adapter('llvmpipe (LLVM 19.1.7, 256 bits)', {
  description: 'llvmpipe: Mesa 25.0.7-2 (LLVM 19.1.7) 0.0.1',
  vendor: 'mesa',
  software: true,
});

export const RADEON = adapter('AMD Radeon 780M (RADV PHOENIX)', { vendor: 'amd' });
export const GEFORCE = adapter('NVIDIA GeForce RTX 4090', { vendor: 'nvidia' });

export const LOADER = '/usr/lib/x86_64-linux-gnu/libvulkan.so.1';
export const driver = (name: string): DriverFile => ({
  path: `/usr/share/vulkan/icd.d/${name}_icd.json`,
  library: `libvulkan_${name}.so`,
});

/** No loader, no driver, no GPU: SwiftShader alone. */
export const STRIPPED: Facts = {
  node: { version: '22.19.0', needed: '20.19' },
  system: {
    platform: 'linux',
    arch: 'x64',
    libc: { name: 'glibc', version: '2.36' },
    release: RELEASES.bookworm,
    cores: 8,
    memory: { total: 16 * 2 ** 30, free: 12 * 2 ** 30 },
    wsl: false,
    root: false,
  },
  packages: [
    { name: 'commander', optional: false, version: '14.0.3' },
    { name: 'webgpu', optional: false, version: '0.6.2' },
    { name: '@sparticuz/chromium', optional: true, version: '147.0.0' },
  ],
  swiftshader: {
    supported: true,
    unpacked: '/home/me/.cache/palimpsest/swiftshader-1',
    cache: '/home/me/.cache/palimpsest',
  },
  vulkan: { drivers: [] },
  gpus: [],
  devices: { render: [], nvidia: { nodes: false }, dxg: false },
  adapters: { listed: { names: [] }, chosen: SWIFTSHADER, others: [], culprits: [], complaints: [] },
};

/** The stripped machine with other facts; those of `system`, `devices` and `adapters` are laid over one by one. */
export function machine(changes: {
  readonly [Part in keyof Facts]?: Part extends 'system' | 'devices' | 'adapters' ? Partial<Facts[Part]> : Facts[Part];
}): Facts {
  const { system, devices, adapters, ...rest } = changes;
  return {
    ...STRIPPED,
    ...rest,
    system: { ...STRIPPED.system, ...system },
    devices: { ...STRIPPED.devices, ...devices },
    adapters: { ...STRIPPED.adapters, ...adapters },
  };
}
