import { containerCommand, fixFor, nvidiaDriverFile, unsetFix, type Need } from './commands';
import type { Examined, Facts, Vendor } from './facts';
import type { Finding, Fix, DoctorFinding } from './report';

const NAMES: Readonly<Record<Vendor, { readonly title: string; readonly pattern: RegExp }>> = {
  nvidia: { title: 'NVIDIA', pattern: /nvidia|geforce|quadro|tesla/i },
  amd: { title: 'AMD', pattern: /amd|radeon/i },
  intel: { title: 'Intel', pattern: /intel/i },
};

/** The GPUs that the machine has, and why one that it has is no adapter. */
export function judgeGpus(facts: Facts): DoctorFinding {
  const { gpus, devices, adapters, system } = facts;
  const vendors = vendorsOf(facts);
  const hardware = [adapters.chosen, ...adapters.others].filter(isHardware);

  const findings: Finding[] = [];
  const fixes: Fix[] = [];
  for (const vendor of vendors) {
    const ids = gpus.filter((gpu) => gpu.vendor === vendor).map(({ id }) => id);
    const name = `${NAMES[vendor].title} GPU${ids.length > 0 ? ` (${ids.join(', ')})` : ''}`;
    const shown = hardware.find((adapter) => isOf(adapter, vendor));
    if (shown) {
      findings.push({ mark: 'ok', text: `${name}: its driver shows it` });
      continue;
    }
    const { why, fix } = vendor === 'nvidia' ? judgeNvidia(facts) : judgeMesa(facts, vendor);
    findings.push({ mark: hardware.length > 0 ? 'warning' : 'missing', text: `${name}: ${why}` });
    fixes.push(...fix);
  }
  if (vendors.size === 0) findings.push(...withoutPci(hardware));
  if (devices.dxg) {
    findings.push({
      mark: 'warning',
      text: 'WSL: the GPU belongs to Windows, and few distributions have a Vulkan driver for it. Node.js for Windows uses it by Direct3D 12.',
    });
    fixes.push({
      title: 'In PowerShell, with Node.js for Windows, in a copy of this folder (untested):',
      commands: ['npm ci', 'node train.js'],
    });
  }
  const locked = devices.render.filter(({ openable }) => !openable);
  if (vendors.size === 0 && locked.length > 0 && hardware.length === 0) {
    const { why, fix } = judgeLocked(facts);
    findings.push({ mark: 'missing', text: `a GPU: ${why}` });
    fixes.push(...fix);
  }
  if (system.platform !== 'linux') {
    findings.push({
      mark: 'warning',
      text: 'What this machine has is not looked for here: macOS and Windows bring their own drivers.',
    });
  }
  return { findings, fixes };
}

/** Whether this machine has a GPU, by whatever sign. */
export function hasGpu(facts: Facts): boolean {
  const { render, dxg } = facts.devices;
  return vendorsOf(facts).size > 0 || dxg || render.some(({ openable }) => !openable);
}

function vendorsOf({ gpus, devices: { nvidia } }: Facts): Set<Vendor> {
  const vendors = new Set(gpus.map(({ vendor }) => vendor));
  // Some containers hide the PCI bus.
  if (nvidia.nodes || nvidia.module !== undefined) vendors.add('nvidia');
  return vendors;
}

export function isHardware({ adapter }: Examined): boolean {
  return adapter !== undefined && !adapter.software;
}

function isOf({ adapter, name }: Examined, vendor: Vendor): boolean {
  return adapter?.vendor === vendor || NAMES[vendor].pattern.test(`${name} ${adapter?.description ?? ''}`);
}

function withoutPci(hardware: readonly Examined[]): Finding[] {
  if (hardware.length > 0) return [{ mark: 'ok', text: 'a driver shows one' }];
  return [{ mark: 'warning', text: 'none: neither on the PCI bus nor by a driver' }];
}

interface Reason {
  readonly why: string;
  readonly fix: readonly Fix[];
}

