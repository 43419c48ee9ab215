import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { driverFiles, driverRestriction, findVulkanLoader, mayHaveDrivers } from './vulkan';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'palimpsest-vulkan-'));
});
afterEach(() => rmSync(root, { recursive: true }));

function put(path: string, content: string | Uint8Array): string {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), content);
  return path;
}

const OWN_MACHINE = process.arch === 'arm64' ? 183 : 62;

/** The head of a library, for this processor or another. */
function elf(machine = OWN_MACHINE): Uint8Array {
  const head = Buffer.alloc(64);
  head.write('\x7fELF', 'latin1');
  head.writeUInt16LE(machine, 18);
  return head;
}

function icd(library: string): string {
  return JSON.stringify({ file_format_version: '1.0.0', ICD: { library_path: library, api_version: '1.3.0' } });
}

const ICD = '/usr/share/vulkan/icd.d';

describe.runIf(['x64', 'arm64'].includes(process.arch))('the Vulkan loader', () => {
  const find = (env = {}): string | undefined => findVulkanLoader({ root, env });

  it('is not found on an empty system', () => {
    expect(find()).toBeUndefined();
  });

  it.each(['/usr/lib', '/lib64', process.arch === 'x64' ? '/usr/lib/x86_64-linux-gnu' : '/usr/lib/aarch64-linux-gnu'])(
    'is found in %s',
    (folder) => {
      const path = put(`${folder}/libvulkan.so.1`, elf());
      expect(find()).toBe(path);
    },
  );

  it('is found where LD_LIBRARY_PATH says, first', () => {
    put('/usr/lib/libvulkan.so.1', elf());
    const path = put('/opt/vulkan/libvulkan.so.1', elf());
    expect(find({ LD_LIBRARY_PATH: '/nowhere:/opt/vulkan' })).toBe(path);
  });

  it('is found through the cache of the linker', () => {
    const path = put('/opt/drivers/lib/libvulkan.so.1', elf());
    put(
      '/etc/ld.so.cache',
      Buffer.from(`glibc-ld.so.cache1.1\0\x01\x02libvulkan.so.1\0${path}\0/opt/other/libz.so.1\0`, 'latin1'),
    );
    expect(find()).toBe(path);
  });

  it.each([
    ['empty', new Uint8Array()],
    ['text', Buffer.from('INPUT(libvulkan.so.1.3)')],
    ['for another processor', elf(3)],
  ])('does not count where its file is %s', (_, content) => {
    put('/usr/lib/libvulkan.so.1', content);
    expect(find()).toBeUndefined();
    const path = put('/lib64/libvulkan.so.1', elf());
    expect(find()).toBe(path);
  });
});

describe('driver files', () => {
  const list = (env = {}): ReturnType<typeof driverFiles> => driverFiles({ root, env });

  it('are read in the order of the search path', () => {
    put('/usr/lib/libdriver.so', elf());
    const paths = [
      '/home/me/.config/vulkan/icd.d/a.json',
      '/etc/xdg/vulkan/icd.d/b.json',
      '/etc/vulkan/icd.d/c.json',
      '/home/me/.local/share/vulkan/icd.d/d.json',
      '/usr/local/share/vulkan/icd.d/e.json',
      `${ICD}/f.json`,
      `${ICD}/g.json`,
    ];
    for (const path of [...paths].reverse()) put(path, icd('libdriver.so'));
    put(`${ICD}/README`, 'not one');
    expect(list({ HOME: '/home/me' }).map(({ path }) => path)).toEqual(paths);
    expect(list().map(({ path }) => path)).toEqual(paths.filter((path) => !path.startsWith('/home')));
    expect(list().filter(({ problem }) => problem !== undefined)).toEqual([]);
    expect(list({ XDG_DATA_DIRS: '/usr/share', XDG_CONFIG_DIRS: '/nowhere' }).map(({ path }) => path)).toEqual([
      '/etc/vulkan/icd.d/c.json',
      ...paths.slice(-2),
    ]);
  });

  it('have a library that exists, for this processor', () => {
    put('/usr/lib/libgood.so', elf());
    put('/opt/libgood.so', elf());
    put('/usr/lib/libempty.so', '');
    put('/usr/lib/libother.so', elf(3));
    put(`${ICD}/1.json`, icd('libgood.so'));
    put(`${ICD}/2.json`, icd('/opt/libgood.so'));
    put(`${ICD}/3.json`, icd('../../../lib/libgood.so'));
    put(`${ICD}/4.json`, icd('libmissing.so'));
    put(`${ICD}/5.json`, icd('/opt/libmissing.so'));
    put(`${ICD}/6.json`, icd('libempty.so'));
    put(`${ICD}/7.json`, icd('libother.so'));
    expect(list().map(({ problem, foreign }) => (foreign ? 'foreign' : problem))).toEqual([
      undefined,
      undefined,
      undefined,
      'its library libmissing.so is missing',
      'its library /opt/libmissing.so is missing',
      'its library libempty.so is broken',
      'foreign',
    ]);
  });

  it.each(['', '{', '[]', 'null', '{"ICD":{}}', '{"ICD":{"library_path":7}}'])(
    'must be what they should be, not %s',
    (text) => {
      put(`${ICD}/x.json`, text);
      expect(list()[0]?.problem).toMatch(/not a driver file/);
    },
  );

  it('are those that a variable names, and no others', () => {
    put('/usr/lib/libdriver.so', elf());
    put(`${ICD}/system.json`, icd('libdriver.so'));
    const own = put('/opt/own.json', icd('libdriver.so'));
    const more = put('/opt/more/more.json', icd('libdriver.so'));
    for (const variable of ['VK_DRIVER_FILES', 'VK_ICD_FILENAMES']) {
      const env = { [variable]: `${own}:/nope.json:/opt/more`, VK_ADD_DRIVER_FILES: `${ICD}/system.json` };
      expect(driverRestriction({ env })).toBe(variable);
      expect(list(env)).toEqual([
        { path: own, library: 'libdriver.so' },
        { path: '/nope.json', problem: 'there is no such file' },
        { path: more, library: 'libdriver.so' },
      ]);
    }
    expect(list({ VK_DRIVER_FILES: '' })).toEqual([]); // as the loader takes it
    expect(list({ VK_DRIVER_FILES: own, VK_ICD_FILENAMES: more }).map(({ path }) => path)).toEqual([own]);
    expect(list({ VK_ADD_DRIVER_FILES: own }).map(({ path }) => path)).toEqual([own, `${ICD}/system.json`]);
  });
});

describe('whether there may be drivers', () => {
  const may = (env = {}): boolean => mayHaveDrivers({ root, env });

  it('needs a loader and a driver', () => {
    put(`${ICD}/a.json`, icd('libdriver.so'));
    put('/usr/lib/libdriver.so', elf());
    expect(may()).toBe(false);
    put('/usr/lib/libvulkan.so.1', elf());
    expect(may()).toBe(true);
    expect(may({ VK_DRIVER_FILES: '/nope.json' })).toBe(false);
    put(`${ICD}/a.json`, icd('libmissing.so'));
    expect(may()).toBe(false);
  });

  it('is not denied to a loader from elsewhere, which may search elsewhere', () => {
    put('/opt/sdk/lib/libvulkan.so.1', elf());
    expect(may({ LD_LIBRARY_PATH: '/opt/sdk/lib' })).toBe(true);
  });
});
