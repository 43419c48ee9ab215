import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openEngine } from '../node/dawn';
import type { Engine } from './engine';
import { BufferPool } from './pool';

describe('BufferPool', () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await openEngine();
  });
  afterAll(() => {
    engine.dispose();
  });

  const pool = (budget = Infinity): BufferPool => new BufferPool(engine.device, budget);

  it('counts what is alive, and the most that ever was', () => {
    const buffers = pool();
    const a = buffers.allocate(1, GPUBufferUsage.STORAGE, 'a');
    const b = buffers.allocate(100, GPUBufferUsage.STORAGE, 'b');
    expect([a.size, b.size]).toEqual([16, 112]);
    expect([buffers.liveBuffers, buffers.liveBytes, buffers.peakBytes]).toEqual([2, 128, 128]);
    buffers.release(b);
    expect([buffers.liveBuffers, buffers.liveBytes, buffers.peakBytes]).toEqual([1, 16, 128]);
    expect([a.released, b.released]).toEqual([false, true]);
    buffers.dispose();
    expect([buffers.liveBuffers, buffers.liveBytes, a.released]).toEqual([0, 0, true]);
  });

  it('takes a second release of a buffer as none', () => {
    const buffers = pool();
    const a = buffers.allocate(64, GPUBufferUsage.STORAGE, 'a');
    const b = buffers.allocate(64, GPUBufferUsage.STORAGE, 'b');
    buffers.release(a);
    buffers.release(a);
    expect([buffers.liveBuffers, buffers.liveBytes]).toEqual([1, 64]);
    buffers.release(b);
  });

  it('keeps to its budget, and has room again after a release', () => {
    const buffers = pool(1 << 20);
    const first = buffers.allocate(3 << 18, GPUBufferUsage.STORAGE, 'first');
    const second = (): unknown => buffers.allocate(1 << 19, GPUBufferUsage.STORAGE, 'second');
    expect(second).toThrow(
      expect.objectContaining({
        code: 'out-of-memory',
        message: expect.stringContaining("'second' needs 0.5 MiB, with 0.8 MiB in use of a budget of 1.0") as string,
      }),
    );
    expect(buffers.liveBuffers).toBe(1);
    buffers.release(first);
    second();
    buffers.dispose();
  });

  it('checks the device limit before the device does', () => {
    const bytes = engine.device.limits.maxBufferSize + 16;
    expect(() => pool().allocate(bytes, GPUBufferUsage.STORAGE, 'huge')).toThrow(
      expect.objectContaining({ code: 'limit-exceeded', message: expect.stringContaining("'huge' needs") as string }),
    );
  });
});
