import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openEngine, quietWait } from '../node/dawn';
import { Engine } from '../engine/engine';
import { describeAdapter, isSoftware } from './adapter';
import { EngineError } from './errors';
import type { Program } from './program';
import { Recording } from './recording';
import { kernelsOf, type Kernel } from './shader';
import { Slice, type Value } from './storage';

const section = (body: string): string => `
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(1)
fn main() { ${body} }
`;

const { double, triple } = kernelsOf(
  'engineTest',
  `//#kernel double\n${section('y[0] = x[0] * 2.0;')}//#kernel triple\n${section('y[0] = x[0] * 3.0;')}`,
  ['double', 'triple'],
);

/** A program that applies `kernel` to one input element of value 7. */
async function single(engine: Engine, kernel: Kernel): Promise<{ program: Program; output: Value }> {
  const recording = new Recording(engine);
  const x = recording.input(4, 'x', new Uint8Array(Float32Array.of(7).buffer));
  const output = recording.value(4, 'y');
  recording.dispatch({ kernel, bindings: { x, y: output }, workgroups: [1] });
  recording.output(output);
  return { program: await recording.compile(), output };
}

async function result(engine: Engine, kernel: Kernel): Promise<number | undefined> {
  const { program, output } = await single(engine, kernel);
  try {
    program.run();
    return new Float32Array(await program.read(output))[0];
  } finally {
    program.dispose();
  }
}

