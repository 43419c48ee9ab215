import { describe, expect, it } from 'vitest';
import type { Facts } from './facts';
import { judge } from './judge';
import type { Finding, Report } from './report';
import {
  adapter,
  driver,
  GEFORCE,
  LAVAPIPE,
  LOADER,
  machine,
  RADEON,
  RELEASES,
  STRIPPED,
  SWIFTSHADER,
  WRONG,
} from '../testing/testMachines';

const commands = ({ fixes }: Report): string[] => fixes.flatMap((fix) => fix.commands);
const section = ({ sections }: Report, title: string): readonly Finding[] =>
  sections.find((each) => each.title === title)?.findings ?? [];
const marked = ({ sections, verdict }: Report, ...marks: Finding['mark'][]): string[] =>
  [...sections.flatMap(({ findings }) => findings), verdict].flatMap(({ mark, text }) =>
    marks.includes(mark) ? text : [],
  );

const RENDER = { path: '/dev/dri/renderD128', openable: true, group: 'render' };

describe('a laptop with a GPU whose driver works', () => {
  const report = judge(
    machine({
      vulkan: { loader: LOADER, drivers: [driver('radeon'), driver('lvp')] },
      gpus: [{ vendor: 'amd', id: '1002:15bf' }],
      devices: { render: [RENDER] },
      adapters: { listed: { names: [RADEON.name, LAVAPIPE.name] }, chosen: RADEON, others: [LAVAPIPE, SWIFTSHADER] },
    }),
  );

  it('lacks nothing', () => {
    expect(report).toMatchObject({ usable: true, fixes: [], verdict: { mark: 'ok' } });
    expect(report.verdict.text).toContain(`uses the GPU ${RADEON.name}`);
    expect(marked(report, 'missing', 'broken')).toEqual([]);
    expect(section(report, 'Adapters').map(({ mark }) => mark)).toEqual(['ok', 'warning', 'warning']);
  });
});

describe('a machine with nothing but SwiftShader', () => {
  const report = judge(STRIPPED);

  it('can train, slowly, and is told how to be faster', () => {
    expect(report).toMatchObject({ usable: true, verdict: { mark: 'warning' } });
    expect(report.verdict.text).toMatch(/SwiftShader.*no GPU was found/);
    expect(report.verdict.details?.[0]).toMatch(/^SLOW/);
    expect(marked(report, 'missing', 'broken')).toEqual([]);
    expect(commands(report)).toEqual(['sudo bash tools/install-lavapipe.sh']);
  });

  it('with lavapipe as well, lacks nothing and hears why lavapipe is taken', () => {
    const both = judge(
      machine({
        vulkan: { loader: LOADER, drivers: [driver('lvp')] },
        adapters: { listed: { names: [LAVAPIPE.name] }, chosen: LAVAPIPE, others: [SWIFTSHADER] },
      }),
    );
    expect(both.fixes).toEqual([]);
    expect(both.verdict.text).toMatch(/lavapipe .*lavapipe comes before SwiftShader, as it is faster/);
  });

  it('without even that, cannot train', () => {
    const nothing = judge(
      machine({
        packages: STRIPPED.packages.map(({ name, optional, version }) =>
          optional ? { name, optional } : { name, optional, version: version ?? '' },
        ),
        adapters: { chosen: { name: 'any', outcome: { failure: 'refused', message: 'No WebGPU adapter was found.' } } },
      }),
    );
    expect(nothing).toMatchObject({ usable: false, verdict: { mark: 'missing' } });
    expect(section(nothing, 'Adapters')).toEqual([{ mark: 'missing', text: 'none' }]);
    expect(commands(nothing)).toEqual(['npm ci', 'sudo bash tools/install-lavapipe.sh']);
  });

  it('because a variable hides its drivers, is told to unset it and to install nothing', () => {
    const hidden = judge(
      machine({
        vulkan: {
          loader: LOADER,
          drivers: [{ path: '/nope.json', problem: 'there is no such file' }],
          restriction: { variable: 'VK_DRIVER_FILES', value: '/nope.json' },
        },
      }),
    );
    expect(commands(hidden)).toEqual(['unset VK_DRIVER_FILES']);
    expect(hidden.verdict.text).toContain('VK_DRIVER_FILES hides the drivers');
  });
});

