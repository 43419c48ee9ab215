import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { UserError } from '../common/userError';
import { Slice } from '../gpu/storage';
import { chooseName } from './adapter';
import { openEngine } from './dawn';
import { unpackSwiftShader } from './swiftshader';

const LAVAPIPE = 'llvmpipe (LLVM 19.1.7, 256 bits)';
const SWIFTSHADER = 'SwiftShader Device (Subzero)';
const GPU_NAME = 'Virtio-GPU Venus (NVIDIA A100)';

/** The same names in every order. */
function orders(names: readonly string[]): string[][] {
  if (names.length === 0) return [[]];
  return names.flatMap((name) => orders(names.filter((other) => other !== name)).map((rest) => [name, ...rest]));
}

describe('the choice among adapters', () => {
  it.each(orders([LAVAPIPE, SWIFTSHADER, GPU_NAME]))('does not hang on their order: %s, %s, %s', (...names) => {
    expect(chooseName(names, 'any')).toBe(GPU_NAME);
    expect(chooseName(names, 'hardware')).toBe(GPU_NAME);
    expect(chooseName(names, 'software')).toBe(LAVAPIPE);
    expect(chooseName(names, 'Nvidia')).toBe(GPU_NAME);
    expect(chooseName(names, 'subzero')).toBe(SWIFTSHADER);
    expect(chooseName(names, 'radeon')).toBeUndefined();
  });

  it('takes software for any, never for hardware', () => {
    expect(chooseName([SWIFTSHADER, LAVAPIPE], 'Any')).toBe(LAVAPIPE);
    expect(chooseName([SWIFTSHADER], 'any')).toBe(SWIFTSHADER);
    expect(chooseName([SWIFTSHADER, LAVAPIPE], 'hardware')).toBeUndefined();
    expect(chooseName([GPU_NAME], 'software')).toBeUndefined();
    expect(chooseName([], 'any')).toBeUndefined();
  });
});

describe('an adapter that is not there', () => {
  it('is refused with what there is', async () => {
    const error = await openEngine({ adapterName: 'Voodoo 2' }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(UserError);
    expect(error).toMatchObject({ exitCode: 1 });
    expect(String(error)).toMatch(/No adapter's name contains 'Voodoo 2'\. Adapters here: .+\. Give .*swiftshader\.$/);
  });
});

describe.runIf(process.platform === 'linux' && process.arch === 'x64')('SwiftShader', () => {
  let cache: string;

  beforeEach(() => {
    cache = mkdtempSync(join(tmpdir(), 'palimpsest-test-'));
    vi.stubEnv('XDG_CACHE_HOME', cache);
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    rmSync(cache, { recursive: true });
  });

  it('is unpacked once, by however many at a time', async () => {
    const [index, ...others] = await Promise.all([unpackSwiftShader(), unpackSwiftShader(), unpackSwiftShader()]);
    expect(others).toEqual([index, index]);
    expect(readdirSync(join(cache, 'palimpsest'))).toHaveLength(1); // no draft is left

    const { ino } = statSync(index ?? '');
    expect(await unpackSwiftShader()).toBe(index);
    expect(statSync(index ?? '').ino).toBe(ino);
  });

  it('goes to another folder where the first cannot be written', async () => {
    const file = join(cache, 'file');
    writeFileSync(file, '');
    vi.stubEnv('XDG_CACHE_HOME', file);
    vi.stubEnv('HOME', file);
    vi.stubEnv('TMPDIR', cache);
    const index = await unpackSwiftShader();
    const folder = join(cache, `palimpsest-${process.getuid?.()}`);
    expect(dirname(dirname(index ?? ''))).toBe(folder);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
  });

  it('says where it tried if no folder can be written', async () => {
    const file = join(cache, 'file');
    writeFileSync(file, '');
    for (const variable of ['XDG_CACHE_HOME', 'HOME', 'TMPDIR']) vi.stubEnv(variable, file);
    await expect(unpackSwiftShader()).rejects.toThrow(/cannot be unpacked:\n(.*file.*\n){3}Set XDG_CACHE_HOME/);
  });

  it('stands in for any or software where the system has no driver', async () => {
    vi.stubEnv('VK_DRIVER_FILES', '/dev/null');
    for (const adapterName of ['any', 'software']) {
      const engine = await openEngine({ adapterName });
      expect(engine.info.architecture).toBe('swiftshader');
      const buffer = engine.allocate(8, 'two words', new Uint32Array([17, 33]));
      expect(new Uint32Array(await engine.read(new Slice(buffer, 0, 8)))).toEqual(new Uint32Array([17, 33]));
      engine.dispose();
    }
    const error = await openEngine({ adapterName: 'hardware' }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ exitCode: 1 });
    expect(String(error)).toMatch(
      /No adapter for 'hardware': looked for a GPU\. Adapters here: SwiftShader of the npm packages \('swiftshader'\)\.\n {2}VK_DRIVER_FILES=\/dev\/null hides/,
    );
  });

  it('opens beside another adapter', async () => {
    const engines = [await openEngine(), await openEngine({ adapterName: 'SwiftShader' }), await openEngine()];
    expect(engines[1]?.info.architecture).toBe('swiftshader');
    expect(engines[2]?.info.device).toBe(engines[0]?.info.device);
    for (const engine of engines) engine.dispose();
  });
});
