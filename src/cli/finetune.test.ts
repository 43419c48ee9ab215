import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { writeSafetensors } from '../formats/safetensors';
import { untrainedModel } from '../testing/pointClassifier';
import { tinyConfig } from '../testing/tinyRun';
import { finetune } from './commands/finetune';
import { testEngine } from '../testing/testEngine';
import { spawnTrain, type Ended } from '../testing/spawnTrain';

/* Fine-tuning of a moment: interrupted, killed, gone on with. */

const base = mkdtempSync(join(tmpdir(), 'finetune-'));
afterAll(() => rmSync(base, { recursive: true }));
const at = (name: string): string => join(base, name);

const begun = (out: string): string[] => {
  const recipe = ['--images', '48', '--batch', '12', '--epochs', '20', '--blr', '0.1'];
  return ['finetune', '--checkpoint', at('model.safetensors'), '--data', 'shapes', ...recipe, '--out', at(out)];
};
const begin = (out: string, options: Parameters<typeof spawnTrain>[1] = {}): Promise<Ended> =>
  spawnTrain(begun(out), options);
const resume = (out: string, ...more: string[]): Promise<Ended> =>
  spawnTrain(['finetune', '--resume', at(out), ...more]);

/** What a call that is refused says, in this process. */
const refused = async (args: readonly string[]): Promise<{ readonly code: number; readonly err: string }> => {
  const said = vi.spyOn(console, 'error').mockImplementation(() => undefined);
  try {
    const code = await finetune.run(args);
    return { code, err: said.mock.calls.flat().join('\n') };
  } finally {
    said.mockRestore();
  }
};
const expectRefused = async (code: number, message: string, ...args: string[]): Promise<void> => {
  expect(await refused(args)).toEqual({ code, err: expect.stringContaining(message) as string });
};

const resultOf = (out: string): object => {
  const { made, command, ...result } = JSON.parse(readFileSync(join(at(out), 'result.json'), 'utf8')) as Record<
    string,
    unknown
  >;
  expect([made, command]).not.toContain(undefined);
  return result;
};
const expectWhole = (out: string): void => {
  expect(resultOf(out)).toEqual(resultOf('whole'));
  const bytes = (folder: string): Buffer => readFileSync(join(at(folder), 'classifier.safetensors'));
  expect(bytes(out).equals(bytes('whole'))).toBe(true);
  expect(readdirSync(at(out)).sort()).toEqual([
    'classifier.safetensors',
    'figures.html',
    'finetune.json',
    'result.json',
  ]);
};

/** Twelve black images of CIFAR-10, and as many to be judged on. */
const otherImages = at('cifar');
mkdirSync(otherImages);
for (const name of ['data_batch_1.bin', 'test_batch.bin'])
  writeFileSync(join(otherImages, name), new Uint8Array(12 * 3073));
writeFileSync(join(otherImages, 'batches.meta.txt'), 'a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n');

beforeAll(async () => {
  const engine = await testEngine();
  for (const [name, dim] of [
    ['model', 16],
    ['other', 8],
  ] as const) {
    const { file } = await untrainedModel(engine, tinyConfig({ model: { dim } }));
    writeFileSync(at(`${name}.safetensors`), writeSafetensors(file.tensors, file.metadata));
  }
  engine.dispose();
  expect(await begin('whole')).toMatchObject({ code: 0, err: '' });
}, 60_000);

it('goes on after Ctrl-C, to the same bits, and is then finished', async () => {
  const { code, out, err } = await begin('stopped', {
    whenSaid: [[/^fine-tuned +16\/80/m, (child) => child.kill('SIGINT')]],
  });
  expect({ code, err }).toEqual({ code: 130, err: '' });
  expect(out).toMatch(
    /^stopped {3}after \d+ steps, saved in .*stopped\ngo on {5}node .*train\.js finetune --resume .*stopped$/m,
  );
  cpSync(at('stopped'), at('damaged'), { recursive: true });

  const again = ['--resume', at('stopped')];
  await expectRefused(
    2,
    '--epochs cannot be changed by --resume: this fine-tuning goes on with 20',
    ...again,
    '--epochs',
    '9',
  );
  await expectRefused(2, '--out cannot be changed by --resume', ...again, '--out', at('new'));
  await expectRefused(1, '--checkpoint: this is another model', ...again, '--checkpoint', at('other.safetensors'));
  await expectRefused(1, '--data: these are other images', ...again, '--data', otherImages);
  await expectRefused(2, 'holds a fine-tuning already', ...begun('stopped').slice(1));

  // What was said before may be said again.
  const resumed = await resume('stopped', '--epochs', '20');
  expect(resumed).toMatchObject({
    code: 0,
    err: '',
    out: expect.stringMatching(/^resume +after \d+ steps/m) as string,
  });
  expectWhole('stopped');
  expect(await resume('stopped')).toMatchObject({
    code: 0,
    out: expect.stringMatching(/^finished .* is done/) as string,
  });
}, 60_000);

it('goes on after it was killed', async () => {
  const killed = await begin('killed', { whenSaid: [[/^fine-tuned +epoch 3/m, (child) => child.kill('SIGKILL')]] });
  expect(killed.code).toBe(null);
  expect(existsSync(join(at('killed'), 'result.json'))).toBe(false);
  expect(await resume('killed')).toMatchObject({ code: 0, err: '' });
  expectWhole('killed');
}, 60_000);

it('says what it cannot go on with', async () => {
  await expectRefused(2, '--checkpoint is missing');
  await expectRefused(2, '--resume: there is no', '--resume', at('nothing'));
  await expectRefused(2, 'is no folder of a fine-tuning, it has no finetune.json', '--resume', base);
  mkdirSync(at('spoilt'));
  writeFileSync(join(at('spoilt'), 'finetune.json'), '{"format": 1}');
  await expectRefused(1, 'finetune.json cannot be read: it has no options', '--resume', at('spoilt'));
  const checkpoints = join(at('damaged'), 'checkpoints');
  const last =
    readdirSync(checkpoints)
      .filter((name) => name.endsWith('.state.safetensors'))
      .map((name) => Number(/\d+/.exec(name)?.[0]))
      .sort((a, b) => b - a)[0] ?? 0;
  const model = join(checkpoints, `classifier-${last}.safetensors`);
  const bytes = readFileSync(model);
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 5) ^ 1, bytes.length - 5);
  writeFileSync(model, bytes);
  await expectRefused(1, `classifier-${last}.safetensors is damaged`, '--resume', at('damaged'));
  rmSync(model);
  expect(await resume('damaged')).toMatchObject({ code: 0, err: '' });
  expectWhole('damaged');
}, 60_000);
