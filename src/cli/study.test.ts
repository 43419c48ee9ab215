import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { TINY } from '../testing/tinyRun';
import { spawnTrain } from '../testing/spawnTrain';

/* A study of a moment: interrupted, gone on with, cut in shards and joined. */

const base = mkdtempSync(join(tmpdir(), 'study-'));
afterAll(() => rmSync(base, { recursive: true }));
const at = (name: string): string => join(base, name);
writeFileSync(
  at('tiny.json'),
  JSON.stringify({ ...TINY, data: { set: 'shapes' }, logging: { ...TINY.logging, scoreEvery: 0 } }),
);

const study = (out: string, ...more: string[]): string[] => [
  'study',
  'branches',
  '--config',
  at('tiny.json'),
  '--alphas',
  '0.2,0.4',
  '--images',
  '20',
  '--fit-images',
  '30',
  '--out',
  at(out),
  ...more,
];

interface Result {
  readonly runs: readonly {
    readonly cell: string;
    readonly seed: number;
    readonly values: Readonly<Record<string, number>>;
  }[];
}
const resultOf = (out: string): Result => JSON.parse(readFileSync(join(at(out), 'result.json'), 'utf8')) as Result;

it('is interrupted, goes on, is cut and joined', async () => {
  const interrupted = await spawnTrain(study('part1', '--shard', '1/2'), {
    whenSaid: [[/i-MAE {5}4 steps/, (child) => child.kill('SIGINT')]],
  });
  expect(interrupted.code).toBe(130);
  expect(interrupted.out).toMatch(/go on {5}node .*study branches/);

  const { code, out, err } = await spawnTrain(study('part1', '--shard', '1/2'));
  expect({ code, err }).toEqual({ code: 0, err: '' });
  expect(out).not.toMatch(/^teacher {3}3 steps/m); // it is trained already
  const { runs } = resultOf('part1');
  expect(runs.map(({ cell, seed }) => `${cell} ${seed}`)).toEqual(['two-way 0']);
  expect(Object.keys(runs[0]?.values ?? {})).toEqual(
    expect.arrayContaining(['score.dominant@0.2', 'r2.imae.subordinate@0.4', 'budget.images']),
  );

  expect((await spawnTrain(study('part2', '--shard', '2/2'))).code).toBe(0);
  const merged = await spawnTrain(['study', '--merge', at('joined'), at('part1'), at('part2')]);
  expect(merged.out).toContain('merged    2 of 2 runs');
  expect(resultOf('joined').runs.map(({ cell }) => cell)).toEqual(['two-way', 'subordinate']);
  expect(readdirSync(join(at('joined'), 'runs'))).toContain('teacher-1-seed-0');
  expect(readdirSync(at('joined'))).toEqual(expect.arrayContaining(['figures.html', 'result.json', 'study.json']));

  const other = await spawnTrain(study('part1', '--lambda', '2'));
  expect({ code: other.code, err: other.err }).toEqual({
    code: 2,
    err: expect.stringContaining('is a study with imae.lambda 1, not 2') as string,
  });
}, 180_000);

it('its runs can be evaluated by themselves', async () => {
  const run = join(at('joined'), 'runs', 'two-way-seed-0');
  const separability = await spawnTrain([
    'evaluate',
    'separability',
    '--run',
    run,
    '--alphas',
    '0.3',
    '--images',
    '20',
    '--fit-images',
    '30',
    '--out',
    at('separability'),
  ]);
  expect(separability).toMatchObject({ code: 0, err: '' });
  const found = JSON.parse(readFileSync(join(at('separability'), 'result.json'), 'utf8')) as {
    fitted: readonly object[];
    branches: readonly object[];
  };
  expect([found.fitted.length, found.branches.length]).toEqual([20, 6]);
  expect(readdirSync(at('separability'))).toContain('figures.html');

  const unmixing = await spawnTrain([
    'evaluate',
    'unmixing',
    '--checkpoint',
    join(run, 'checkpoints', 'imae-4.safetensors'),
    '--data',
    'shapes',
    '--images',
    '20',
    '--out',
    at('unmixing'),
  ]);
  expect(unmixing).toMatchObject({ code: 0, err: '' });
  expect(
    (JSON.parse(readFileSync(join(at('unmixing'), 'result.json'), 'utf8')) as { rows: readonly object[] }).rows,
  ).toHaveLength(5);
}, 180_000);

it('goes on in the middle of a fine-tuning', { tags: ['thorough'], timeout: 600_000 }, async () => {
  const args = [
    'study',
    'semantics',
    '--config',
    at('tiny.json'),
    '--alphas',
    '0.3',
    '--images',
    '20',
    '--probe-epochs',
    '1',
    '--finetune-epochs',
    '2',
    '--shard',
    '1/6',
    '--out',
    at('semantics'),
  ];
  const interrupted = await spawnTrain(args, { whenSaid: [[/finetune +13\/128/, (child) => child.kill('SIGINT')]] });
  expect(interrupted.code).toBe(130);
  const run = join(at('semantics'), 'runs', 'random-seed-0');
  const steps = readdirSync(join(run, 'finetuning')).map((name) => Number(/^classifier-(\d+)\./.exec(name)?.[1]));
  expect(Math.max(...steps)).toBeGreaterThanOrEqual(13);
  expect(Math.max(...steps)).toBeLessThan(128);

  const { code, out } = await spawnTrain(args);
  expect(code).toBe(0);
  expect(out).not.toMatch(/finetune +13\/128/); // it is done already
  expect(readdirSync(run)).not.toContain('finetuning');
  expect(Object.keys(resultOf('semantics').runs[0]?.values ?? {})).toEqual(
    expect.arrayContaining(['probe.top1', 'finetune.top1']),
  );
});
