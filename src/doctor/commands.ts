import type { SystemFacts, Vendor } from './facts';
import type { Fix } from './report';

/** What one can lack of a driver. */
export type Need =
  /** The Vulkan loader alone. */
  | 'loader'
  /** The loader and lavapipe. */
  | 'lavapipe'
  /** The loader and Mesa's driver for a GPU. */
  | 'amd'
  | 'intel'
  /** NVIDIA's driver, from the kernel's module up. */
  | 'nvidia'
  /** The part of NVIDIA's driver that Vulkan needs, where the rest is there. */
  | 'nvidia-vulkan'
  /** Libraries that NVIDIA's Vulkan part opens, which a container's bare system lacks. */
  | 'nvidia-libraries';

const FAMILIES = ['debian', 'ubuntu', 'fedora', 'arch'] as const;
type Family = (typeof FAMILIES)[number];

/** Debian 12 has a Mesa too old; the script takes it from the backports of the mirror that the system uses. */
const BACKPORTS = 'bash tools/install-lavapipe.sh';
const APT = 'apt-get update && apt-get install -y';

/**
 * The exact commands that bring what is lacking on a distribution.
 *
 * @param module the version of NVIDIA's kernel module, which its libraries must match
 * @returns undefined where they are not known: say it in words then
 */
export function commandsFor(need: Need, system: SystemFacts, module?: string): string[] | undefined {
  const family = familyOf(system);
  if (family === undefined) return undefined;
  return TABLE[family](need, system, module)?.map((command) => asRoot(command, system));
}

/** Each need in words, for a distribution whose commands are not known. */
const WORDS: Readonly<Record<Need, string>> = {
  loader: 'the Vulkan loader, libvulkan.so.1',
  lavapipe: "the Vulkan loader, libvulkan.so.1, and Mesa's Vulkan drivers, 25 or later",
  amd: "the Vulkan loader, libvulkan.so.1, and Mesa's Vulkan drivers, 25 or later",
  intel: "the Vulkan loader, libvulkan.so.1, and Mesa's Vulkan drivers, 25 or later",
  nvidia: "NVIDIA's driver with its Vulkan part, and the Vulkan loader, libvulkan.so.1",
  'nvidia-vulkan': "the part of NVIDIA's driver that holds libGLX_nvidia.so.0, of the kernel module's version",
  'nvidia-libraries': 'the Vulkan loader, libvulkan.so.1, and libXext.so.6 and libEGL.so.1',
};

/** What brings a need: commands where they are known, else words. */
export function fixFor(need: Need, title: string, system: SystemFacts, module?: string): Fix {
  const commands = commandsFor(need, system, module);
  if (commands) return { title: `${title}:`, commands };
  return {
    title: `${title}: install from the packages of ${system.release?.name ?? 'this system'}: ${WORDS[need]}.`,
    commands: [],
  };
}

function familyOf({ release, libc }: SystemFacts): Family | undefined {
  if (release === undefined || libc?.name === 'musl') return undefined;
  return [release.id, ...release.like].flatMap((id) => FAMILIES.find((family) => family === id) ?? [])[0];
}

