import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tinyConfig, tinyRun } from '../../testing/tinyRun';
import { testEngine } from '../../testing/testEngine';
import { spawnTrain } from '../../testing/spawnTrain';

const base = mkdtempSync(join(tmpdir(), 'palimpsest-'));
const path = (name: string): string => join(base, name);

beforeAll(async () => {
  const engine = await testEngine();
  for (const mode of ['lcmae', 'all'] as const) {
    const { store } = await tinyRun(engine, tinyConfig({ training: { mode } }));
    writeFileSync(path(`${mode}.safetensors`), store.checkpoints.at(-1)?.model ?? new Uint8Array());
  }
  engine.dispose();
});
afterAll(() => rmSync(base, { recursive: true }));

describe('analyse', () => {
  it('leaves results and figures of an LC-MAE', async () => {
    const out = path('out');
    const args = [
      'analyse',
      '--checkpoint',
      path('lcmae.safetensors'),
      '--data',
      'shapes',
      '--images',
      '3',
      '--mask-ratios',
      '0.5',
      '--out',
      out,
    ];
    const { code, err, out: said } = await spawnTrain(args);
    expect([err, code]).toEqual(['', 0]);
    expect(said).toContain('LC-MAE 16-1-2, decoder 16-1-2, patch 4');
    expect(said).toContain('random weights');
    const result = JSON.parse(readFileSync(join(out, 'result.json'), 'utf8')) as {
      trained: object[];
      random: object[];
      command: string;
    };
    expect([result.trained.length, result.random.length]).toEqual([1, 1]);
    expect(result.command).toMatch(/^node train\.js analyse --checkpoint/);
    expect(readFileSync(join(out, 'figures.html'), 'utf8')).toContain('in the spirit of LC-MAE');
  });

  it.each([
    [['--checkpoint', path('all.safetensors'), '--data', 'shapes'], /is an i-MAE, which takes mixtures apart/],
    [['--checkpoint', path('lcmae.safetensors')], /--data is missing/],
    [
      ['--checkpoint', path('lcmae.safetensors'), '--data', 'shapes', '--mask-ratios', '0.95'],
      /0\.95 leaves 0 of 16 patches visible/,
    ],
    [['--checkpoint', path('lcmae.safetensors'), '--data', 'shapes', '--images', '2000'], /has 1,?024 held-out images/],
    [[], /--checkpoint is missing/],
  ])('refuses %j', async (args, message) => {
    const { code, err } = await spawnTrain(['analyse', ...args]);
    expect(err).toMatch(message);
    expect(code).toBe(2);
  });
});
