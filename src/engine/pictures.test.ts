import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { neg } from '../ops/unary';
import { add } from '../ops/add';
import { testEngine } from '../testing/testEngine';
import type { Engine } from './engine';
import { f32, u32 } from './inputs';

const [WIDTH, HEIGHT] = [5, 3];

describe('pictures', () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await testEngine();
  });
  afterAll(() => engine.dispose());

  /** A texture whose texel (x, y) is (50x, 80y, 10, 255). */
  function picture(usage: number, [width, height] = [WIDTH, HEIGHT]): GPUTexture {
    const texture = engine.device.createTexture({
      label: 'photo',
      size: [width, height],
      format: 'rgba8unorm',
      usage: usage | GPUTextureUsage.COPY_DST,
    });
    const texels = Uint8Array.from({ length: width * height * 4 }, (_, i) => {
      const [x, y] = [(i >> 2) % width, Math.floor((i >> 2) / width)];
      return [50 * x, 80 * y, 10, 255][i % 4] as number;
    });
    engine.device.queue.writeTexture({ texture }, texels, { bytesPerRow: width * 4 }, [width, height]);
    return texture;
  }

  async function texels(texture: GPUTexture): Promise<Uint8Array> {
    const { device } = engine;
    const size = texture.height * 256;
    const staging = device.createBuffer({ size, usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ });
    const encoder = device.createCommandEncoder();
    encoder.copyTextureToBuffer({ texture }, { buffer: staging, bytesPerRow: 256 }, [texture.width, texture.height]);
    device.queue.submit([encoder.finish()]);
    await engine.wait(staging.mapAsync(GPUMapMode.READ));
    const rows = new Uint8Array(staging.getMappedRange().slice(0));
    staging.destroy();
    return Uint8Array.from({ length: texture.height * texture.width * 4 }, (_, i) => {
      const row = Math.floor(i / (texture.width * 4));
      return rows[row * 256 + (i % (texture.width * 4))] as number;
    });
  }

  const element = (channel: number, x: number, y: number): number =>
    ([50 * x, 80 * y, 10, 255][channel] as number) / 255;

  it.each([3, 4])('become tensors of %i channels', async (channels) => {
    const program = await engine.compile({ x: f32(1, channels, HEIGHT, WIDTH) }, ({ x }) => ({ y: neg(x) }));
    const texture = picture(GPUTextureUsage.TEXTURE_BINDING);
    await program.run({ x: texture });
    const found = await program.outputs.y.data();
    for (const [i, value] of found.entries()) {
      const [c, y, x] = [Math.floor(i / (WIDTH * HEIGHT)), Math.floor(i / WIDTH) % HEIGHT, i % WIDTH];
      expect(value).toBeCloseTo(-element(c, x, y), 6);
    }
    await program.run(); // it holds what it held
    expect(await program.outputs.y.data()).toEqual(found);
    program.dispose();
    texture.destroy();
  });

  it('become grey, beside inputs that the host writes', async () => {
    const inputs = { x: f32(1, HEIGHT, WIDTH), z: f32(1, HEIGHT, WIDTH) };
    const program = await engine.compile(inputs, ({ x, z }) => ({ y: add(x, z) }));
    const texture = picture(GPUTextureUsage.TEXTURE_BINDING);
    for (const z of [0, 1]) {
      await program.run({ ...(z === 0 ? { x: texture } : {}), z: new Float32Array(WIDTH * HEIGHT).fill(z) });
      const [r, g, b] = [0, 1, 2].map((c) => element(c, 4, 2)) as [number, number, number];
      expect((await program.outputs.y.data()).at(-1)).toBeCloseTo(0.299 * r + 0.587 * g + 0.114 * b + z, 6);
    }
    program.dispose();
    texture.destroy();
  });

  it.each(['rgba8unorm', 'bgra8unorm', 'rgba16float'] as const)(
    'are drawn into %s, as large as it is',
    async (format) => {
      const program = await engine.compile({ x: f32(4, HEIGHT, WIDTH) }, ({ x }) => ({ y: neg(neg(x)) }));
      const texture = picture(GPUTextureUsage.TEXTURE_BINDING);
      const { RENDER_ATTACHMENT, COPY_SRC } = GPUTextureUsage;
      const usage = RENDER_ATTACHMENT | COPY_SRC;
      const drawn = engine.device.createTexture({ size: [2 * WIDTH, 2 * HEIGHT], format, usage });
      const encoder = engine.device.createCommandEncoder();
      program.encode(encoder, { x: texture });
      program.outputs.y.drawInto(drawn, encoder);
      engine.device.queue.submit([encoder.finish()]);
      if (format !== 'rgba16float') {
        const found = await texels(drawn);
        const order = format === 'rgba8unorm' ? [0, 1, 2, 3] : [2, 1, 0, 3];
        const wanted = found.map((_, i) => {
          const [x, y] = [(i >> 2) % (2 * WIDTH), Math.floor((i >> 2) / (2 * WIDTH))];
          return Math.round(255 * element(order[i % 4] as number, x >> 1, y >> 1));
        });
        expect(found).toEqual(wanted);
      }
      program.outputs.y.drawInto(drawn);
      await engine.settle();
      program.dispose();
      texture.destroy();
      drawn.destroy();
      expect(engine.pool.liveBuffers).toBe(0);
    },
  );

  it('of another size, usage or place are refused by name', async () => {
    const program = await engine.compile({ x: f32(3, HEIGHT, WIDTH), i: u32(3, 1, 1) }, ({ x }) => ({ y: neg(x) }));
    const { TEXTURE_BINDING, COPY_SRC } = GPUTextureUsage;
    const given = [picture(TEXTURE_BINDING, [4, 3]), picture(COPY_SRC), picture(TEXTURE_BINDING)] as const;
    expect(() => program.write({ x: given[0] })).toThrow("Input 'x' is 5×3, the picture 4×3.");
    expect(() => program.write({ x: given[1] })).toThrow("shaders may not read the texture 'photo'");
    // @ts-expect-error whole numbers are no picture
    expect(() => program.write({ i: given[2] })).toThrow("Input 'i' is u32 [3, 1, 1], which is no picture");
    await program.run({ x: given[2], i: new Uint32Array(3) });
    expect(() => program.outputs.y.drawInto(given[2])).toThrow("The texture 'photo' can't be drawn into");
    program.dispose();
    for (const texture of given) texture.destroy();
  });
});
