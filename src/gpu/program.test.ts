import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openEngine } from '../node/dawn';
import type { Engine } from '../engine/engine';
import { Recording } from './recording';
import { kernelsOf } from './shader';
import { Slice, type Storage, type Value } from './storage';

const COUNT = 33;
const BYTES = COUNT * 4;

const { scale, addTo } = kernelsOf(
  'programTest',
  `
struct Sizes { count: u32, factor: f32 }

//#kernel scale
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> sizes: Sizes;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) { if (id.x < sizes.count) { y[id.x] = x[id.x] * sizes.factor; } }

//#kernel addTo
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> sizes: Sizes;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) { if (id.x < sizes.count) { y[id.x] += x[id.x] * sizes.factor; } }
`,
  ['scale', 'addTo'],
);

const ramp = (step: number): Float32Array => Float32Array.from({ length: COUNT }, (_, i) => (i + 1) * step);

describe('Program', () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await openEngine();
  });
  afterAll(() => {
    engine.dispose();
  });
  afterEach(() => {
    const left = engine.pool.liveBuffers;
    engine.pool.dispose(); // a test that fails leaves nothing to the next
    expect(left).toBe(0);
  });

  /** Appends y = x · factor, or y += x · factor. */
  function record(recording: Recording, kernel: 'scale' | 'addTo', x: Storage, y: Storage, factor: number): void {
    recording.dispatch({
      kernel: kernel === 'scale' ? scale : addTo,
      uniforms: { count: COUNT, factor },
      bindings: { x, y },
      workgroups: [1],
    });
  }

  function scaled(recording: Recording, x: Storage, factor: number, label = `times ${factor}`): Value {
    const y = recording.value(BYTES, label);
    record(recording, 'scale', x, y, factor);
    return y;
  }

  const floats = (bytes: ArrayBuffer): Float32Array => new Float32Array(bytes, 0, COUNT);

  it('runs what was recorded, and keeps inputs between runs until they are written', async () => {
    const recording = new Recording(engine);
    const a = recording.input(BYTES, 'a', new Uint8Array(ramp(1).buffer));
    const b = recording.input(BYTES, 'b');
    const sum = scaled(recording, a, 2);
    record(recording, 'addTo', b, sum, 1);
    recording.output(sum);
    const program = await recording.compile();
    program.run();
    expect(floats(await program.read(sum))).toEqual(ramp(2));
    program.write(b, ramp(10));
    program.run();
    expect(floats(await program.read(sum))).toEqual(ramp(12));
    program.run();
    expect(floats(await program.read(sum))).toEqual(ramp(12));
    program.write(a, ramp(-5));
    program.run();
    expect(floats(await program.read(sum))).toEqual(ramp(0).map(() => 0));
    program.dispose();
  });

  it('gives each submitted run the inputs of its time', async () => {
    const total = new Slice(engine.allocate(BYTES, 'total'), 0, BYTES);
    const recording = new Recording(engine);
    const a = recording.input(BYTES, 'a');
    record(recording, 'addTo', a, total, 1);
    const program = await recording.compile();
    for (const step of [1, 10, 100]) {
      program.write(a, ramp(step));
      program.run();
    }
    expect(floats(await engine.read(total))).toEqual(ramp(111));
    program.dispose();
    engine.pool.release(total.buffer);
  });

  it('reuses the memory of a long chain', async () => {
    const recording = new Recording(engine);
    let value: Storage = recording.input(BYTES, 'start', new Uint8Array(ramp(1).buffer));
    for (let i = 0; i < 20; i++) value = scaled(recording, value, i % 2 === 0 ? 2 : 0.5, `link ${i}`);
    recording.output(value);
    const program = await recording.compile();
    expect(program.statistics).toEqual({ dispatches: 20, arenaBytes: 3 * 256, largestLiveSet: 2 * BYTES + 256 });
    program.run();
    expect(floats(await program.read(value))).toEqual(ramp(1));
    program.dispose();
  });

  it('keeps every declared output to the end of the run', async () => {
    const recording = new Recording(engine);
    let value: Storage = recording.input(BYTES, 'start', new Uint8Array(ramp(1).buffer));
    const outputs: Value[] = [];
    for (let i = 0; i < 6; i++) {
      const next = scaled(recording, value, 2);
      outputs.push(next);
      recording.output(next);
      value = next;
    }
    const program = await recording.compile();
    program.run();
    for (const [i, output] of outputs.entries()) expect(floats(await program.read(output))).toEqual(ramp(2 ** (i + 1)));
    program.dispose();
  });

  it('refuses to read an intermediate that was not declared', async () => {
    const recording = new Recording(engine);
    const hidden = scaled(recording, recording.input(BYTES, 'a'), 2, 'hidden');
    const shown = scaled(recording, hidden, 2, 'shown');
    recording.output(shown);
    const program = await recording.compile();
    expect(() => program.read(hidden)).toThrow(
      expect.objectContaining({
        code: 'bad-program',
        message: expect.stringContaining("'hidden' is an intermediate") as string,
      }),
    );
    program.dispose();
  });

  it('refuses to write what is no input, or not all of it', async () => {
    const recording = new Recording(engine);
    const a = recording.input(BYTES, 'a');
    const b = scaled(recording, a, 2, 'b');
    recording.output(b);
    const program = await recording.compile();
    expect(() => {
      program.write(b, ramp(1));
    }).toThrow("'b' is no input of this program");
    expect(() => {
      program.write(a, ramp(1).subarray(1));
    }).toThrow(`Input 'a' holds ${BYTES} bytes, not ${BYTES - 4}`);
    program.dispose();
  });

  it('drops dispatches that nothing needs', async () => {
    const recording = new Recording(engine);
    const a = recording.input(BYTES, 'a', new Uint8Array(ramp(1).buffer));
    scaled(recording, scaled(recording, a, 7), 7);
    const wanted = scaled(recording, scaled(recording, a, 2), 3);
    scaled(recording, wanted, 5);
    recording.output(wanted);
    const program = await recording.compile();
    expect(program.statistics.dispatches).toBe(2);
    program.run();
    expect(floats(await program.read(wanted))).toEqual(ramp(6));
    program.dispose();
  });

  it('keeps what writes lasting memory, unless only one output is asked for', async () => {
    const kept = new Slice(engine.allocate(BYTES, 'kept'), 0, BYTES);
    const other = new Slice(engine.allocate(BYTES, 'other'), 0, BYTES);
    const recording = new Recording(engine);
    const a = recording.input(BYTES, 'a', new Uint8Array(ramp(1).buffer));
    record(recording, 'addTo', a, kept, 1);
    record(recording, 'addTo', a, other, 1);
    const output = scaled(recording, kept, 10);
    const short = await recording.compileFor(output);
    expect(short.statistics.dispatches).toBe(2);
    short.run();
    expect(floats(await short.read(output))).toEqual(ramp(10));
    expect(floats(await engine.read(other))).toEqual(new Float32Array(COUNT));
    short.dispose();
    const whole = await recording.compile();
    expect(whole.statistics.dispatches).toBe(2); // without the output, but with both effects
    whole.run();
    expect(floats(await engine.read(other))).toEqual(ramp(1));
    whole.dispose();
    for (const { buffer } of [kept, other]) engine.pool.release(buffer);
  });

  it('runs with nothing recorded', async () => {
    const program = await new Recording(engine).compile();
    program.run();
    await engine.settle();
    program.dispose();
  });

  it('gives back all its memory, once, and can not be used after', async () => {
    const recording = new Recording(engine);
    const output = scaled(recording, recording.input(BYTES, 'a'), 2);
    recording.output(output);
    const program = await recording.compile();
    program.dispose();
    program.dispose();
    expect(engine.pool.liveBuffers).toBe(0);
    const disposed: unknown = expect.objectContaining({
      code: 'disposed',
      message: expect.stringContaining('This program was disposed') as string,
    });
    expect(() => {
      program.run();
    }).toThrow(disposed);
    expect(() => program.read(output)).toThrow(disposed);
  });

  it('names a lasting buffer that was released under it', async () => {
    const lasting = new Slice(engine.allocate(BYTES, 'lasting'), 0, BYTES);
    const recording = new Recording(engine);
    const output = scaled(recording, lasting, 2);
    recording.output(output);
    const program = await recording.compile();
    engine.pool.release(lasting.buffer);
    expect(() => {
      program.run();
    }).toThrow(expect.objectContaining({ code: 'disposed', message: expect.stringContaining("'lasting'") as string }));
    program.dispose();
  });

  it('leaves nothing behind where memory is short', async () => {
    const small = await openEngine({ budget: 1024 });
    const recording = new Recording(small);
    const input = recording.input(4, 'a');
    const output = recording.value(4096, 'large');
    const bindings = { x: input, y: output };
    recording.dispatch({ kernel: scale, uniforms: { count: 1, factor: 1 }, bindings, workgroups: [1] });
    recording.output(output);
    await expect(recording.compile()).rejects.toMatchObject({ code: 'out-of-memory' });
    expect(small.pool.liveBuffers).toBe(0);
    small.dispose();
  });

  it('submits carefully until it knows how long a run takes, then all at once what is quick', async () => {
    const recording = new Recording(engine);
    let value = scaled(recording, recording.input(BYTES, 'x', new Uint8Array(ramp(1).buffer)), 1);
    for (let i = 1; i < 100; i++) value = scaled(recording, value, 1);
    recording.output(value);
    const program = await recording.compile();
    const { queue } = engine.device;
    const submit = queue.submit.bind(queue);
    const counts: number[] = [];
    try {
      for (let run = 0; run < 8; run++) {
        let count = 0;
        queue.submit = (buffers) => {
          count++;
          submit(buffers);
        };
        program.run();
        queue.submit = submit;
        counts.push(count);
        expect(new Float32Array(await program.read(value))).toEqual(ramp(1));
        await engine.settle();
      }
    } finally {
      queue.submit = submit;
      program.dispose();
    }
    expect(counts[0]).toBe(4); // 100 dispatches, 32 at most each
    expect(counts.at(-1)).toBe(1);
  });

  it('splits what takes long', async () => {
    const recording = new Recording(engine);
    let value = scaled(recording, recording.input(BYTES, 'x', new Uint8Array(ramp(1).buffer)), 1);
    for (let i = 1; i < 10; i++) value = scaled(recording, value, 1);
    recording.output(value);
    const program = await recording.compile();
    const { queue } = engine.device;
    const done = queue.onSubmittedWorkDone.bind(queue);
    const submit = queue.submit.bind(queue);
    let count = 0;
    try {
      // A device on which every run takes a fifth of a second.
      queue.onSubmittedWorkDone = async () => {
        await done();
        await new Promise((resolve) => setTimeout(resolve, 200));
        return undefined;
      };
      program.run();
      await engine.settle();
      await new Promise((resolve) => setTimeout(resolve, 50));
      queue.submit = (buffers) => {
        count++;
        submit(buffers);
      };
      program.run();
      queue.submit = submit;
      expect(new Float32Array(await program.read(value))).toEqual(ramp(1));
    } finally {
      Object.assign(queue, { onSubmittedWorkDone: done, submit });
      program.dispose();
    }
    expect(count).toBeGreaterThanOrEqual(4);
  });

  describe.each([{ timestamps: true }, { timestamps: false }])('timed, %o', (options) => {
    it('computes the same, and tells when each dispatch ran', async () => {
      const timed = await openEngine(options);
      try {
        const recording = new Recording(timed);
        const x = recording.input(BYTES, 'x', new Uint8Array(ramp(1).buffer));
        const y = scaled(recording, scaled(recording, x, 2), 3);
        recording.output(y);
        const program = await recording.compile();
        const times = await program.profile();
        expect(times.map(({ dispatch }) => dispatch.kernel.name)).toEqual(['scale', 'scale']);
        for (const { begin, end } of times) expect(end).toBeGreaterThanOrEqual(begin);
        expect(times[1]?.begin).toBeGreaterThanOrEqual(times[0]?.begin ?? NaN);
        expect(new Float32Array(await program.read(y))).toEqual(ramp(6));
        program.write(x, ramp(2));
        expect(await program.runTimed()).toBeGreaterThan(0);
        expect(new Float32Array(await program.read(y))).toEqual(ramp(12));
        program.dispose();
        expect(timed.pool.liveBuffers).toBe(0);
      } finally {
        timed.dispose();
      }
    });
  });
});