describe('lavapipe of an old Mesa', () => {
  it('is to be replaced', () => {
    const old = adapter('llvmpipe (LLVM 15.0.6, 256 bits)', {
      description: 'llvmpipe: Mesa 22.3.6 (LLVM 15.0.6)',
      software: true,
    });
    const report = judge(
      machine({
        vulkan: { loader: LOADER, drivers: [driver('lvp')] },
        adapters: { listed: { names: [old.name] }, chosen: old },
      }),
    );
    expect(marked(report, 'warning')).toContain('lavapipe is of Mesa 22.3; Dawn wants 25 or later');
    expect(commands(report)).toEqual(['sudo bash tools/install-lavapipe.sh']);
  });
});

describe('musl', () => {
  it('is what is wrong, and no driver helps', () => {
    const refused = { failure: 'refused', message: 'The npm package webgpu cannot be loaded on linux-x64' } as const;
    const report = judge(
      machine({
        system: { libc: { name: 'musl' }, release: RELEASES.alpine },
        adapters: {
          listed: refused,
          chosen: { name: 'any', outcome: refused },
          others: [{ name: 'swiftshader', outcome: refused }],
        },
      }),
    );
    expect(report.usable).toBe(false);
    expect(marked(report, 'broken')[0]).toMatch(/musl.*Dawn.*needs glibc/);
    expect(commands(report)).toEqual([expect.stringMatching(/^docker run .*npm ci && npm run doctor/)]);
  });
});

describe('an NVIDIA GPU', () => {
  const gpus = [{ vendor: 'nvidia', id: '10de:2684' }] as const;
  const library = '/usr/lib/x86_64-linux-gnu/libGLX_nvidia.so.0';
  const nvidia = { module: '570.86.15', nodes: true };
  const vulkan = { loader: LOADER, drivers: [driver('lvp')] };
  const software = { listed: { names: [LAVAPIPE.name] }, chosen: LAVAPIPE, others: [SWIFTSHADER] };

  it('that works is no trouble, even where the PCI bus is hidden', () => {
    const report = judge(
      machine({ vulkan, devices: { nvidia: { ...nvidia, library } }, adapters: { chosen: GEFORCE } }),
    );
    expect(section(report, 'GPU')).toEqual([{ mark: 'ok', text: 'NVIDIA GPU: its driver shows it' }]);
    expect(report.fixes).toEqual([]);
  });

  it('that no driver shows is told of in the verdict too, even where the PCI bus is hidden', () => {
    const report = judge(machine({ vulkan, devices: { nvidia }, adapters: software }));
    expect(report.verdict.text).toContain('this machine has a GPU, but no driver shows it');
  });

  it.each([
    ['ubuntu', /sudo ubuntu-drivers install/],
    ['mint', /sudo ubuntu-drivers install/],
    ['trixie', /nvidia-driver nvidia-vulkan-icd/],
    ['fedora', /akmod-nvidia/],
    ['arch', /sudo pacman -S --needed vulkan-icd-loader nvidia-open nvidia-utils/],
  ] as const)('without its driver, on %s', (release, command) => {
    const report = judge(machine({ gpus, vulkan, system: { release: RELEASES[release] }, adapters: software }));
    expect(marked(report, 'missing')).toEqual([expect.stringContaining("NVIDIA's driver is not installed")]);
    expect(commands(report).join('\n')).toMatch(command);
    expect(commands(report).at(-1)).toBe('sudo reboot');
    expect(report.verdict.details?.[1]).toMatch(/commands below bring the driver/);
  });

  it.each([
    ['ubuntu', 'libnvidia-gl-570'],
    ['bookworm', 'nvidia-vulkan-icd'],
    ['fedora', 'xorg-x11-drv-nvidia-libs'],
  ] as const)('without the Vulkan part of its driver, on %s', (release, name) => {
    const report = judge(
      machine({ gpus, vulkan, devices: { nvidia }, system: { release: RELEASES[release] }, adapters: software }),
    );
    expect(commands(report)).toEqual([expect.stringContaining(name)]);
  });

  describe('in a container', () => {
    const inContainer = (devices: object, more: Parameters<typeof machine>[0] = {}): Report =>
      judge(
        machine({ gpus, vulkan, adapters: software, ...more, devices, system: { container: 'Docker', root: true } }),
      );
    const restart = 'docker run --gpus all -e NVIDIA_DRIVER_CAPABILITIES=all IMAGE';

    it('that was not given it', () => {
      const report = inContainer({});
      expect(marked(report, 'missing')[0]).toContain('this container was started without it');
      expect(commands(report)).toEqual([restart]);
    });

    it('that was given CUDA alone', () => {
      const report = inContainer({ nvidia });
      expect(marked(report, 'missing')[0]).toContain('only the part of its driver for CUDA');
      expect(commands(report)).toEqual([restart]);
    });

    it('without the driver file', () => {
      const report = inContainer({ nvidia: { ...nvidia, library } });
      expect(marked(report, 'missing')[0]).toContain('nvidia_icd.json is not');
      expect(commands(report).join('\n')).toMatch(
        /^mkdir .*\necho '\{.*libGLX_nvidia\.so\.0.*' \| tee .*nvidia_icd\.json$/,
      );
    });

    it('without the loader', () => {
      const report = inContainer({ nvidia: { ...nvidia, library } }, { vulkan: { drivers: [] }, adapters: {} });
      expect(commands(report)).toContain('apt-get update && apt-get install -y libvulkan1 libxext6 libegl1');
    });

    it('without a library that the driver opens', () => {
      const report = inContainer(
        { nvidia: { ...nvidia, library } },
        {
          vulkan: {
            loader: LOADER,
            drivers: [{ path: '/etc/vulkan/icd.d/nvidia_icd.json', library: 'libGLX_nvidia.so.0' }, driver('lvp')],
          },
          adapters: {
            ...software,
            complaints: ['libXext.so.6: cannot open shared object file: No such file or directory'],
          },
        },
      );
      expect(marked(report, 'missing')[0]).toContain('libXext.so.6');
      expect(commands(report)).toEqual(['apt-get update && apt-get install -y libvulkan1 libxext6 libegl1']);
    });
  });
});

