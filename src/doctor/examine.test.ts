import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { examineAdapters } from './examine';
import { GEFORCE, LAVAPIPE, SWIFTSHADER } from '../testing/testMachines';

// The child process is played by a program of a few lines: drivers that crash are not at hand.

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'palimpsest-examine-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Examines by a child that runs `body`, which sees its `task` and prints with `say`. */
function examine(
  body: string,
  options: Partial<Parameters<typeof examineAdapters>[1]> = {},
): ReturnType<typeof examineAdapters> {
  const program = join(folder, 'program.mjs');
  writeFileSync(
    program,
    `const say = (line) => console.log(JSON.stringify(line));
     export async function main([, , task]) { ${body}; return 0; }`,
  );
  return examineAdapters(
    program,
    { drivers: [], bundled: true, limits: { list: 2, check: 2 }, ...options },
    () => undefined,
  );
}

const { adapter, outcome } = GEFORCE;
const named = { ...adapter, device: 'nvidia-geforce-rtx-4090' };
const LIST = `if (task === '--list') return say({ names: ['NVIDIA GeForce RTX 4090', 'llvmpipe (LLVM)'] })`;

describe('adapters examined in processes of their own', () => {
  it('are each checked once, the chosen one by its name', async () => {
    const facts = await examine(`
      ${LIST};
      if (task === '--check=any') say({ adapter: ${JSON.stringify(named)} });
      else if (task === '--check=swiftshader') say({ adapter: ${JSON.stringify(SWIFTSHADER.adapter)} });
      else if (task === '--check=llvmpipe (LLVM)') say({ adapter: ${JSON.stringify(LAVAPIPE.adapter)} });
      else return 1;
      console.log('{ a driver that talks');
      say({ check: ${JSON.stringify(outcome)} })`);
    expect(facts).toEqual({
      listed: { names: ['NVIDIA GeForce RTX 4090', 'llvmpipe (LLVM)'] },
      chosen: { name: 'NVIDIA GeForce RTX 4090', adapter: named, outcome },
      others: [
        { name: 'llvmpipe (LLVM)', adapter: LAVAPIPE.adapter, outcome },
        { name: 'swiftshader', adapter: SWIFTSHADER.adapter, outcome },
      ],
      culprits: [],
      complaints: [],
    });
  });

  it('may crash while they compute, hang, or be refused', async () => {
    const { chosen, others } = await examine(`
      ${LIST};
      if (task === '--check=any') { say({ adapter: ${JSON.stringify(named)} }); await new Promise((done) => setTimeout(done, 50)); process.abort(); }
      if (task === '--check=swiftshader') say({ refused: 'no room' });
      else { const end = Date.now() + 60_000; while (Date.now() < end); }`);
    expect(chosen).toEqual({
      name: 'NVIDIA GeForce RTX 4090',
      adapter: named,
      outcome: { failure: 'crashed', message: 'SIGABRT' },
    });
    expect(others).toEqual([
      { name: 'llvmpipe (LLVM)', outcome: { failure: 'hung', message: 'no answer within 2 s' } },
      { name: 'swiftshader', outcome: { failure: 'refused', message: 'no room' } },
    ]);
  });

  it('that can not be listed are looked for driver by driver', async () => {
    const facts = await examine(
      `
      if (task !== '--list') return say({ refused: 'none' });
      if (process.env.VK_DRIVER_FILES !== 'good.json') process.abort();
      say({ names: [] })`,
      { drivers: ['good.json', 'bad.json'] },
    );
    expect(facts.listed).toEqual({ failure: 'crashed', message: 'SIGABRT' });
    expect(facts.culprits).toEqual(['bad.json']);
  });

  it('come with what the loader complains about', async () => {
    const { complaints } = await examine(`
      console.error('ERROR:            libXext.so.6: cannot open shared object file');
      console.error('[Vulkan Loader] ERROR:            libXext.so.6: cannot open shared object file');
      console.error('Warning: maxDynamicUniformBuffersPerPipelineLayout artificially reduced');
      say({ names: [] })`);
    expect(complaints).toEqual(['libXext.so.6: cannot open shared object file']);
  });
});