/** What a promise or a call throws; it must be an EngineError. */
async function failure(work: () => unknown): Promise<EngineError> {
  try {
    await work();
  } catch (error) {
    if (error instanceof EngineError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

const borrow = (host: Engine): Engine => Engine.borrow(host.device, { info: host.info, wait: quietWait });

describe('Engine', () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await openEngine();
  });
  afterAll(() => {
    expect(engine.pool.liveBuffers).toBe(0);
    engine.dispose();
  });

  describe('memory', () => {
    it('writes and reads slices, also of odd sizes', async () => {
      const buffer = engine.allocate(1024, 'memory', Float32Array.of(1, 2, 3));
      const slice = new Slice(buffer, 256, 8);
      engine.write(slice, Uint8Array.of(1, 2, 3, 4, 5));
      expect(new Uint8Array(await engine.read(slice))).toEqual(Uint8Array.of(1, 2, 3, 4, 5, 0, 0, 0));
      expect(new Float32Array(await engine.read(new Slice(buffer, 0, 16)))).toEqual(Float32Array.of(1, 2, 3, 0));
      expect(() => {
        engine.write(slice, new Float32Array(3));
      }).toThrow("'memory' has room for 8 bytes, not 12");
      engine.pool.release(buffer);
      expect(engine.pool.liveBuffers).toBe(0);
    });

    it('names a buffer that is used after its release', async () => {
      const buffer = engine.allocate(16, 'gone');
      engine.pool.release(buffer);
      const slice = new Slice(buffer, 0, 16);
      for (const work of [
        () => engine.read(slice),
        () => {
          engine.write(slice, new Float32Array(4));
        },
      ]) {
        const { code, message } = await failure(work);
        expect(code).toBe('disposed');
        expect(message).toContain("'gone' is used after it was disposed");
      }
    });
  });

  describe('kernels', () => {
    it('compiles a kernel once for each set of parameters', () => {
      const source = `//#kernel k\n//#param A: u32\n//#param B: bool\n${section('y[0] = x[0];')}`;
      const { k: kernel } = kernelsOf('test', source, ['k']);
      const first = engine.kernel(kernel, { A: 1, B: true });
      expect(engine.kernel(kernel, { B: true, A: 1 })).toBe(first);
      expect(engine.kernel(kernel, { A: 2, B: true })).not.toBe(first);
    });

    it('tells kernels of one name in different files apart', async () => {
      for (const factor of [2, 3]) {
        const source = `//#kernel same\n${section(`y[0] = x[0] * ${factor}.0;`)}`;
        const { same } = kernelsOf(`file${factor}`, source, ['same']);
        expect(await result(engine, same)).toBe(7 * factor);
      }
    });

    it('names the kernel and the line that does not compile, and goes on', async () => {
      const { broken } = kernelsOf('test', `//#kernel broken\n${section('y[0] = x[0] * unheard;')}`, ['broken']);
      const error = await failure(() => result(engine, broken));
      expect(error.code).toBe('bad-kernel');
      expect(error.message).toContain(
        "Kernel 'broken' does not compile: line 6, 'fn main() { y[0] = x[0] * unheard; }'",
      );
      expect(error.message).toContain("unresolved value 'unheard'");
      expect(await result(engine, double)).toBe(14);
    });

    it('names a feature that the device lacks', async () => {
      const plain = plainEngine(engine);
      const { half } = kernelsOf('test', `//#kernel half\n//#enable f16\n${section('y[0] = x[0];')}`, ['half']);
      const error = await failure(() => result(plain, half));
      expect(error.code).toBe('missing-feature');
      expect(error.message).toContain("Kernel 'half' needs the feature 'shader-f16'");
      plain.dispose();
    });

    it('names a kernel that binds more buffers than the device does', async () => {
      const limit = engine.device.limits.maxStorageBuffersPerShaderStage;
      const binding = (i: number): string => `@group(0) @binding(${i}) var<storage, read_write> b${i}: array<f32>;`;
      const bindings = Array.from({ length: limit + 1 }, (_, i) => binding(i)).join('\n');
      const source = `//#kernel wide\n${bindings}\n@compute @workgroup_size(1) fn main() {}`;
      const { wide } = kernelsOf('test', source, ['wide']);
      const error = await failure(() => engine.kernel(wide, {}));
      expect(error.code).toBe('limit-exceeded');
      expect(error.message).toContain(`Kernel 'wide' binds ${limit + 1} storage buffers; this device`);
    });
  });

  describe('errors that WebGPU reports late', () => {
    /** A copy past the end of its buffer: WebGPU drops the whole submit. */
    const badSubmit = (): void => {
      engine.guarded('a bad copy', () => {
        const encoder = engine.device.createCommandEncoder();
        const usage = GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
        const buffer = engine.device.createBuffer({ size: 16, usage });
        encoder.copyBufferToBuffer(buffer, 0, buffer, 8, 16);
        engine.device.queue.submit([encoder.finish()]);
        buffer.destroy();
      });
    };

    it('are thrown by settle(), once, with what was done and what WebGPU says', async () => {
      badSubmit();
      const error = await failure(() => engine.settle());
      expect(error.code).toBe('validation');
      expect(error.message).toMatch(/^a bad copy: WebGPU says: .*copy/is);
      await engine.settle();
      expect(await result(engine, double)).toBe(14);
    });

    it('are thrown by a read', async () => {
      const buffer = engine.allocate(16, 'memory');
      badSubmit();
      expect((await failure(() => engine.read(new Slice(buffer, 0, 16)))).message).toContain('a bad copy');
      expect(new Float32Array(await engine.read(new Slice(buffer, 0, 16)))).toEqual(new Float32Array(4));
      engine.pool.release(buffer);
    });

    it('are thrown from a run of a program that WebGPU refuses', async () => {
      const lasting = engine.allocate(16, 'lasting');
      const recording = new Recording(engine);
      const output = recording.value(4, 'y');
      recording.dispatch({ kernel: double, bindings: { x: new Slice(lasting, 0, 4), y: output }, workgroups: [1] });
      recording.output(output);
      const program = await recording.compile();
      lasting.gpu.destroy(); // behind the pool's back
      program.run();
      const error = await failure(() => program.read(output));
      expect(error.code).toBe('validation');
      expect(error.message).toMatch(/^a program: WebGPU says: .*lasting.* destroyed/is);
      program.dispose();
      engine.pool.release(lasting);
    });

    it('come as bad-kernel where a limit is passed that only the pipeline knows', async () => {
      const words = engine.device.limits.maxComputeWorkgroupStorageSize / 4 + 1;
      const body = section('room[u32(x[0])] = 1.0; y[0] = room[0];');
      const source = `//#kernel greedy\nvar<workgroup> room: array<f32, ${words}>;\n${body}`;
      const { greedy } = kernelsOf('test', source, ['greedy']);
      const error = await failure(() => result(engine, greedy));
      expect(error.code).toBe('bad-kernel');
      expect(error.message).toContain("Kernel 'greedy' does not compile");
      await engine.settle();
    });
  });

  describe('life', () => {
    it('leaves a lent device as it was, but for its buffers', async () => {
      const guest = borrow(engine);
      const before = engine.pool.liveBytes;
      guest.allocate(1 << 16, 'left behind');
      const { program } = await single(guest, double);
      program.run();
      guest.dispose();
      guest.dispose();
      expect(guest.pool.liveBuffers).toBe(0);
      expect(guest.pool.liveBytes).toBe(0);
      expect(engine.pool.liveBytes).toBe(before);
      expect(await result(engine, triple)).toBe(21);
    });

    it('does not take an error of the app that lent the device for its own', async () => {
      const guest = borrow(engine);
      let heard = '';
      engine.device.onuncapturederror = ({ error }) => {
        heard = error.message;
      };
      engine.device.createBuffer({ size: 16, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.STORAGE });
      expect(await result(guest, double)).toBe(14);
      await guest.settle();
      expect(heard).not.toBe('');
      engine.device.onuncapturederror = null;
      guest.dispose();
    });

    it('shares nothing with another engine', async () => {
      const other = await openEngine({ plain: true });
      const [a, b] = await Promise.all([result(engine, double), result(other, triple)]);
      expect([a, b]).toEqual([14, 21]);
      expect([engine.traits.plain, other.traits.plain]).toEqual([false, true]);
      other.dispose();
      expect(await result(engine, double)).toBe(14);
    });

    it('is over after dispose()', async () => {
      const other = await openEngine();
      const { program, output } = await single(other, double);
      other.allocate(64, 'left behind');
      other.dispose();
      expect(other.pool.liveBuffers).toBe(0);
      for (const work of [
        () => other.settle(),
        () => other.allocate(16, 'late'),
        () => {
          program.run();
        },
        () => program.read(output),
        () => single(other, triple),
      ]) {
        expect((await failure(work)).code).toBe('disposed');
      }
      program.dispose();
    });

    it('says that it was disposed to a read that was under way', async () => {
      const other = await openEngine();
      const { program, output } = await single(other, double);
      program.run();
      const read = failure(() => program.read(output));
      other.dispose();
      expect((await read).code).toBe('disposed');
    });

    it('says that the device was lost, and stays lost', async () => {
      const host = await openEngine();
      const guest = borrow(host);
      const { program, output } = await single(guest, double);
      program.run();
      const read = failure(() => program.read(output));
      const settle = failure(() => guest.settle());
      host.device.destroy();
      expect((await read).code).toBe('device-lost');
      expect((await settle).code).toBe('device-lost');
      for (const work of [() => guest.settle(), () => guest.allocate(16, 'late'), () => program.read(output)]) {
        const { code, message } = await failure(work);
        expect(code).toBe('device-lost');
        expect(message).toMatch(/^The GPU device was lost: .*Resume from the last checkpoint/s);
      }
      program.dispose();
      guest.dispose();
      host.dispose();
    });
  });

  describe('adapters', () => {
    const info = (description: string, device = '', isFallbackAdapter = false): GPUAdapterInfo =>
      ({ vendor: '', architecture: '', device, description, isFallbackAdapter }) as unknown as GPUAdapterInfo;

    it('names software adapters loudly', () => {
      expect(describeAdapter(info('llvmpipe: Mesa 25.0.7', 'llvmpipe-llvm-15-'))).toBe(
        'SOFTWARE, not a GPU, slow: llvmpipe: Mesa 25.0.7',
      );
      expect(describeAdapter(info('NVIDIA: 570.86', 'nvidia-a100'))).toBe('nvidia-a100 (NVIDIA: 570.86)');
      expect(describeAdapter(info('NVIDIA A100'))).toBe('NVIDIA A100');
      expect(describeAdapter(info(''))).toBe('unnamed adapter');
      expect(isSoftware(info('SwiftShader Device (Subzero)'))).toBe(true);
      expect(isSoftware(info('some new rasterizer', '', true))).toBe(true);
      expect(isSoftware(info('Apple M2'))).toBe(false);
    });
  });
});

/** An engine on a device without optional features. */
function plainEngine(host: Engine): Engine {
  const device = new Proxy(host.device, {
    get: (target, key) => {
      if (key === 'features') return new Set<string>();
      const member: unknown = Reflect.get(target, key, target);
      return typeof member === 'function' ? (member.bind(target) as unknown) : member;
    },
  });
  return Engine.borrow(device, { info: host.info, wait: quietWait });
}
