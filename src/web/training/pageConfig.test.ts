import { describe, expect, it } from 'vitest';
import { resolveConfig, type Config } from '../../imae/config/config';
import type { PartialSettings } from '../../imae/config/options';
import type { KnownImages } from './givenImages';
import { assertForPage, withLiveLogging } from './pageConfig';

const config = (values: PartialSettings & { preset?: string } = {}): Config =>
  resolveConfig([{ source: 'test', values }]);

describe('logging in a page', () => {
  it('is livelier than the preset, by the length of the run', () => {
    expect(withLiveLogging(config({ training: { budget: { steps: 1000 } } }), 8192).logging).toEqual({
      log: 'none',
      logEvery: 1,
      scoreEvery: 50,
      checkpointEvery: 100,
      panelsEvery: 25,
    });
    const long = config({ training: { budget: { steps: 20_000 } } });
    expect(withLiveLogging(long, 8192).logging).toEqual({
      log: 'none',
      logEvery: 20,
      scoreEvery: 1000,
      checkpointEvery: 2000,
      panelsEvery: 500,
    });
  });

  it('stays where it differs from the preset, and so does all else', () => {
    const given = config({ training: { budget: { steps: 1000 } }, logging: { logEvery: 7, panelsEvery: 0 } });
    expect(withLiveLogging(given, 8192).logging).toEqual({
      log: 'none',
      logEvery: 7,
      scoreEvery: 50,
      checkpointEvery: 100,
      panelsEvery: 0,
    });
    expect({ ...withLiveLogging(given, 8192), logging: given.logging }).toEqual(given);
    expect(withLiveLogging(withLiveLogging(given, 8192), 8192)).toEqual(withLiveLogging(given, 8192));
  });
});

describe('a page cannot train', () => {
  const refusal = (values: Parameters<typeof config>[0], images?: KnownImages): string => {
    try {
      assertForPage(config(values), 'my.json', images);
    } catch (error) {
      return (error as Error).message;
    }
    return 'accepted';
  };

  const cifar = { name: 'CIFAR-10', count: 50_000, classes: 10, side: 32, notes: [] };

  it('what needs another file than images', () => {
    expect(refusal({})).toBe('accepted');
    expect(refusal({ preset: 'cifar' })).toBe('accepted'); // the images are yet to be given
    expect(refusal({ preset: 'cifar', data: { set: '/data/cifar' } }, cifar)).toBe('accepted');
    expect(refusal({ preset: 'cifar', data: { set: 'shapes' } })).toBe('accepted');
    expect(refusal({ teacher: { checkpoint: 't.safetensors' } })).toMatch(
      /^my\.json takes its teacher from the file t\.safetensors/,
    );
  });

  it('what does not fit the drawings, or the images that were given', () => {
    expect(refusal({ preset: 'tiny-imagenet', data: { set: 'x' } }, cifar)).toMatch(
      /^The images of CIFAR-10 are 32 × 32/,
    );
    expect(refusal({ preset: 'tiny-imagenet', data: { set: 'x' } }, { ...cifar, side: undefined })).toBe('accepted');
    expect(refusal({ model: { channels: 1 } })).toMatch(/^The images of shapes are 32 × 32 with 3 channels/);
    expect(refusal({ training: { batch: 9000 } })).toMatch(
      /^The training set has 8192 images, fewer than one batch of 9000/,
    );
  });
});