function judgeNvidia({ system, devices, vulkan, adapters }: Facts): Reason {
  const { module, nodes, library } = devices.nvidia;
  const install = (need: Need, title: string): Fix[] => [fixFor(need, title, system, module)];
  const restart: Fix = {
    title: 'Outside, start the container again with the whole driver (the host needs the NVIDIA Container Toolkit):',
    commands: [containerCommand('nvidia')],
  };
  if (system.container !== undefined && !nodes) return { why: 'this container was started without it', fix: [restart] };
  if (module === undefined && !nodes) {
    return { why: "NVIDIA's driver is not installed, or not loaded", fix: install('nvidia', "NVIDIA's driver") };
  }
  if (library === undefined) {
    return system.container === undefined
      ? {
          why: "the part of NVIDIA's driver for Vulkan is missing",
          fix: install('nvidia-vulkan', "NVIDIA's driver for Vulkan"),
        }
      : { why: 'this container has only the part of its driver for CUDA', fix: [restart] };
  }
  if (vulkan?.restriction)
    return { why: `${vulkan.restriction.variable} hides its driver`, fix: [unsetFix(vulkan.restriction.variable)] };
  if (vulkan?.loader === undefined) {
    return {
      why: 'its driver is there, the Vulkan loader is not',
      fix: install('nvidia-libraries', 'The Vulkan loader'),
    };
  }
  if (
    !vulkan.drivers.some(
      ({ library: path, problem }) => path !== undefined && /nvidia/i.test(path) && problem === undefined,
    )
  ) {
    return {
      why: 'its library is there, the driver file nvidia_icd.json is not',
      fix: [{ title: "NVIDIA's driver file:", commands: nvidiaDriverFile(system) }],
    };
  }
  const complaint = adapters.complaints.find((text) => text.includes('cannot open shared object file'));
  if (complaint !== undefined) {
    return {
      why: `its driver does not load: ${complaint}`,
      fix: install('nvidia-libraries', "Libraries that NVIDIA's driver opens"),
    };
  }
  return { why: 'its driver shows no adapter. Was the driver updated? Then a restart of the machine helps', fix: [] };
}

function judgeMesa(facts: Facts, vendor: 'amd' | 'intel'): Reason {
  const { system, devices, vulkan } = facts;
  const { title } = NAMES[vendor];
  if (devices.render.length === 0) {
    return system.container === undefined
      ? {
          why: 'the kernel has no driver for it loaded: there is no /dev/dri/renderD*',
          fix: [
            { title: 'What the kernel says of it:', commands: ["sudo dmesg | grep -iE 'amdgpu|radeon|i915|xe|drm'"] },
          ],
        }
      : {
          why: 'this container was started without it',
          fix: [{ title: 'Outside, start the container again with the GPU:', commands: [containerCommand(vendor)] }],
        };
  }
  if (devices.render.every(({ openable }) => !openable)) return judgeLocked(facts);
  if (vulkan?.restriction)
    return { why: `${vulkan.restriction.variable} hides its driver`, fix: [unsetFix(vulkan.restriction.variable)] };
  const driver = { amd: /radeon|amd/i, intel: /intel|anv/i }[vendor];
  const installed =
    vulkan?.loader && vulkan.drivers.some(({ path, problem }) => driver.test(path) && problem === undefined);
  return {
    why: installed ? 'its driver shows no adapter; a newer one may' : 'its Vulkan driver is missing',
    fix: [fixFor(vendor, `Mesa's driver for ${title} GPUs`, system)],
  };
}

/** A GPU's device file that this user may not open. */
function judgeLocked({ system, devices }: Facts): Reason {
  const { path = '', group = 'render' } = devices.render.find(({ openable }) => !openable) ?? {};
  const why = `you may not open ${path}: it belongs to the group ${group}`;
  return system.container === undefined
    ? {
        why,
        fix: [
          {
            title: `Join the group ${group}, then log out and in again:`,
            commands: [`sudo usermod -aG ${group} $USER`],
          },
        ],
      }
    : {
        why,
        fix: [
          {
            title: 'Outside, start the container again in that group:',
            commands: [containerCommand('amd', `$(stat -c %g ${path})`)],
          },
        ],
      };
}
