import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { TINY } from '../testing/tinyRun';
import { halves, writeTree } from '../testing/testImages';
import { spawnTrain } from '../testing/spawnTrain';

/* `node train.js` on a folder of image files, two of them broken. */

const base = mkdtempSync(join(tmpdir(), 'palimpsest-'));
afterAll(() => rmSync(base, { recursive: true }));

beforeAll(async () => {
  const images = Array.from({ length: 24 }, (_, i) =>
    halves(30 + i, 40, [10 * i, 99, 0], [0, 99, 250 - 10 * i], i % 2 ? 'png' : 'jpeg'),
  );
  const path = (i: number): string =>
    `${i < 20 ? 'train' : 'val'}/${i % 2 ? 'odd' : 'even'}/${i}.${i % 2 ? 'png' : 'jpg'}`;
  await writeTree(base, Object.fromEntries(images.map((image, i) => [`photos/${path(i)}`, image])));
  await writeTree(base, {
    'photos/train/odd/7.png': 'Dear reader',
    'photos/train/even/8.jpg': '',
    'tiny.json': JSON.stringify({
      ...TINY,
      logging: { ...TINY.logging, logEvery: 2 },
      masking: { ...TINY.masking, sameProb: 1 },
    }),
  });
});

const train = (...args: string[]): ReturnType<typeof spawnTrain> =>
  spawnTrain(['--config', 'tiny.json', '--data', 'photos', '--statistics', 'imagenet', '--broken', 'skip', ...args], {
    cwd: base,
  });

/** What was logged, but for what a clock measured. */
const metrics = (run: string): string =>
  readFileSync(join(base, run, 'metrics.jsonl'), 'utf8').replace(/,"(imagesPerSecond|waiting)":[^,}]*/g, '');

it('trains on them, in memory and streamed with one worker, with the same bits, and lists what is broken', async () => {
  const kept = await train('--out', 'kept');
  expect(kept).toMatchObject({ code: 0, err: '' });
  expect(kept.out).toMatch(/^data +photos: 20 images to train on and 4 held out, 18 × 18 pixels, 2 classes$/m);
  expect(kept.out).toMatch(/^broken +2 image files could not be decoded: see kept\/broken-images\.txt$/m);
  expect(kept.out).toMatch(/^pairs +100 % of one class \(100 % asked for\), over 4 steps$/m);
  const list = readFileSync(join(base, 'kept', 'broken-images.txt'), 'utf8')
    .trimEnd()
    .split('\n')
    .sort();
  expect(list).toEqual([
    expect.stringMatching(/even\/8\.jpg: ./),
    expect.stringMatching(/odd\/7\.png: it is no image of a known format$/),
  ]);

  const streamed = await train('--stream', 'yes', '--workers', '1', '--out', 'streamed');
  expect(streamed).toMatchObject({ code: 0, err: '' });
  expect(streamed.out).toMatch(/2 classes; streamed from their files, .* in all$/m);
  expect(streamed.out).toMatch(/% waiting for images/);
  // Nobody looks at all files before the training does.
  expect(streamed.out).toMatch(
    /^broken +photos\/train\/odd\/7\.png: it is no image of a known format; another image of its class is in its place$/m,
  );
  expect(metrics('streamed')).toBe(metrics('kept'));
  expect(
    readFileSync(join(base, 'streamed', 'broken-images.txt'), 'utf8')
      .trimEnd()
      .split('\n')
      .sort(),
  ).toEqual(list);
});
