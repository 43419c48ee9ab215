import { describe, expect, it } from 'vitest';
import { resolveConfig, type Config } from '../../imae/config';
import type { PartialSettings } from '../../imae/options';
import { assertForPage, withLiveLogging } from './pageConfig';

const config = (values: PartialSettings & { preset?: string } = {}): Config => resolveConfig([{ source: 'test', values }]);

describe('logging in a page', () => {
  it('is livelier than the preset, by the length of the run', () => {
    expect(withLiveLogging(config()).logging).toEqual({ logEvery: 1, scoreEvery: 50, checkpointEvery: 100, panelsEvery: 25 });
    const long = config({ training: { budget: { steps: 20_000 } } });
    expect(withLiveLogging(long).logging).toEqual({ logEvery: 20, scoreEvery: 1000, checkpointEvery: 2000, panelsEvery: 500 });
  });

  it('stays where it differs from the preset, and so does all else', () => {
    const given = config({ logging: { logEvery: 7, panelsEvery: 0 } });
    expect(withLiveLogging(given).logging).toEqual({ logEvery: 7, scoreEvery: 50, checkpointEvery: 100, panelsEvery: 0 });
    expect({ ...withLiveLogging(given), logging: given.logging }).toEqual(given);
    expect(withLiveLogging(withLiveLogging(given))).toEqual(withLiveLogging(given));
  });
});

describe('a page cannot train', () => {
  const refusal = (values: Parameters<typeof config>[0]): string => {
    try {
      assertForPage(config(values), 'my.json');
    } catch (error) {
      return (error as Error).message;
    }
    return 'accepted';
  };

  it('what needs files of a disk', () => {
    expect(refusal({})).toBe('accepted');
    expect(refusal({ preset: 'cifar' })).toMatch(/^my\.json asks for images from a disk\. This page trains on the built-in drawings/);
    expect(refusal({ preset: 'cifar', data: { set: '/data/cifar' } })).toMatch(/^my\.json asks for the images \/data\/cifar\./);
    expect(refusal({ preset: 'cifar', data: { set: 'shapes' } })).toBe('accepted');
    expect(refusal({ teacher: { checkpoint: 't.safetensors' } })).toMatch(/^my\.json takes its teacher from the file t\.safetensors/);
  });

  it('what does not fit the drawings', () => {
    expect(refusal({ model: { channels: 1 } })).toMatch(/^The images of shapes are 32 × 32 with 3 channels/);
    expect(refusal({ training: { batch: 9000 } })).toMatch(/^The training set has 8192 images, fewer than one batch of 9000/);
  });
});
