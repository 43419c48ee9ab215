import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readSafetensors, storedTensor, writeSafetensors } from '../formats/safetensors';
import { TINY } from '../testing/tinyRun';
import { plain } from '../testing/testImages';
import { spawnTrain } from '../testing/spawnTrain';

/*
 * Whatever a user gets wrong is answered with one message that names it, with exit code 2 where the call is wrong and 1
 * where something else failed, and nothing is written.
 */

/** Files and folders that the cases name, in a folder of their own, in which the program is started. */
const base = mkdtempSync(join(tmpdir(), 'palimpsest-'));
afterAll(() => rmSync(base, { recursive: true }));

function file(path: string, content: Uint8Array | string): void {
  mkdirSync(join(base, path, '..'), { recursive: true });
  writeFileSync(join(base, path), content);
}

const RECORD = 3073;
const labelled = (count: number, label: number): Uint8Array => {
  const bytes = Uint8Array.from({ length: count * RECORD }, (_, index) => index % 251);
  for (let record = 0; record < count; record++) bytes[record * RECORD] = label;
  return bytes;
};
const classNames = Array.from({ length: 10 }, (_, index) => `class${index}\n`).join('');

/** A CIFAR-10 of few images, with some of its files replaced, or left out by null. */
function cifar(folder: string, changes: Readonly<Record<string, Uint8Array | string | null>> = {}): void {
  const files: typeof changes = {
    'data_batch_1.bin': labelled(40, 3),
    'test_batch.bin': labelled(20, 4),
    'batches.meta.txt': classNames,
    ...changes,
  };
  mkdirSync(join(base, folder));
  for (const [name, content] of Object.entries(files)) if (content !== null) file(join(folder, name), content);
}

/** The folder of a run of a moment, as if it had been stopped at its last checkpoint, with changes. */
function interruptedRun(folder: string, change: (path: string) => void): void {
  cpSync(join(base, 'run'), join(base, folder), { recursive: true });
  const sessions = join(base, folder, 'sessions.jsonl');
  writeFileSync(sessions, `${readFileSync(sessions, 'utf8').split('\n')[0] ?? ''}\n`);
  change(join(base, folder));
}

const lastCheckpoint = (run: string, ending: string): string => {
  const names = readdirSync(join(run, 'checkpoints')).filter((name) => /^imae-\d/.test(name) && name.endsWith(ending));
  return join(run, 'checkpoints', names.sort().at(-1) ?? '');
};