describe('an AMD or Intel GPU', () => {
  const gpus = [{ vendor: 'intel', id: '8086:a7a0' }] as const;
  const vulkan = { loader: LOADER, drivers: [driver('lvp')] };
  const software = { listed: { names: [LAVAPIPE.name] }, chosen: LAVAPIPE, others: [SWIFTSHADER] };

  it('that this user may not open', () => {
    const locked = { render: [{ ...RENDER, openable: false }] };
    const drivers = { loader: LOADER, drivers: [driver('intel'), driver('lvp')] };
    const report = judge(machine({ gpus, vulkan: drivers, devices: locked, adapters: software }));
    expect(marked(report, 'missing')[0]).toContain(
      'you may not open /dev/dri/renderD128: it belongs to the group render',
    );
    expect(commands(report)).toEqual(['sudo usermod -aG render $USER']);

    const contained = judge(
      machine({ gpus, vulkan: drivers, devices: locked, adapters: software, system: { container: 'Docker' } }),
    );
    expect(commands(contained)).toEqual([
      'docker run --device /dev/dri --group-add $(stat -c %g /dev/dri/renderD128) IMAGE',
    ]);
  });

  it.each([
    ['bookworm', ['sudo bash tools/install-lavapipe.sh']],
    ['trixie', ['sudo apt-get update && sudo apt-get install -y mesa-vulkan-drivers libvulkan1']],
    ['ubuntu', ['sudo apt-get update && sudo apt-get install -y mesa-vulkan-drivers libvulkan1']],
    ['fedora', ['sudo dnf install -y vulkan-loader mesa-vulkan-drivers']],
    ['rocky', ['sudo dnf install -y vulkan-loader mesa-vulkan-drivers']],
    ['arch', ['sudo pacman -S --needed vulkan-icd-loader vulkan-intel']],
    ['void', []],
  ] as const)('without its driver, on %s', (release, wanted) => {
    const report = judge(
      machine({
        gpus,
        vulkan,
        devices: { render: [RENDER] },
        system: { release: RELEASES[release] },
        adapters: software,
      }),
    );
    expect(marked(report, 'missing')[0]).toContain('its Vulkan driver is missing');
    expect(commands(report)).toEqual(wanted);
    if (release === 'void')
      expect(report.fixes[0]?.title).toMatch(/from the packages of Void Linux: .*Mesa's Vulkan drivers/);
  });

  it('that a variable hides, though it leaves lavapipe', () => {
    const restriction = { variable: 'VK_DRIVER_FILES', value: driver('lvp').path };
    const report = judge(
      machine({ gpus, vulkan: { ...vulkan, restriction }, devices: { render: [RENDER] }, adapters: software }),
    );
    expect(commands(report)).toEqual(['unset VK_DRIVER_FILES']);
  });

  it('that a container was not given', () => {
    const report = judge(machine({ gpus, vulkan, adapters: software, system: { container: 'Docker' } }));
    expect(commands(report)).toEqual(['docker run --device /dev/dri IMAGE']);
  });

  it('beside one that works is a warning, no more', () => {
    const report = judge(
      machine({
        gpus: [...gpus, { vendor: 'nvidia', id: '10de:2684' }],
        vulkan,
        devices: { render: [RENDER] },
        adapters: { chosen: GEFORCE },
      }),
    );
    expect(marked(report, 'missing', 'broken')).toEqual([]);
    expect(report.verdict.mark).toBe('ok');
  });
});

describe('an adapter that does not work', () => {
  it('is named loudly, with another that does', () => {
    const report = judge(
      machine({
        vulkan: { loader: LOADER, drivers: [driver('radeon'), driver('lvp')] },
        gpus: [{ vendor: 'amd', id: '1002:15bf' }],
        adapters: {
          listed: { names: [RADEON.name, LAVAPIPE.name] },
          chosen: { ...RADEON, outcome: WRONG },
          others: [SWIFTSHADER, LAVAPIPE],
        },
      }),
    );
    expect(report.verdict).toMatchObject({
      mark: 'broken',
      text: `node train.js would use ${RADEON.name}, and that COMPUTES WRONG.`,
    });
    expect(report.usable).toBe(true);
    expect(commands(report)[0]).toBe(`node train.js --adapter '${LAVAPIPE.name}'`);
    expect(section(report, 'Adapters')[0]).toMatchObject({ mark: 'broken' });
    expect(section(report, 'Adapters')[0]?.details?.at(-1)).toMatch(
      /COMPUTES WRONG: error 2\.5e-1 \(limit 1e-5\) in dx/,
    );
  });

  it('that brings the process down is found by its driver file', () => {
    const crash = { failure: 'crashed', message: 'SIGSEGV' } as const;
    const report = judge(
      machine({
        vulkan: { loader: LOADER, drivers: [driver('bad'), driver('lvp')] },
        adapters: {
          listed: crash,
          chosen: { name: 'any', outcome: crash },
          others: [SWIFTSHADER],
          culprits: [driver('bad').path],
        },
      }),
    );
    expect(report.verdict).toMatchObject({
      mark: 'broken',
      text: 'node train.js finds no adapter: it crashes (SIGSEGV).',
    });
    expect(commands(report)).toEqual([
      'node train.js --adapter swiftshader',
      `export VK_DRIVER_FILES=${driver('lvp').path}`,
    ]);
  });

  it('alone makes the machine useless', () => {
    const report = judge(machine({ adapters: { chosen: { ...SWIFTSHADER, outcome: WRONG } } }));
    expect(report).toMatchObject({ usable: false, verdict: { mark: 'broken' } });
  });
});

describe('what comes before any driver', () => {
  it.each([
    ['20.18.1', 'broken'],
    ['20.19.0', 'ok'],
    ['21.0.0', 'ok'],
    ['9.99.0', 'broken'],
  ])('Node.js %s is %s', (version, mark) => {
    const report = judge(machine({ node: { version, needed: '20.19' } }));
    expect(section(report, 'Machine')[0]?.mark).toBe(mark);
    expect(commands(report).includes('nvm install --lts')).toBe(mark === 'broken');
  });

  it('a missing package is npm ci', () => {
    const report = judge(machine({ packages: [{ name: 'webgpu', optional: false }] }));
    expect(section(report, 'Packages')).toEqual([{ mark: 'missing', text: 'webgpu' }]);
    expect(commands(report)).toContain('npm ci');
  });

  it('a cache that cannot be written is another folder', () => {
    const report = judge(machine({ swiftshader: { supported: true } }));
    expect(section(report, 'Packages').at(-1)).toMatchObject({ mark: 'broken' });
    expect(commands(report)).toContain('export XDG_CACHE_HOME=/FOLDER');
  });

  it('macOS and Windows are said to be untested', () => {
    const mac: Facts & { vulkan?: unknown } = machine({
      system: { platform: 'darwin', arch: 'arm64' },
      adapters: { chosen: adapter('Apple M3') },
    });
    delete mac.vulkan;
    const report = judge(mac);
    expect(section(report, 'Machine')[1]).toMatchObject({
      mark: 'warning',
      text: expect.stringContaining('untested') as string,
    });
    expect(section(report, 'Vulkan')).toEqual([]);
    expect(report.usable).toBe(true);
  });
});
