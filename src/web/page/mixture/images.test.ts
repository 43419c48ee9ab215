import { expect, it } from 'vitest';
import { heldOut, pairOf, thumbnails } from './images';

const SIZE = { image: 16, channels: 3 };
const shapeOf = ({ title }: { readonly title: string }): string | undefined => title.split(' ')[0];

it('pairs are of two different shapes, the same for everyone, and many', () => {
  const pairs = Array.from({ length: 60 }, (_, number) => pairOf(number));
  expect(pairs.every(([one, two]) => shapeOf(one) !== shapeOf(two))).toBe(true);
  expect(new Set(pairs.map(([one, two]) => `${one.title} ${two.title}`)).size).toBe(60);
  expect(pairOf(7).map((image) => image.bytes(SIZE))).toEqual(pairs[7]?.map((image) => image.bytes(SIZE)));
});

it('thumbnails show every shape, each by its name', () => {
  expect(new Set(thumbnails().map(shapeOf)).size).toBe(8);
});

it('an image is drawn at the size that is wanted, and in grey for a model of one channel', () => {
  const image = heldOut(3);
  const small = image.bytes(SIZE);
  expect(small).toHaveLength(3 * 16 * 16);
  expect(image.bytes(SIZE)).toBe(small);
  expect(image.bytes({ image: 32, channels: 3 })).toHaveLength(3 * 32 * 32);
  const grey = image.bytes({ image: 16, channels: 1 });
  const middle = 8 * 16 + 8;
  const [red = 0, green = 0, blue = 0] = [small[middle], small[256 + middle], small[512 + middle]];
  expect(grey[middle]).toBe(Math.round(0.299 * red + 0.587 * green + 0.114 * blue));
});