beforeAll(async () => {
  file('tiny.json', JSON.stringify({ preset: 'demo', ...TINY, logging: { ...TINY.logging, panelsEvery: 0 } }));
  const { code, err } = await spawnTrain(['--config', 'tiny.json', '--out', 'run'], { cwd: base });
  expect({ code, err }).toEqual({ code: 0, err: '' });

  file('not.json', '{"model":\n  {"dim": 64,}}');
  file('flat.json', '{"lr": 0.1}');
  file('array.json', '[1, 2]');
  file('section.json', '{"modle": {"dim": 64}}');
  file('key.json', '{"model": {"dimm": 64}}');
  file('type.json', '{"model": {"dim": "64"}}');
  file('empty.json', '');
  mkdirSync(join(base, 'empty'));
  file('letter.txt', 'Dear reader,\n');
  file('letter.tar.gz', 'Dear reader,\n');
  file('foreign.tar.gz', gzipSync(new Uint8Array(1024)));
  file('cut.tar.gz', gzipSync(labelled(40, 1)).subarray(0, 100));
  cifar('cifar');
  cifar('incomplete', { 'test_batch.bin': null });
  cifar('cut', { 'data_batch_1.bin': labelled(40, 3).subarray(0, 40 * RECORD - 5) });
  cifar('hollow', { 'test_batch.bin': '' });
  cifar('wrong-label', { 'data_batch_1.bin': labelled(40, 10) });
  cifar('single', { 'test_batch.bin': labelled(1, 4) });
  cifar('black', { 'data_batch_1.bin': new Uint8Array(40 * RECORD) });
  cifar('wrong-names', { 'batches.meta.txt': 'cat\ndog\n' });
  file('pickled/data_batch_1', 'pickle');
  file('pickled/batches.meta', 'pickle');
  for (const name of ['train/a/1', 'train/b/1', 'val/a/1', 'val/b/1']) file(`photos/${name}.png`, plain(8, [1, 2, 3]));
  file('photos/train/a/2.png', 'Dear reader');
  file('hollow-class/train/a/1.png', plain(8, [1, 2, 3]));
  mkdirSync(join(base, 'hollow-class/train/b'));
  file('phone/holiday/1.heic', '');

  const teacher = readFileSync(join(base, 'run/checkpoints/teacher-3.safetensors'));
  const { tensors } = readSafetensors(teacher);
  file('cut.safetensors', teacher.subarray(0, -100));
  file('letter.safetensors', 'Dear reader, this is no checkpoint.\n');
  file('hollow.safetensors', '');
  file(
    'narrow.safetensors',
    writeSafetensors(new Map(tensors).set('cls_token', storedTensor([1, 1, 8], new Float32Array(8)))),
  );
  tensors.delete('cls_token');
  file('headless.safetensors', writeSafetensors(tensors));

  interruptedRun('edited', (run) => {
    const config = join(run, 'config.json');
    writeFileSync(config, readFileSync(config, 'utf8').replace('"seed": 5', '"seed": 6'));
  });
  interruptedRun('no-config', (run) => rmSync(join(run, 'config.json')));
  interruptedRun('broken-config', (run) => writeFileSync(join(run, 'config.json'), '{"preset":'));
  interruptedRun('cut-checkpoint', (run) => {
    const checkpoint = lastCheckpoint(run, '.state.safetensors');
    writeFileSync(checkpoint, readFileSync(checkpoint).subarray(0, -7));
  });
  cpSync(join(base, 'run'), join(base, 'done'), { recursive: true });
  const final = lastCheckpoint(join(base, 'done'), '.state.safetensors');
  writeFileSync(final, readFileSync(final).subarray(0, -7));
  interruptedRun('changed-bit', (run) => {
    const checkpoint = lastCheckpoint(run, '4.safetensors');
    const bytes = readFileSync(checkpoint);
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    writeFileSync(checkpoint, bytes);
  });
  interruptedRun('other-shape', (run) => {
    const checkpoint = lastCheckpoint(run, '4.safetensors');
    const model = readSafetensors(readFileSync(checkpoint)).tensors;
    writeFileSync(checkpoint, writeSafetensors(model.set('cls_token', storedTensor([1, 1, 8], new Float32Array(8)))));
  });
  interruptedRun('held', (run) => {
    const lock = join(run, '.lock');
    writeFileSync(lock, JSON.stringify({ pid: 1, host: 'elsewhere' }));
    // Its holder is heard of however long the cases before it take.
    utimesSync(lock, new Date(), new Date(Date.now() + 3_600_000));
  });
});

interface Case {
  readonly args: string;
  readonly says: RegExp;
  readonly env?: Readonly<Record<string, string>>;
}

