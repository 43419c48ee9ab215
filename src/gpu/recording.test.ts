import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openEngine } from '../node/dawn';
import type { Engine } from '../engine/engine';
import { EngineError, type EngineErrorCode } from './errors';
import { Recording, workgroupRow, type Dispatch } from './recording';
import { kernelsOf } from './shader';
import { Slice } from './storage';

const { scale, pair } = kernelsOf(
  'recordingTest',
  `
//#kernel scale
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
struct Sizes { count: u32, factor: f32 }
@group(0) @binding(2) var<uniform> sizes: Sizes;
@compute @workgroup_size(1)
fn main(@builtin(global_invocation_id) id: vec3u) { if (id.x < sizes.count) { y[id.x] = x[id.x] * sizes.factor; } }

//#kernel pair
@group(0) @binding(0) var<storage, read_write> first: array<f32>;
@group(0) @binding(1) var<storage, read_write> second: array<f32>;
@compute @workgroup_size(1)
fn main() { first[0] = 1.0; second[0] = 2.0; }
`,
  ['scale', 'pair'],
);

describe('Recording', () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await openEngine();
  });
  afterAll(() => {
    engine.dispose();
  });

  const uniforms = { count: 4, factor: 2 };

  /** What a dispatch throws, as code and message. */
  function failure(recording: Recording, dispatch: Dispatch): { code: EngineErrorCode; message: string } {
    try {
      recording.dispatch(dispatch);
    } catch (error) {
      if (error instanceof EngineError) {
        expect(recording.dispatches).toHaveLength(0);
        return error;
      }
      throw error;
    }
    throw new Error('nothing was thrown');
  }

  function scaleIn(recording: Recording, change: Partial<Dispatch> = {}): Dispatch {
    const bindings = { x: recording.input(16, 'input'), y: recording.value(16, 'output') };
    return { kernel: scale, uniforms, bindings, workgroups: [4], ...change };
  }

  /** A dispatch that is right but for `change`. */
  function refused(change: (recording: Recording) => Partial<Dispatch>): { code: EngineErrorCode; message: string } {
    const recording = new Recording(engine);
    return failure(recording, scaleIn(recording, change(recording)));
  }

  it('names a binding that is missing, and all that there are', () => {
    const { code, message } = refused((recording) => ({ bindings: { x: recording.input(16, 'input') } }));
    expect(code).toBe('bad-dispatch');
    expect(message).toBe("Kernel 'scale': nothing is bound to 'y'. Bind x, y, sizes.");
  });

  it('names a binding that it does not have', () => {
    const { message } = refused((recording) => ({
      bindings: { ...scaleIn(recording).bindings, z: recording.input(16, 'other') },
    }));
    expect(message).toBe("Kernel 'scale': it has no binding 'z'. It has x, y.");
  });

  it('names a uniform that is missing or unknown', () => {
    const missing = refused(() => ({ uniforms: { count: 4 } }));
    expect(missing.message).toContain("Kernel 'scale': uniform 'factor' has no value");
    expect(refused(() => ({ uniforms: { ...uniforms, size: 1 } })).message).toContain("it has no uniform 'size'");
  });

  it('names a parameter that is unknown', () => {
    expect(refused(() => ({ params: { WIDE: true } })).message).toContain("'WIDE' is not one of its parameters");
  });

  it('refuses to read what nothing has written', () => {
    const { message } = refused((recording) => ({
      bindings: { x: recording.value(16, 'hidden'), y: recording.value(16, 'output') },
    }));
    expect(message).toContain("Kernel 'scale': 'x' reads 'hidden', which nothing has written yet");
  });

  it('refuses to write an input', () => {
    const { message } = refused((recording) => ({
      bindings: { x: recording.input(16, 'a'), y: recording.input(16, 'b') },
    }));
    expect(message).toContain("Kernel 'scale': 'y' writes the input 'b'");
  });

  it('refuses to read and write one value', () => {
    const recording = new Recording(engine);
    const value = recording.value(16, 'both');
    recording.dispatch(scaleIn(recording, { bindings: { x: recording.input(16, 'input'), y: value } }));
    const again = (): void => {
      recording.dispatch(scaleIn(recording, { bindings: { x: value, y: value } }));
    };
    expect(again).toThrow("Kernel 'scale': 'both' and 'both' share memory that it writes");
  });

  it('refuses to read and write one buffer, however far apart', () => {
    const buffer = engine.allocate(1024, 'shared');
    const { message } = refused(() => ({ bindings: { x: new Slice(buffer, 0, 16), y: new Slice(buffer, 512, 16) } }));
    expect(message).toContain("'shared' and 'shared' share memory");
    engine.pool.release(buffer);
  });

  it('lets one dispatch write two places of a buffer, but not one place twice', () => {
    const buffer = engine.allocate(1024, 'shared');
    const recording = new Recording(engine);
    const write = (second: number): Dispatch => ({
      kernel: pair,
      bindings: { first: new Slice(buffer, 0, 512), second: new Slice(buffer, second, 512) },
      workgroups: [1],
    });
    expect(failure(recording, write(256)).message).toContain("Kernel 'pair': 'shared' and 'shared' share memory");
    recording.dispatch(write(512));
    expect(recording.dispatches).toHaveLength(1);
    engine.pool.release(buffer);
  });

  it('refuses the value of another recording', () => {
    const stranger = new Recording(engine).input(16, 'stranger');
    const { code, message } = refused((recording) => ({ bindings: { x: stranger, y: recording.value(16, 'output') } }));
    expect(code).toBe('bad-dispatch');
    expect(message).toContain("scale.x: 'stranger' belongs to another program");
    expect(() => {
      new Recording(engine).output(stranger);
    }).toThrow("'stranger' belongs to another program");
  });

  it('refuses a released buffer', () => {
    const buffer = engine.allocate(64, 'gone');
    engine.pool.release(buffer);
    const { code, message } = refused((recording) => ({
      bindings: { x: new Slice(buffer, 0, 16), y: recording.value(16, 'output') },
    }));
    expect(code).toBe('disposed');
    expect(message).toContain("'gone' is used after it was disposed");
  });

  it('refuses more workgroups than a dimension holds, and none', () => {
    const tooMany = refused(() => ({ workgroups: [1, 65536] }));
    expect(tooMany.code).toBe('limit-exceeded');
    expect(tooMany.message).toContain("Kernel 'scale': 1×65536 workgroups");
    expect(refused(() => ({ workgroups: [-1] })).message).toContain("Kernel 'scale': a work size of -1");
    expect(refused(() => ({ workgroups: [1.5] })).message).toContain('a work size of 1.5');
  });

  it('checks what a binding may hold before the device does', () => {
    const limit = engine.device.limits.maxStorageBufferBindingSize;
    expect(() => new Recording(engine).value(limit + 4, 'huge')).toThrow(
      expect.objectContaining({ code: 'limit-exceeded', message: expect.stringContaining("'huge' needs") as string }),
    );
    const buffer = engine.allocate(64, 'long');
    const { message } = refused((recording) => ({
      bindings: { x: new Slice(buffer, 0, limit + 4), y: recording.value(16, 'output') },
    }));
    expect(message).toContain(`Kernel 'scale': 'long' has ${limit + 4} bytes for 'x'`);
    engine.pool.release(buffer);
  });

  it.each([
    [1, [1, 1]],
    [65535, [65535, 1]],
    [65536, [32768, 2]],
    [1_000_003, [62501, 16]],
  ])('lays %d workgroups out as %j', (count, expected) => {
    const [x, y] = workgroupRow(count);
    expect([x, y]).toEqual(expected);
    expect(x * y).toBeGreaterThanOrEqual(count);
  });
});
