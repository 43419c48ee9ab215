import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openEngine } from '../node/dawn';
import type { Engine } from '../engine/engine';
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

  it('counts pictures with the buffers, and keeps to the budget with both', () => {
    const buffers = pool(1000);
    const buffer = buffers.allocate(400, GPUBufferUsage.STORAGE, 'a');
    const picture = buffers.createPicture(10, 5, GPUTextureUsage.TEXTURE_BINDING, 'photo');
    expect([buffers.liveBytes, picture.width, picture.height, picture.format]).toEqual([600, 10, 5, 'rgba8unorm']);
    expect(() => buffers.createPicture(11, 10, GPUTextureUsage.TEXTURE_BINDING, 'larger')).toThrow("'larger' needs");
    buffers.releasePicture(picture);
    buffers.releasePicture(picture);
    expect([buffers.liveBytes, buffers.peakBytes]).toEqual([400, 600]);
    buffers.createPicture(10, 10, GPUTextureUsage.TEXTURE_BINDING, 'another');
    buffers.release(buffer);
    expect(buffers.liveBytes).toBe(400);
    buffers.dispose();
    expect(buffers.liveBytes).toBe(0);
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

  it('keeps staging buffers to be taken again, and lets them go where memory is short', () => {
    const buffers = pool(1 << 13);
    const data = buffers.allocate(256, GPUBufferUsage.STORAGE, 'data');
    const [first, second] = [buffers.takeStaging(300), buffers.takeStaging(400)];
    expect([first.size, second.size, buffers.liveBuffers]).toEqual([512, 512, 3]);
    buffers.keepStaging(first);
    expect([buffers.liveBuffers, buffers.liveBytes]).toEqual([2, 1024 + 256]);
    expect(buffers.takeStaging(512)).toBe(first);
    buffers.keepStaging(first);
    buffers.keepStaging(second);
    expect(buffers.takeStaging(256)).not.toBe(first); // another size
    expect([buffers.liveBuffers, buffers.liveBytes]).toEqual([2, 1024 + 512]);
    const all = buffers.allocate((1 << 13) - 512, GPUBufferUsage.STORAGE, 'all that is left');
    expect([first.released, second.released, buffers.liveBuffers]).toEqual([true, true, 3]);
    buffers.release(all);
    buffers.keepStaging(first); // too late: harmless
    expect(buffers.takeStaging(512)).not.toBe(first);
    buffers.release(data);
    buffers.dispose();
    expect([buffers.liveBuffers, buffers.liveBytes]).toEqual([0, 0]);
  });

  it('keeps none where there is nothing left to read', () => {
    const buffers = pool();
    const data = buffers.allocate(256, GPUBufferUsage.STORAGE, 'data');
    const [first, second] = [buffers.takeStaging(256), buffers.takeStaging(256)];
    buffers.keepStaging(first);
    buffers.release(data);
    expect([first.released, buffers.liveBuffers]).toEqual([false, 1]);
    buffers.keepStaging(second);
    expect([first.released, second.released, buffers.liveBytes]).toEqual([true, true, 0]);
  });

  it('releases a large staging buffer at once', () => {
    const buffers = pool();
    const large = buffers.takeStaging((1 << 20) + 4);
    expect(large.size).toBe((1 << 20) + 16);
    buffers.keepStaging(large);
    expect([large.released, buffers.liveBytes]).toEqual([true, 0]);
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