/** Wrong calls. */
const USAGE: readonly Case[] = [
  { args: '--stpes 3', says: /'--stpes'.*Did you mean --steps\?/ },
  { args: 'cifar', says: /'cifar' is no command.* Training takes only options/ },
  { args: 'evaluate', says: /'evaluate' is no command\. Did you mean evaluate separability or evaluate unmixing\?/ },
  { args: 'study nothing', says: /There is no study 'nothing'\. Studies are alpha/ },
  { args: 'study alpha --shard 9/8', says: /--shard: "9\/8" is not allowed/ },
  { args: 'probe', says: /--checkpoint is missing/ },
  { args: 'knn --checkpoint nowhere', says: /nowhere cannot be read/ },
  { args: 'export nowhere --out x', says: /--out: x does not end in \.safetensors/ },
  { args: '--steps', says: /--steps.* argument missing/ },
  { args: '--steps 0', says: /^--steps: 0 .*Give a whole number from 1/ },
  { args: '--steps 1.5', says: /^--steps: 1.5 .*whole number/ },
  { args: '--steps many', says: /^--steps: "many" .*whole number/ },
  { args: '--steps 5 --epochs 1', says: /--steps and --epochs say the same/ },
  { args: '--seed -1', says: /--seed .*-1 .*whole number from 0/ },
  { args: '--mask-ratio 1.5', says: /--mask-ratio .*1\.5 .*above 0 below 1/ },
  { args: '--mask-ratio 0.99', says: /--mask-ratio .*leaves 0 of 16 patches visible/ },
  { args: '--alpha beta(0,1)', says: /--alpha .*beta\(0,1\).*above 0/ },
  { args: '--alpha 2', says: /--alpha .*2 .*from 0 up to 1/ },
  { args: '--crop 0.5,0.2', says: /--crop .*smaller first/ },
  { args: '--dim 66', says: /--dim .*66 .*multiple of 4/ },
  { args: '--heads 5', says: /--heads .*5 heads do not divide the width.*divisor of 48/ },
  { args: '--decoder-heads 5', says: /--decoder-heads .*5 heads do not divide/ },
  { args: '--teacher-heads 5', says: /--teacher-heads .*5 heads do not divide/ },
  { args: '--teacher-dim 128', says: /--start .*cannot start from a teacher of another size \(dim: 128/ },
  { args: '--patch 5', says: /--patch .*5 does not divide the image.*divisor of 32/ },
  { args: '--batch 32 --accumulate 3', says: /--accumulate .*32 images cannot be split into 3/ },
  { args: '--batch 100000', says: /8192 images, fewer than one batch of 100000.*--batch 8192/ },
  { args: '--min-lr 1', says: /--min-lr .*above the peak learning rate/ },
  { args: '--lr 1e-3 --blr 1e-3', says: /--lr and --blr say the same/ },
  { args: '--channels 1 --statistics imagenet', says: /--statistics .*3 channels.*--statistics own/ },
  { args: '--channels 1', says: /images of shapes are 32 × 32 with 3 channels.*--channels 3/ },
  { args: '--branches subordinate --lambda-dominant 1', says: /--lambda-dominant .*no dominant branch/ },
  { args: '--only imae', says: /--only .*needs a teacher.*--teacher FILE/ },
  { args: '--only mae --teacher run/checkpoints/teacher-3.safetensors', says: /--teacher .*serves i-MAE/ },
  { args: '--preset demmo', says: /"demmo".*Did you mean demo\?/ },
  { args: '--preset cifar', says: /--data: the preset cifar needs images/ },
  {
    args: '--config tiny.json --preset cifar',
    says: /--preset .*cifar \(command line\), but tiny\.json is of the preset demo/,
  },
  { args: '--config flat.json', says: /no setting "lr".*"optimizer": \{"learningRate": \{"lr": …\}\}/ },
  { args: '--out=', says: /--out: the path is empty/ },
  { args: '--config absent.json', says: /--config: absent\.json .*no such file/ },
  { args: '--config empty', says: /--config: empty .*is a folder/ },
  { args: '--config not.json', says: /--config: not\.json .*as JSON.*line 2/ },
  { args: '--config empty.json', says: /--config: empty\.json .*as JSON/ },
  { args: '--config array.json', says: /array\.json: .*is an object/ },
  { args: '--config section.json', says: /section\.json: .*"modle".*Did you mean "model"/ },
  { args: '--config key.json', says: /key\.json: .*"model.dimm".*Did you mean "model.dim"/ },
  { args: '--config type.json', says: /--dim .*"64" \(type\.json\) .*multiple of 4/ },
  { args: '--data absent', says: /--data: absent .*no such file or folder.*CIFAR-10/ },
  { args: '--data cifar --image 64', says: /CIFAR-10 are 32 × 32 .*--image 32/ },
  { args: '--data cifar --batch 41', says: /40 images, fewer than one batch of 41/ },
  {
    args: '--data photos --decode-size 4 --image 16 --batch 2',
    says: /--decode-size 4 is smaller than the model's images of 16 × 16/,
  },
  { args: '--stream maybe', says: /--stream .*"maybe".*auto, yes, no/ },
  { args: '--workers 0', says: /--workers .*0 .*from 1/ },
  { args: '--teacher absent.safetensors', says: /--teacher: absent\.safetensors cannot be read: .*no such file/ },
  { args: '--out letter.txt', says: /--out: letter\.txt is a file/ },
  { args: '--out cifar', says: /--out: cifar is not empty/ },
  { args: '--out run', says: /--out: run holds a run already.*--resume run/ },
  { args: '--resume absent', says: /--resume: there is no absent/ },
  { args: '--resume letter.txt', says: /--resume: letter\.txt is a file/ },
  { args: '--resume no-config', says: /--resume: no-config is no run folder/ },
  { args: '--resume edited --steps 9', says: /--steps cannot be changed by --resume/ },
  { args: '--resume edited --out new', says: /--out cannot be changed by --resume/ },
];

/** What fails although the call is right. */
const FAILURES: readonly Case[] = [
  { args: '--adapter voodoo', says: /No adapter's name contains 'voodoo'.*Adapters here/ },
  { args: '--data empty', says: /--data: empty holds no image set: it is empty/ },
  { args: '--data letter.txt', says: /--data: letter\.txt is neither a folder nor/ },
  { args: '--data letter.tar.gz', says: /--data: letter\.tar\.gz cannot be unpacked/ },
  { args: '--data foreign.tar.gz', says: /--data: foreign\.tar\.gz holds no image set/ },
  { args: '--data cut.tar.gz', says: /--data: cut\.tar\.gz cannot be unpacked.*cut short/ },
  { args: '--data incomplete', says: /incomplete .*test_batch\.bin is missing/ },
  { args: '--data cut', says: /data_batch_1\.bin has \d+ bytes: 39 whole .*cut short/ },
  { args: '--data hollow', says: /test_batch\.bin is empty/ },
  { args: '--data wrong-label', says: /data_batch_1\.bin, record 0: label 10, .*0 to 9/ },
  { args: '--data wrong-names', says: /batches\.meta\.txt names 2 classes/ },
  { args: '--data single', says: /--data: CIFAR-10 has 1 image in a part; pairs need two/ },
  { args: '--data black', says: /--data: channel 0 is the same in all training images.*--statistics imagenet/ },
  { args: '--data pickled', says: /pickled looks like CIFAR-10, but test_batch is missing.*python version/ },
  {
    args: '--data photos --image 16 --batch 2',
    says: /photos\/train\/a\/2\.png cannot be decoded: it is no image of a known format\. .*--broken skip/,
  },
  { args: '--data hollow-class', says: /hollow-class\/train\/b holds no JPEG, PNG or WebP file/ },
  { args: '--data phone', says: /phone holds no JPEG, PNG or WebP file\. left out: .*1 \.heic\. HEIC is not read/ },
  { args: '--teacher letter.safetensors', says: /letter\.safetensors: it does not begin as a safetensors file/ },
  { args: '--teacher hollow.safetensors', says: /hollow\.safetensors: it has 0 bytes/ },
  { args: '--teacher cut.safetensors', says: /cut\.safetensors.*cut short/ },
  { args: '--teacher empty', says: /empty is a folder without a model: none of model.safetensors, / },
  {
    args: '--teacher narrow.safetensors',
    says: /narrow\.safetensors: 'cls_token' is \[1, 1, 8\], the model wants \[1, 1, 48\]/,
  },
  { args: '--teacher run/checkpoints/imae-4.safetensors', says: /--teacher: .*imae-4\.safetensors is an i-MAE/ },
  {
    args: '--teacher run/checkpoints/teacher-3.safetensors',
    says: /was trained with heads 2, but this run's teacher has 4/,
  },
  { args: '--teacher headless.safetensors', says: /headless\.safetensors has no tensor 'cls_token'/ },
  { args: '--out letter.txt/run', says: /--out: .*letter\.txt.* cannot be made/ },
  { args: '--resume edited', says: /training\.seed is 6, but the checkpoint was trained with 5/ },
  { args: '--resume broken-config', says: /broken-config\/config\.json cannot be read/ },
  { args: '--resume cut-checkpoint', says: /imae-4\.state\.safetensors.*cut short.*Or delete it/ },
  { args: '--resume done', says: /done\/checkpoints\/imae-4\.state\.safetensors.*cut short.*Or delete it/ },
  { args: '--resume changed-bit', says: /imae-4\.safetensors is damaged: it is not what was saved/ },
  { args: '--resume other-shape', says: /imae-4\.safetensors is damaged: it is not what was saved/ },
  { args: '--resume held', says: /held is being written by a process on elsewhere/ },
  { args: '--dim 65536 --depth 100', says: /teacher does not fit on this adapter: .*(--dim, --depth|--accumulate)/ },
];

const LINUX_FAILURES: readonly Case[] = [
  {
    args: '--adapter hardware',
    env: { VK_DRIVER_FILES: '/nowhere.json', VK_ICD_FILENAMES: '/nowhere.json' },
    says: /No adapter for 'hardware'.*npm run doctor/s,
  },
  { args: '--out /proc/run', says: /--out: the run folder \/proc\/run cannot be made/ },
];

/** Everything under the folder, with sizes. */
const everything = (): string[] =>
  readdirSync(base, { recursive: true, encoding: 'utf8' })
    .map((name) => `${name} ${statSync(join(base, name), { throwIfNoEntry: false })?.size ?? ''}`)
    .sort();

async function refuses({ args, says, env = {} }: Case, code: number): Promise<void> {
  const before = everything();
  const ended = await spawnTrain(args.split(' '), { cwd: base, env });
  expect(ended.err).toMatch(says);
  expect(ended.code).toBe(code);
  expect(ended.err).not.toMatch(/^ +at |Error:/m);
  expect(ended.out.replace(/^(data|decode|resume|adapter|slow|prepare|run) .*\n/gm, '')).toBe('');
  expect(everything()).toEqual(before);
}

describe('a wrong call ends with code 2, one message, and nothing written', () => {
  test.each(USAGE)('$args', (each) => refuses(each, 2));
});

describe('a failure ends with code 1, one message, and nothing written', () => {
  test.each(FAILURES)('$args', (each) => refuses(each, 1));
});

describe.runIf(process.platform === 'linux')('so do failures as Linux has them', () => {
  test.each(LINUX_FAILURES)('$args', (each) => refuses(each, 1));

  test('a full disk ends a run, which goes on when there is room', { tags: ['thorough'] }, async () => {
    const draft = join(base, 'full', 'metrics.jsonl.tmp'); // written when a resumed run takes lines back
    interruptedRun('full', () => symlinkSync('/dev/full', draft));
    const resume = (): ReturnType<typeof spawnTrain> => spawnTrain(['--resume', 'full'], { cwd: base });
    const { code, err } = await resume();
    expect(err).toMatch(/^full\/metrics\.jsonl cannot be written: no space is left on the device.*--resume full$/m);
    expect(code).toBe(1);
    rmSync(draft, { force: true });
    expect(await resume()).toMatchObject({ code: 0, err: '' });
  });
});

test('--debug shows where an error comes from', async () => {
  const { code, err } = await spawnTrain(['--steps', '0', '--debug'], { cwd: base });
  expect(code).toBe(2);
  expect(err).toMatch(/^ +at /m);
});
