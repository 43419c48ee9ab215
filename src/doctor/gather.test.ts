import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { gather, gatherDevices, gatherGpus, readContainer, readRelease } from './gather';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'palimpsest-machine-'));
});
afterEach(() => rmSync(root, { recursive: true }));

function put(path: string, content = ''): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), content);
}

describe('the distribution', () => {
  it('is read from os-release', () => {
    put('/etc/os-release', 'PRETTY_NAME="Linux Mint 22"\nID=linuxmint\nID_LIKE="ubuntu debian"\nVERSION_ID=\'22\'\n');
    expect(readRelease({ root })).toEqual({
      id: 'linuxmint',
      like: ['ubuntu', 'debian'],
      name: 'Linux Mint 22',
      version: '22',
    });
  });

  it('may have no version, or not say what it is', () => {
    put('/usr/lib/os-release', 'ID=arch\n');
    expect(readRelease({ root })).toEqual({ id: 'arch', like: [], name: 'arch' });
    rmSync(join(root, 'usr'), { recursive: true });
    expect(readRelease({ root })).toBeUndefined();
  });
});

describe('a container', () => {
  it.each([
    ['/.dockerenv', '', {}, 'Docker'],
    ['/run/.containerenv', '', {}, 'Podman'],
    ['/proc/1/cgroup', '0::/kubepods/pod1\n', {}, 'kubepods'],
    ['/etc/hostname', '', { KUBERNETES_SERVICE_HOST: '10.0.0.1' }, 'Kubernetes'],
    ['/proc/1/cgroup', '0::/init.scope\n', {}, undefined],
  ])('is known by %s %j %j', (path, content, env, wanted) => {
    put(path, content);
    expect(readContainer({ root, env })).toBe(wanted);
  });
});

describe('GPUs', () => {
  const device = (slot: string, files: Record<string, string>): void => {
    for (const [name, content] of Object.entries(files)) put(`/sys/bus/pci/devices/${slot}/${name}`, `${content}\n`);
  };

  it('are the display controllers of their makers', () => {
    device('0000:00:02.0', { class: '0x030000', vendor: '0x8086', device: '0xa7a0' });
    device('0000:01:00.0', { class: '0x030200', vendor: '0x10de', device: '0x2330' });
    device('0000:01:00.1', { class: '0x040300', vendor: '0x10de', device: '0x22bd' }); // its sound
    device('0000:02:00.0', { class: '0x030000', vendor: '0x1a03', device: '0x2000' }); // a server's console
    expect(gatherGpus({ root })).toEqual([
      { vendor: 'intel', id: '8086:a7a0' },
      { vendor: 'nvidia', id: '10de:2330' },
    ]);
  });

  it('are none where there is no bus', () => {
    expect(gatherGpus({ root })).toEqual([]);
  });

  it('have doors in the kernel', () => {
    expect(gatherDevices({ root, env: {} })).toEqual({ render: [], nvidia: { nodes: false }, dxg: false });
    put('/dev/dri/card0');
    put('/dev/dri/renderD128');
    put('/dev/nvidia0');
    put('/dev/nvidiactl');
    put('/dev/dxg');
    put(
      '/proc/driver/nvidia/version',
      'NVRM version: NVIDIA UNIX x86_64 Kernel Module  570.86.15  Fri Jan 24\nGCC version:  gcc 12.2.0\n',
    );
    put('/etc/group', `root:x:9999:\nrender:x:${process.getgid?.() ?? 0}:me\n`);
    expect(gatherDevices({ root, env: {} })).toEqual({
      render: [{ path: '/dev/dri/renderD128', openable: true, group: 'render' }],
      nvidia: { module: '570.86.15', nodes: true },
      dxg: true,
    });
  });
});

describe('this machine', () => {
  it('is told as plain data', async () => {
    const facts = await gather();
    expect(JSON.parse(JSON.stringify(facts))).toEqual(facts);
    expect(facts.node).toEqual({ version: process.versions.node, needed: '20.19' });
    expect(facts.packages.find(({ name }) => name === 'webgpu')?.version).toMatch(/^\d+\./);
    expect(facts.system.memory.free).toBeLessThanOrEqual(facts.system.memory.total);
  });
});
