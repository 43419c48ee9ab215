import { describe, expect, it } from 'vitest';
import { channelStatistics, imageRgba, type ImageSet } from './imageSet';

describe('channelStatistics', () => {
  it('is the mean and the deviation of each plane, in units of white', () => {
    // Two images of 1 × 3 pixels and two channels; channel 0: 0 255 255 0 0 255, channel 1: 1 2 3 4 5 6.
    const images = Uint8Array.of(0, 255, 255, 1, 2, 3, 0, 0, 255, 4, 5, 6);
    const { mean, std } = channelStatistics(images, { width: 3, height: 1, channels: 2 });
    expect(mean).toEqual([0.5, 3.5 / 255]);
    expect(std[0]).toBe(0.5);
    expect(std[1]).toBeCloseTo(Math.sqrt(35 / 12) / 255, 15);
  });
});

describe('imageRgba', () => {
  const set = (channels: number, images: readonly number[]): ImageSet => ({
    name: 'tiny',
    width: 2,
    height: 1,
    channels,
    count: 2,
    classes: ['one'],
    images: Uint8Array.from(images),
    labels: new Uint16Array(2),
    mean: [],
    std: [],
  });

  it('weaves the planes', () => {
    const images = [0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6];
    expect([...imageRgba(set(3, images), 1)]).toEqual([1, 3, 5, 255, 2, 4, 6, 255]);
  });

  it('makes one channel grey', () => {
    expect([...imageRgba(set(1, [0, 0, 7, 9]), 1)]).toEqual([7, 7, 7, 255, 9, 9, 9, 255]);
  });
});
