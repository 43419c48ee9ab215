import { describe, expect, it } from 'vitest';
import { LATENT_ALPHAS, type LatentDistances } from '../../../imae/inspect/inspector';
import { aboutBranches, latentTitle, imageOfBranch, shareColour } from './latents';

/** A branch that is always as far from image 1, and from image 2. */
const branch = (of: LatentDistances['of'], to1: number, to2: number): LatentDistances => ({
  of,
  to1: LATENT_ALPHAS.map(() => to1),
  to2: LATENT_ALPHAS.map(() => to2),
});
const LATENTS = [branch('encoder', 0.7, 0.7), branch('subordinate', 0.25, 1), branch('dominant', 0.9, 0.5)];

it('the subordinate is image 1 below a half and image 2 above', () => {
  expect([0.1, 0.45, 0.55, 0.9].map((alpha) => imageOfBranch('subordinate', alpha))).toEqual([0, 0, 1, 1]);
  expect([0.1, 0.45, 0.55, 0.9].map((alpha) => imageOfBranch('dominant', alpha))).toEqual([1, 1, 0, 0]);
  expect(imageOfBranch('dominant', 0.5)).toBeUndefined();
});

describe('the branches in words', () => {
  it('each is held against its own image, which changes at a half', () => {
    expect(aboutBranches(LATENTS, 'both', 0.35)).toBe(
      'At α = 0.35 the subordinate is image 1: its branch’s latent is nearer to it (0.25) than to the other (1.00). ' +
        'The dominant is image 2: its branch’s latent is nearer to it (0.50) than to the other (0.90).',
    );
    expect(aboutBranches(LATENTS, 'both', 0.7)).toBe(
      'At α = 0.70 the subordinate is image 2: its branch’s latent is no nearer to it (1.00) than to the other (0.25). ' +
        'The dominant is image 1: its branch’s latent is no nearer to it (0.90) than to the other (0.50).',
    );
  });

  it('a single branch is spoken of alone', () => {
    expect(aboutBranches(LATENTS.slice(0, 2), 'subordinate', 0.2)).toMatch(
      /^At α = 0.20 the subordinate is image 1: [^.]*0.25\) than to the other \(1.00\)\.$/,
    );
  });

  it('nothing is claimed where there is nothing to be told apart', () => {
    expect(aboutBranches(LATENTS, 'both', 0.5)).toMatch(/neither is the subordinate/);
    expect(aboutBranches(LATENTS, 'both', 0)).toMatch(/nothing but image 2/);
    expect(aboutBranches(LATENTS, 'both', 1)).toMatch(/nothing but image 1/);
    expect(aboutBranches(LATENTS, 'mixture', 0.35)).toMatch(/no branches/);
  });
});

it('charts are called after what the model has', () => {
  expect(LATENTS.map(({ of }) => latentTitle(of, 'both'))).toEqual([
    'Encoder',
    'Branch of the subordinate',
    'Branch of the dominant',
  ]);
  expect(latentTitle('subordinate', 'mixture')).toBe('Into the decoder');
});

it('shares are coloured as of the image that they are nearer to', () => {
  expect([0, 0.25, 0.375, 0.5].map((share) => shareColour(share))).toEqual([
    { image: 1, strength: 1 },
    { image: 1, strength: 1 },
    { image: 1, strength: 0.5 },
    { image: 1, strength: 0 },
  ]);
  expect([0.625, 0.75, 1.3].map((share) => shareColour(share))).toEqual([
    { image: 0, strength: 0.5 },
    { image: 0, strength: 1 },
    { image: 0, strength: 1 },
  ]);
});