const TABLE: Readonly<Record<Family, (need: Need, system: SystemFacts, module?: string) => string[] | undefined>> = {
  debian(need, { release, arch }) {
    const bookworm = release?.version === '12';
    switch (need) {
      case 'loader':
        return [`${APT} libvulkan1`];
      case 'lavapipe':
      case 'amd':
      case 'intel':
        return [bookworm ? BACKPORTS : `${APT} mesa-vulkan-drivers libvulkan1`];
      case 'nvidia':
        return [
          "sed -i -E 's/^((deb|Components:) .*\\bmain\\b).*/\\1 contrib non-free non-free-firmware/' " +
            '$(ls /etc/apt/sources.list /etc/apt/sources.list.d/debian.sources 2>/dev/null)',
          `${APT} linux-headers-${arch === 'x64' ? 'amd64' : arch} nvidia-driver nvidia-vulkan-icd`,
          'reboot',
        ];
      case 'nvidia-vulkan':
        return [`${APT} libvulkan1 nvidia-vulkan-icd`];
      case 'nvidia-libraries':
        return [`${APT} libvulkan1 libxext6 libegl1`];
    }
  },
  ubuntu(need, _, module) {
    switch (need) {
      case 'loader':
        return [`${APT} libvulkan1`];
      case 'lavapipe':
      case 'amd':
      case 'intel':
        return [`${APT} mesa-vulkan-drivers libvulkan1`];
      case 'nvidia':
        return [`${APT} ubuntu-drivers-common libvulkan1`, 'ubuntu-drivers install', 'reboot'];
      case 'nvidia-vulkan': {
        const major = module?.split('.')[0];
        return major === undefined ? undefined : [`${APT} libvulkan1 libnvidia-gl-${major}`];
      }
      case 'nvidia-libraries':
        return [`${APT} libvulkan1 libxext6 libegl1`];
    }
  },
  fedora(need, { release }) {
    switch (need) {
      case 'loader':
        return ['dnf install -y vulkan-loader'];
      case 'lavapipe':
      case 'amd':
      case 'intel':
        return ['dnf install -y vulkan-loader mesa-vulkan-drivers'];
      case 'nvidia':
        if (release?.id !== 'fedora') return undefined;
        return [
          'dnf install -y fedora-workstation-repositories',
          'dnf config-manager setopt rpmfusion-nonfree-nvidia-driver.enabled=1',
          'dnf install -y vulkan-loader akmod-nvidia',
          'reboot',
        ];
      case 'nvidia-vulkan':
        return ['dnf install -y vulkan-loader xorg-x11-drv-nvidia-libs'];
      case 'nvidia-libraries':
        return ['dnf install -y vulkan-loader libXext libglvnd-egl'];
    }
  },
  arch(need) {
    const packages: Readonly<Record<Need, string>> = {
      loader: 'vulkan-icd-loader',
      lavapipe: 'vulkan-icd-loader vulkan-swrast',
      amd: 'vulkan-icd-loader vulkan-radeon',
      intel: 'vulkan-icd-loader vulkan-intel',
      nvidia: 'vulkan-icd-loader nvidia-open nvidia-utils',
      'nvidia-vulkan': 'vulkan-icd-loader nvidia-utils',
      'nvidia-libraries': 'vulkan-icd-loader libxext libglvnd',
    };
    return [`pacman -S --needed ${packages[need]}`, ...(need === 'nvidia' ? ['reboot'] : [])];
  },
};

/** Each program of a command line run as root. */
function asRoot(command: string, { root }: SystemFacts): string {
  return root
    ? command
    : command
        .split(' && ')
        .map((part) => `sudo ${part}`)
        .join(' && ');
}

/** How a container is started again so that it has a GPU; run outside it, with the image's own name. */
export function containerCommand(vendor: Vendor, group?: string): string {
  if (vendor === 'nvidia') return 'docker run --gpus all -e NVIDIA_DRIVER_CAPABILITIES=all IMAGE';
  return `docker run --device /dev/dri${group === undefined ? '' : ` --group-add ${group}`} IMAGE`;
}

/** Makes NVIDIA's library known to the Vulkan loader. */
export function nvidiaDriverFile(system: SystemFacts): string[] {
  const content = '{"file_format_version":"1.0.0","ICD":{"library_path":"libGLX_nvidia.so.0","api_version":"1.3.0"}}';
  return [
    asRoot('mkdir -p /etc/vulkan/icd.d', system),
    `echo '${content}' | ${asRoot('tee /etc/vulkan/icd.d/nvidia_icd.json', system)}`,
  ];
}

/** Takes back the variable that hides drivers. */
export function unsetFix(variable: string): Fix {
  return { title: 'To let the loader see every driver again:', commands: [`unset ${variable}`] };
}
