import ndarray from 'ndarray';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { requirements } from '../gpu/adapter';
import { requestAdapter, type OpenAdapter } from '../node/adapter';
import { quietWait } from '../node/dawn';
import { Linear } from '../nn/linear';
import { add } from '../ops/add';
import { mse } from '../ops/mse';
import { square } from '../ops/unary';
import { AdamW } from '../optim/adamw';
import { readTensor } from '../tensor/tensor';
import type { CompiledProgram } from './compiledProgram';
import { Engine } from './engine';
import { f32, u32 } from './inputs';

/*
 * The contract with whoever lends a device: docs/embedding.md states it, sentence by sentence.
 */

const ramp = (count: number, step = 1): Float32Array => Float32Array.from({ length: count }, (_, i) => (i + 1) * step);

describe('on a device of the app', () => {
  let opened: OpenAdapter;
  let device: GPUDevice;
  let errors: string[];
  const onError = ({ error }: GPUUncapturedErrorEvent): void => void errors.push(error.message);

  beforeAll(async () => {
    opened = await requestAdapter('any');
    device = await opened.adapter.requestDevice(requirements(opened.adapter));
    device.addEventListener('uncapturederror', onError);
  });
  afterAll(async () => {
    await device.queue.onSubmittedWorkDone();
    expect(errors).toEqual([]);
    device.destroy();
  });
  beforeEach(() => {
    errors = [];
  });

  /** Dawn's instances must outlive what comes of them. */
  const kept: OpenAdapter[] = [];
  /** An adapter gives one device. */
  async function anotherAdapter(): Promise<GPUAdapter> {
    const another = await requestAdapter('any');
    kept.push(another);
    return another.adapter;
  }

  const borrow = (): Engine => Engine.borrow(device, { wait: quietWait });

  async function withEngine(use: (engine: Engine) => Promise<void>): Promise<void> {
    const engine = borrow();
    try {
      await use(engine);
    } finally {
      engine.dispose();
    }
  }

  /** A buffer of the app's. */
  function appBuffer(data: Float32Array, usage = GPUBufferUsage.STORAGE, label = "the app's"): GPUBuffer {
    const buffer = device.createBuffer({ label, size: data.byteLength, usage: usage | GPUBufferUsage.COPY_DST });
    device.queue.writeBuffer(buffer, 0, data as Float32Array<ArrayBuffer>);
    return buffer;
  }

  const doubled = (engine: Engine) => engine.compile({ x: f32(64) }, ({ x }) => ({ y: add(x, x) }));

  async function read(buffer: GPUBuffer, count: number): Promise<Float32Array> {
    const staging = device.createBuffer({ size: count * 4, usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ });
    const encoder = device.createCommandEncoder();
    encoder.copyBufferToBuffer(buffer, 0, staging, 0, count * 4);
    device.queue.submit([encoder.finish()]);
    await quietWait(staging.mapAsync(GPUMapMode.READ));
    const data = new Float32Array(staging.getMappedRange().slice(0));
    staging.destroy();
    return data;
  }

  it('asks for what it can use beside what the app needs', () => {
    const { adapter } = opened;
    const app = { requiredFeatures: ['timestamp-query' as const], requiredLimits: { maxBindGroups: 3 }, label: 'app' };
    const wanted = requirements(adapter, app);
    expect(wanted).toMatchObject({ label: 'app', requiredLimits: { maxBindGroups: 3 } });
    expect(wanted.requiredFeatures).toContain('timestamp-query');
    expect(wanted.requiredLimits?.maxBufferSize).toBe(adapter.limits.maxBufferSize);
    expect(requirements(adapter, { requiredLimits: { maxBufferSize: 2 ** 60 } }).requiredLimits?.maxBufferSize).toBe(
      2 ** 60,
    );
  });

  it('leaves it alive, gives back every byte, may be disposed of twice, and comes again', async () => {
    for (let life = 0; life < 3; life++) {
      const engine = borrow();
      const program = await doubled(engine);
      await program.run({ x: ramp(64) });
      expect(await program.outputs.y.data()).toEqual(ramp(64, 2));
      engine.dispose();
      engine.dispose();
      expect(engine.pool.liveBytes).toBe(0);
      await expect(program.run({ x: ramp(64) })).rejects.toMatchObject({ code: 'disposed' });
    }
    expect(await read(appBuffer(ramp(4), GPUBufferUsage.COPY_SRC), 4)).toEqual(ramp(4));
  });

  it('shares it with other engines', async () => {
    const [first, second] = [borrow(), borrow()];
    const programs = [await doubled(first), await doubled(second)];
    for (const [index, program] of programs.entries()) await program.run({ x: ramp(64, index + 1) });
    first.dispose();
    expect(await programs[1]?.outputs.y.data()).toEqual(ramp(64, 4));
    second.dispose();
  });

  it('labels everything that it makes', async () => {
    const engine = borrow();
    const watched = ['createBuffer', 'createBindGroup', 'createBindGroupLayout', 'createPipelineLayout'] as const;
    const others = ['createShaderModule', 'createComputePipelineAsync', 'createCommandEncoder'] as const;
    const spies = [...watched, ...others].map((name) => vi.spyOn(device, name));
    try {
      const program = await engine.compile({ x: f32(7, 3) }, ({ x }) => ({ y: square(x) }));
      await program.run({ x: ramp(21) });
      await program.outputs.y.data();
      const calls = spies.flatMap(({ mock }) => mock.calls.map(([descriptor]) => descriptor?.label));
      expect(calls.length).toBeGreaterThan(7);
      expect(calls.filter((label) => !label)).toEqual([]);
    } finally {
      for (const spy of spies) spy.mockRestore();
      engine.dispose();
    }
  });

  it("leaves the app's handlers alone, and adds none", async () => {
    const added: string[] = [];
    const addEventListener = device.addEventListener.bind(device);
    const handler = device.onuncapturederror;
    device.addEventListener = ((name: string) => void added.push(name)) as typeof addEventListener;
    await withEngine(async (engine) => {
      await doubled(engine);
    });
    device.addEventListener = addEventListener;
    expect(added).toEqual([]);
    expect(device.onuncapturederror).toBe(handler);
  });

  it('takes the limits and features of the device, not those of the adapter', async () => {
    const adapter = await anotherAdapter();
    const plain = await adapter.requestDevice();
    const engine = Engine.borrow(plain, { wait: quietWait });
    expect(engine.hasHalf).toBe(false);
    expect(() => engine.record({ x: f32(2 ** 26) }, ({ x }) => ({ y: square(x) }))).toThrow('binds at most 128.0 MiB');
    const program = await doubled(engine);
    await program.run({ x: ramp(64) });
    expect(await program.outputs.y.data()).toEqual(ramp(64, 2));
    engine.dispose();
    plain.destroy();
  });

  it('says once and clearly that the app lost it', async () => {
    const adapter = await anotherAdapter();
    const lost = await adapter.requestDevice();
    const engine = Engine.borrow(lost, { wait: quietWait });
    const program = await doubled(engine);
    lost.destroy();
    await lost.lost;
    await expect(program.run({ x: ramp(64) })).rejects.toMatchObject({
      code: 'device-lost',
      message: expect.stringMatching(/^The GPU device was lost: .*\. Resume/) as string,
    });
    engine.dispose();
  });

  describe('commands of the app', () => {
    it('take a run without a submit, in an encoder or a pass', async () => {
      await withEngine(async (engine) => {
        const program = await doubled(engine);
        const submits = vi.spyOn(device.queue, 'submit');
        const encoder = device.createCommandEncoder();
        program.encode(encoder, { x: ramp(64) });
        expect(submits).not.toHaveBeenCalled();
        submits.mockRestore();
        device.queue.submit([encoder.finish()]);
        expect(await program.outputs.y.data()).toEqual(ramp(64, 2));

        const second = device.createCommandEncoder();
        const pass = second.beginComputePass();
        program.encode(pass, { x: ramp(64, 3) });
        pass.end();
        device.queue.submit([second.finish()]);
        expect(await program.outputs.y.data()).toEqual(ramp(64, 6));
      });
    });

    it('that take two steps before one submit are two steps', async () => {
      const trained = async (engine: Engine, steps: (program: CompiledProgram) => Promise<void>) => {
        const model = engine.init(new Linear(4, 1), { seed: 3 });
        const adam = new AdamW(model, { learningRate: { peak: 0.1, minimum: 0, warmupSteps: 0, steps: 5 } });
        const initial = { x: ramp(32, 0.1), y: ramp(8) };
        const inputs = { x: { ...f32(8, 4), initial: initial.x }, y: { ...f32(8, 1), initial: initial.y } };
        await steps(await engine.compile(inputs, ({ x, y }) => adam.minimize(mse(model.forward(x), y))));
        return await readTensor(engine, model.weight);
      };
      await withEngine(async (engine) => {
        const one = await trained(engine, async (program) => {
          for (let i = 0; i < 3; i++) await program.run();
        });
        const other = await trained(engine, async (program) => {
          const encoder = device.createCommandEncoder();
          for (let i = 0; i < 3; i++) program.encode(encoder);
          device.queue.submit([encoder.finish()]);
        });
        expect(other).toEqual(one);
      });
    });

    it('that are given nothing to the first run, are refused', async () => {
      await withEngine(async (engine) => {
        const program = await doubled(engine);
        expect(() => program.encode(device.createCommandEncoder())).toThrow("Input 'x' was never given");
      });
    });
  });

  describe('buffers of the app', () => {
    it('are read where they lie, and give way to what comes after them', async () => {
      await withEngine(async (engine) => {
        const program = await doubled(engine);
        const buffer = appBuffer(ramp(192));
        const copies = vi.spyOn(device, 'createBindGroup');
        await program.run({ x: buffer });
        expect(copies).toHaveBeenCalledTimes(1);
        expect(await program.outputs.y.data()).toEqual(ramp(64, 2));
        device.queue.writeBuffer(buffer, 0, ramp(64, 5) as Float32Array<ArrayBuffer>);
        await program.run({ x: buffer });
        expect(copies).toHaveBeenCalledTimes(1);
        copies.mockRestore();
        expect(await program.outputs.y.data()).toEqual(ramp(64, 10));
        await program.run({ x: { buffer, offset: 256 } });
        expect((await program.outputs.y.data())[0]).toBe(130);
        await program.run({ x: ramp(64, 7) });
        expect(await program.outputs.y.data()).toEqual(ramp(64, 14));
      });
    });

    it('that can only be copied from, or lie at other offsets, are copied on the GPU, beside what the host writes', async () => {
      await withEngine(async (engine) => {
        const program = await engine.compile({ x: f32(64), z: f32(64) }, ({ x, z }) => ({ y: add(x, z) }));
        const buffer = appBuffer(ramp(65), GPUBufferUsage.COPY_SRC);
        await program.run({ x: { buffer, offset: 4 }, z: new Float32Array(64) });
        expect(await program.outputs.y.data()).toEqual(ramp(65).slice(1));
        await program.run({ z: new Float32Array(64).fill(1) });
        expect(await program.outputs.y.data()).toEqual(ramp(66).slice(2));
        const pass = device.createCommandEncoder().beginComputePass();
        expect(() => program.encode(pass, { x: { buffer, offset: 4 } })).toThrow("which a compute pass can't do");
      });
    });

    it.each([
      ['too short', (d: GPUDevice) => ({ buffer: d.createBuffer({ size: 64, usage: 128, label: 'short' }) }), 'has 64'],
      [
        'of another usage',
        (d: GPUDevice) => ({ buffer: d.createBuffer({ size: 256, usage: 16 }) }),
        'neither usage STORAGE',
      ],
      [
        'at a place between words',
        (d: GPUDevice) => ({ buffer: d.createBuffer({ size: 512, usage: 128 }), offset: 2 }),
        'multiple of 4',
      ],
    ])('%s are refused by name', async (_, make, message) => {
      await withEngine(async (engine) => {
        const program = await doubled(engine);
        await expect(program.run({ x: make(device) })).rejects.toThrow(message);
      });
    });

    it('come out: an output has one of its own, which may not go back into its program', async () => {
      await withEngine(async (engine) => {
        const program = await doubled(engine);
        const next = await engine.compile({ x: f32(64) }, ({ x }) => ({ y: square(x) }));
        await program.run({ x: ramp(64) });
        const { buffer } = program.outputs.y;
        expect(await read(buffer, 64)).toEqual(ramp(64, 2));
        expect(program.outputs.y.buffer).toBe(buffer);
        await next.run({ x: buffer });
        expect((await next.outputs.y.data())[63]).toBe(128 ** 2);
        await expect(program.run({ x: buffer })).rejects.toThrow('is an output of the same program');
      });
    });

    it('are not those of inputs and lasting tensors', async () => {
      await withEngine(async (engine) => {
        const model = engine.init(new Linear(4, 4));
        const program = await engine.compile({ x: f32(4) }, ({ x }) => ({ x, weight: model.weight }));
        expect(() => program.outputs.x.buffer).toThrow("'x' has no buffer of its own");
        expect(() => program.outputs.weight.buffer).toThrow("'weight' shares a buffer with others");
      });
    });
  });

  it('takes ndarrays of any strides, by their structure', async () => {
    await withEngine(async (engine) => {
      const initial = ndarray(new Uint32Array([1, 2, 3, 4, 5, 6]), [3, 2]).transpose(1, 0);
      const inputs = { x: f32(2, 3), i: { ...u32(2, 3), initial } };
      const program = await engine.compile(inputs, ({ x, i }) => ({ y: add(x, x), i }));
      const columns = ndarray(
        Float64Array.from({ length: 12 }, (_, i) => i),
        [3, 4],
      )
        .step(1, -2)
        .transpose(1, 0);
      await program.run({ x: columns });
      expect(await program.outputs.y.data()).toEqual(Float32Array.of(6, 14, 22, 2, 10, 18));
      expect(await program.outputs.i.data()).toEqual(Uint32Array.of(1, 3, 5, 2, 4, 6));
      await expect(program.run({ x: columns.transpose(1, 0) })).rejects.toThrow('the ndarray [3, 2]');
      const wrong = ndarray(new Float32Array(6), [2, 3]);
      await expect(program.run({ i: wrong })).rejects.toThrow(
        "'i' holds u32, which an ndarray of Float32Array does not",
      );
    });
  });
});
