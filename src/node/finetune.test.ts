import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { writeSafetensors } from '../files/safetensors';
import { untrainedModel } from '../imae/testClassifier';
import { tinyConfig } from '../imae/testRun';
import { openEngine } from './dawn';
import { spawnTrain, type Ended } from './spawnTrain';

/* Fine-tuning of a moment: interrupted, killed, gone on with. */

const base = mkdtempSync(join(tmpdir(), 'finetune-'));
afterAll(() => rmSync(base, { recursive: true }));
const at = (name: string): string => join(base, name);

const begin = (out: string, options: Parameters<typeof spawnTrain>[1] = {}): Promise<Ended> => {
  const recipe = ['--images', '48', '--batch', '12', '--epochs', '20', '--blr', '0.1'];
  return spawnTrain(['finetune', '--checkpoint', 'model.safetensors', '--data', 'shapes', ...recipe, '--out', out], { cwd: base, ...options });
};
const resume = (out: string, ...more: string[]): Promise<Ended> => spawnTrain(['finetune', '--resume', at(out), ...more]);

const resultOf = (out: string): object => {
  const { made, command, ...result } = JSON.parse(readFileSync(join(at(out), 'result.json'), 'utf8')) as Record<string, unknown>;
  expect([made, command]).not.toContain(undefined);
  return result;
};
const expectWhole = (out: string): void => {
  expect(resultOf(out)).toEqual(resultOf('whole'));
  const bytes = (folder: string): Buffer => readFileSync(join(at(folder), 'classifier.safetensors'));
  expect(bytes(out).equals(bytes('whole'))).toBe(true);
  expect(readdirSync(at(out)).sort()).toEqual(['classifier.safetensors', 'figures.html', 'finetune.json', 'result.json']);
};

beforeAll(async () => {
  const engine = await openEngine();
  for (const [name, dim] of [['model', 16], ['other', 8]] as const) {
    const { file } = await untrainedModel(engine, tinyConfig({ model: { dim } }));
    writeFileSync(at(`${name}.safetensors`), writeSafetensors(file.tensors, file.metadata));
  }
  engine.dispose();
  expect(await begin('whole')).toMatchObject({ code: 0, err: '' });
}, 60_000);

it('goes on after Ctrl-C, to the same bits, and is then finished', async () => {
  const { code, out, err } = await begin('stopped', { whenSaid: [[/^fine-tuned +15\/80/m, (child) => child.kill('SIGINT')]] });
  expect({ code, err }).toEqual({ code: 130, err: '' });
  expect(out).toMatch(/^stopped {3}after \d+ steps, saved in stopped\ngo on {5}node .*train\.js finetune --resume stopped$/m);
  cpSync(at('stopped'), at('damaged'), { recursive: true });

  // The same options may be repeated, others may not.
  expect(await resume('stopped', '--epochs', '9')).toMatchObject({ code: 2, err: expect.stringContaining('--epochs cannot be changed by --resume: this fine-tuning goes on with 20') as string });
  expect(await resume('stopped', '--out', at('new'))).toMatchObject({ code: 2, err: expect.stringContaining('--out cannot be changed') as string });
  const other = await resume('stopped', '--checkpoint', at('other.safetensors'));
  expect(other).toMatchObject({ code: 1, err: expect.stringContaining('--checkpoint: this is another model') as string });
  expect(await begin('stopped')).toMatchObject({ code: 2, err: expect.stringContaining('holds a fine-tuning already') as string });

  const resumed = await resume('stopped', '--epochs', '20');
  expect(resumed).toMatchObject({ code: 0, err: '', out: expect.stringMatching(/^resume +after \d+ steps/m) as string });
  expectWhole('stopped');
  expect(await resume('stopped')).toMatchObject({ code: 0, out: expect.stringMatching(/^finished .* is done/) as string });
}, 60_000);

it('goes on after it was killed', async () => {
  const killed = await begin('killed', { whenSaid: [[/^fine-tuned +epoch 3/m, (child) => child.kill('SIGKILL')]] });
  expect(killed.code).toBe(null);
  expect(existsSync(join(at('killed'), 'result.json'))).toBe(false);
  expect(await resume('killed')).toMatchObject({ code: 0, err: '' });
  expectWhole('killed');
}, 60_000);

it('says what it cannot go on with', async () => {
  expect(await resume('nothing')).toMatchObject({ code: 2, err: expect.stringContaining('--resume: there is no') as string });
  expect(await resume('.')).toMatchObject({ code: 2, err: expect.stringContaining('is no folder of a fine-tuning, it has no finetune.json') as string });
  const checkpoints = join(at('damaged'), 'checkpoints');
  const last = readdirSync(checkpoints).filter((name) => name.endsWith('.state.safetensors')).map((name) => Number(/\d+/.exec(name)?.[0])).sort((a, b) => b - a)[0] ?? 0;
  const model = join(checkpoints, `classifier-${last}.safetensors`);
  const bytes = readFileSync(model);
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 5) ^ 1, bytes.length - 5);
  writeFileSync(model, bytes);
  expect(await resume('damaged')).toMatchObject({ code: 1, err: expect.stringContaining(`classifier-${last}.safetensors is damaged`) as string });
  rmSync(model);
  expect(await resume('damaged')).toMatchObject({ code: 0, err: '' });
  expectWhole('damaged');
}, 60_000);
