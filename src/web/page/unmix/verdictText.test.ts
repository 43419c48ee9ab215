import { describe, expect, it } from 'vitest';
import { aboutPictures, shareOf, verdictOf } from './verdictText';

const errors = { own: 0.1, mixture: 0.5, mean: 0.4, other: 0.9 };

describe('the verdict', () => {
  it('is good where every reconstruction beats all that it must', () => {
    expect(
      verdictOf(
        [
          { of: 0, errors },
          { of: 1, errors },
        ],
        0.3,
      ),
    ).toMatchObject({ outcome: 'good', title: 'Taken apart.' });
    expect(verdictOf([{ of: 0, errors: { own: 0.1, mixture: 0.5, other: 0.9 } }], 0.3).outcome).toBe('good');
  });

  it.each(['mixture', 'mean', 'other'] as const)(
    'is not where the %s is as near to one of them, and names it',
    (id) => {
      const verdict = verdictOf(
        [
          { of: 0, errors },
          { of: 1, errors: { ...errors, [id]: 0.1 } },
        ],
        0.3,
      );
      expect(verdict).toMatchObject({ outcome: 'bad', title: 'Half taken apart.' });
      expect(verdict.text).toContain('image 2');
      expect(verdictOf([{ of: 0, errors: { ...errors, [id]: 0.05 } }], 0.3).title).toBe('Not taken apart.');
    },
  );

  it('is not where the model computes no numbers', () => {
    const none = { own: NaN, mixture: 0.5, mean: 0.4, other: NaN };
    expect(
      verdictOf(
        [
          { of: 0, errors: none },
          { of: 1, errors: none },
        ],
        0.3,
      ),
    ).toMatchObject({ outcome: 'bad', title: 'Not taken apart.' });
  });

  it('gives the reason where α alone is one', () => {
    const failed = [{ of: 1, errors: { ...errors, own: 1 } }] as const;
    expect(verdictOf(failed, 0.3).text).toMatch(/than the reconstruction is\.$/);
    expect(verdictOf(failed, 0.52).text).toMatch(/nothing tells which branch/);
    expect(verdictOf(failed, 0.95).text).toMatch(/Little of image 2 is left in the mixture, which is almost image 1/);
  });

  it('of a vanilla MAE claims nothing', () => {
    expect(verdictOf([{ of: 'mixture', errors: { own: 0 } }], 0.5)).toMatchObject({ outcome: 'none' });
  });
});

it.each([
  [errors, '20 %', 'of the error that the mixture has'],
  [{ ...errors, own: 0.001 }, 'below 1 %', 'of the error that the mixture has'],
  [{ ...errors, own: 1.2 }, '2.4 ×', 'the error that the mixture has'],
  [{ ...errors, own: 12.2 }, '24 ×', 'the error that the mixture has'],
  [{ ...errors, mixture: 0 }, '–', 'the mixture is this very image'],
  [{ own: 0.1, mean: 0.4 }, '25 %', 'of the error of the mean of all shapes'],
  [{ own: 0.1234 }, '0.123', 'mean squared error, in normalised pixels'],
])('%o is %s %s', (of, share, what) => {
  expect(shareOf(of)).toEqual({ share, of: what });
});

it('says how reconstructions are to be read', () => {
  const plain = { looks: 4, raw: false, normPix: false, strange: false };
  expect(aboutPictures(plain)).toMatch(/looks 4 times, each time with other patches hidden\. *$/);
  expect(aboutPictures({ ...plain, raw: true })).toMatch(/noise/);
  expect(aboutPictures({ ...plain, normPix: true })).toMatch(/own mean and deviation/);
  expect(aboutPictures({ ...plain, strange: true })).toMatch(/only ever seen drawn shapes/);
});
