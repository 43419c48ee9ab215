import { describe, expect, it } from 'vitest';
import { kernelFileText, kernelPlace, otherPlace, readKernelFile } from './kernelFile';

const here = { adapter: 'A card', driver: 'driver 1', version: '1 abc' };
const file = { ...here, entries: { 'matmul nt 1×2×3': 'matmulTile BM=64' } };

describe('a file of kernel choices', () => {
  it('is read as it was written', () => {
    expect(readKernelFile(kernelFileText(file), 'kernels.json')).toEqual(file);
  });

  it.each([
    ['{"format": "palim', 'kernels.json is damaged: it is no JSON'],
    ['[]', 'kernels.json is no file of kernel choices'],
    ['{"preset": "demo"}', 'kernels.json is no file of kernel choices'],
    [kernelFileText(file).replace('"driver 1"', '1'), 'kernels.json is damaged: adapter, driver'],
    [kernelFileText(file).replace('"matmulTile BM=64"', '{}'), 'kernels.json is damaged: adapter, driver'],
  ])('damaged: %s', (text, message) => {
    expect(() => readKernelFile(text, 'kernels.json')).toThrow(message);
  });

  it('holds where it was made', () => {
    expect(otherPlace(file, here)).toBeUndefined();
    expect(otherPlace(file, { ...here, adapter: 'B' })).toBe("is of another adapter, 'A card'; here it is 'B'");
    expect(otherPlace(file, { ...here, driver: '2' })).toContain('another driver');
    expect(otherPlace(file, { ...here, version: '2' })).toContain('another version');
  });

  it('is named by what the adapter says of itself', () => {
    const info = { vendor: 'v', architecture: 'a', device: '', description: 'd' } as GPUAdapterInfo;
    expect(kernelPlace(info, '1')).toEqual({ adapter: 'a', driver: 'd', version: '1' });
  });
});
