import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hottestLoop } from './kernelFacts';
import type { IsaTable } from './table';

const RUN = join(import.meta.dirname, '..', 'run.js');
const STEP = ['--filter', 'demo mae'];

function isa(...args: readonly string[]): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, [RUN, 'isa', ...args], { encoding: 'utf8' });
}

describe('npm run isa', () => {
  const folder = mkdtempSync(join(tmpdir(), 'isa-test-'));
  const path = join(folder, 'table.json');
  let first: SpawnSyncReturns<string>;
  /** What this machine lacks, in the program's own words. */
  let missing = '';
  beforeAll(() => {
    first = isa(...STEP, '--json', path);
    if (first.stderr.includes('apt install')) missing = first.stderr.trim();
  }, 300_000);
  afterAll(() => rmSync(folder, { recursive: true }));

  const tableOf = (): IsaTable => JSON.parse(readFileSync(path, 'utf8')) as IsaTable;

  test('says of every kernel of a training step what AMD’s compiler makes of it', ({ skip }) => {
    skip(missing !== '', missing);
    expect(first).toMatchObject({ status: 0, stderr: '' });
    const { chip, compiler, kernels, dispatches } = tableOf();
    expect([chip, compiler]).toEqual(['navi31', expect.stringMatching(/^radv: Mesa \d/)]);
    expect(Object.keys(dispatches)).toEqual(['f32 demo mae', 'f16 demo mae']);
    expect(
      kernels.filter(({ registers, instructions, cycles }) => !(registers > 0 && instructions > 0 && cycles > 0)),
    ).toEqual([]);
    const products = kernels.filter(({ name }) => name.startsWith('f32 matmulTile BM=128 BN=64'));
    expect(products.length).toBeGreaterThan(0);
    for (const product of products) expect(hottestLoop(product)?.share, product.name).toBeGreaterThan(0.5);
    for (const { name } of kernels) expect(first.stdout).toContain(`\n${name} `);
  });

  test('--compare fails where a kernel fell behind, and names it', { tags: ['thorough'] }, ({ skip }) => {
    skip(missing !== '', missing);
    const { kernels, ...rest } = tableOf();
    const [faster, ...others] = kernels as [IsaTable['kernels'][number], ...IsaTable['kernels']];
    const before = join(folder, 'before.json');
    writeFileSync(
      before,
      JSON.stringify({ ...rest, kernels: [{ ...faster, cycles: faster.cycles / 2 }, ...others.slice(1)] }),
    );
    const { status, stdout } = isa(...STEP, '--compare', before);
    expect(status).toBe(1);
    expect(stdout.match(/^WORSE.*$/gm)).toEqual([
      `WORSE   ${faster.name}: cycles ${faster.cycles / 2} → ${faster.cycles}`,
    ]);
    expect(stdout.match(/^new.*$/gm)).toEqual([`new     ${others[0]?.name}`]);
  });

  test.each([
    ['an unknown chip', ['--chip', 'gpu'], 2, '--chip'],
    ['a part of a record', ['--record', '--filter', 'demo'], 2, '--filter'],
    ['a chip without a record', ['--check', '--chip', 'adreno740'], 1, 'npm run isa -- --record --chip adreno740'],
    ['a table that is not there', ['--compare', '/nowhere.json'], 2, '/nowhere.json'],
  ])('refuses %s', (_, args, status, text) => {
    const result = isa(...args);
    expect(result.status).toBe(status);
    expect(result.stderr).toContain(text);
  });
});
