import type { RecordedDispatch, RecordedWork } from './dispatch';
import type { CompiledKernel, GpuEngine } from './gpuEngine';
import { planMemory, type MemoryPlan } from './memoryPlan';
import type { DeviceBuffer } from './pool';
import { Program, type Step } from './program';
import { ProgramInputs } from './programInputs';
import type { UniformField } from './shader';
import { Slice, type Storage, type Value } from './storage';

/** Lays data out one behind another at aligned offsets. */
class Packing {
  size = 0;
  readonly #alignment: number;

  constructor(alignment: number) {
    this.#alignment = alignment;
  }

  add(bytes: number): number {
    const offset = this.size;
    this.size += Math.ceil(bytes / this.#alignment) * this.#alignment;
    return offset;
  }
}

function packUniforms(fields: readonly UniformField[], values: Readonly<Record<string, number>>): Uint8Array {
  const view = new DataView(new ArrayBuffer(Math.ceil(fields.length / 4) * 16));
  for (const [index, { name, type }] of fields.entries()) {
    const value = values[name] ?? 0;
    if (type === 'f32') view.setFloat32(index * 4, value, true);
    else if (type === 'i32') view.setInt32(index * 4, value, true);
    else view.setUint32(index * 4, value, true);
  }
  return new Uint8Array(view.buffer);
}

/** Uniforms of many dispatches in one buffer; equal ones lie there once. */
class UniformBlocks {
  readonly #packing: Packing;
  readonly #offsets = new Map<string, number>();
  readonly #blocks: { readonly offset: number; readonly data: Uint8Array }[] = [];

  readonly #engine: GpuEngine;

  constructor(engine: GpuEngine) {
    this.#engine = engine;
    this.#packing = new Packing(engine.device.limits.minUniformBufferOffsetAlignment);
  }

  /** @returns where they lie */
  add(fields: readonly UniformField[], values: Readonly<Record<string, number>>): { offset: number; size: number } {
    const data = packUniforms(fields, values);
    const key = String(data);
    let offset = this.#offsets.get(key);
    if (offset === undefined) {
      offset = this.#packing.add(data.byteLength);
      this.#offsets.set(key, offset);
      this.#blocks.push({ offset, data });
    }
    return { offset, size: data.byteLength };
  }

  allocate(): DeviceBuffer {
    const usage = GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST;
    return this.#engine.pool.allocate(this.#packing.size, usage, 'program uniforms');
  }

  write(buffer: DeviceBuffer): void {
    if (buffer.isPlanned) return;
    for (const { offset, data } of this.#blocks) {
      this.#engine.device.queue.writeBuffer(buffer.gpu, offset, data as Uint8Array<ArrayBuffer>);
    }
  }
}

/** A dispatch with its kernel, which may still be compiling, and the place of its uniforms. */
interface CompiledDispatch {
  readonly dispatch: RecordedDispatch;
  readonly kernel: CompiledKernel;
  readonly uniform: { readonly offset: number; readonly size: number } | undefined;
}

function compileDispatch(engine: GpuEngine, dispatch: RecordedDispatch, blocks: UniformBlocks): CompiledDispatch {
  const kernel = engine.kernel(dispatch.kernel, dispatch.params);
  const { uniforms } = kernel.specialized;
  return { dispatch, kernel, uniform: uniforms.length ? blocks.add(uniforms, dispatch.uniforms ?? {}) : undefined };
}

/**
 * @param options.effects false leaves out what only writes memory that outlives the program
 * @throws EngineError where memory is short or a kernel does not compile
 */
export async function compileProgram(
  engine: GpuEngine,
  recording: RecordedWork,
  outputs: ReadonlySet<Value>,
  { effects = true }: { readonly effects?: boolean } = {},
): Promise<Program> {
  const plan = planMemory(engine, recording, outputs, effects);
  const inputPacking = new Packing(plan.alignment);
  const inputOffsets = recording.inputs.map((input) => inputPacking.add(input.size));
  const uniforms = new UniformBlocks(engine);
  const compiled = plan.dispatches.map((dispatch) => compileDispatch(engine, dispatch, uniforms));
  const pipelines = await Promise.all(compiled.map(({ kernel }) => kernel.pipeline));

  const buffers: DeviceBuffer[] = [];
  const keep = (buffer: DeviceBuffer): DeviceBuffer => {
    buffers.push(buffer);
    return buffer;
  };
  try {
    return engine.guarded('compiling a program', () => {
      const arenas = plan.placement.arenaSizes.map((size, index) => keep(engine.allocate(size, `arena ${index}`)));
      const inputBuffer = keep(engine.allocate(inputPacking.size, 'program inputs'));
      const uniformBuffer = keep(uniforms.allocate());
      uniforms.write(uniformBuffer);

      const slices = placeSlices(plan, arenas);
      for (const output of plan.outputs) {
        slices.set(output, new Slice(keep(engine.allocateOutput(output.size, output.label)), 0, output.size));
      }
      const mirror = new Uint8Array(inputPacking.size);
      for (const [index, input] of recording.inputs.entries()) {
        const offset = inputOffsets[index] ?? 0;
        slices.set(input, new Slice(inputBuffer, offset, input.size));
        mirror.set(input.initial ?? [], offset);
      }
      for (const state of recording.states) {
        const buffer = keep(engine.allocate(state.size, state.label, state.initial));
        slices.set(state, new Slice(buffer, 0, state.size));
      }
      const steps = (engine.isPlanning ? [] : compiled).map((each, index): Step => {
        const { dispatch } = each;
        const [x, y = 1, z = 1] = dispatch.workgroups;
        return {
          dispatch,
          pipeline: pipelines[index] as GPUComputePipeline,
          bindGroup: (lent) =>
            makeBindGroup(engine, each, (value) => lent.get(value) ?? bound(slices.get(value) as Slice), uniformBuffer),
          workgroups: [x, y, z],
        };
      });
      return new Program(engine, {
        steps,
        slices,
        outputs,
        inputs: new ProgramInputs(engine, inputBuffer, mirror, slices),
        buffers,
        lasting: lastingBuffers(plan.dispatches),
        statistics: plan.statistics,
      });
    });
  } catch (error) {
    for (const buffer of buffers) engine.pool.release(buffer);
    throw error;
  }
}

function makeBindGroup(
  { device }: GpuEngine,
  { dispatch, kernel, uniform }: CompiledDispatch,
  placeOf: (value: Value) => GPUBufferBinding,
  uniformBuffer: DeviceBuffer,
): GPUBindGroup {
  const resource = (storage: Storage): GPUBufferBinding =>
    storage instanceof Slice ? bound(storage) : placeOf(storage);
  const entries = kernel.specialized.bindings.map(({ index: binding, name, access }) => ({
    binding,
    resource:
      access === 'uniform'
        ? { buffer: uniformBuffer.gpu, offset: uniform?.offset ?? 0, size: uniform?.size ?? 16 }
        : resource(dispatch.bindings[name] as Storage),
  }));
  return device.createBindGroup({ label: dispatch.kernel.name, layout: kernel.layout, entries });
}

function bound({ buffer, offset, size }: Slice): GPUBufferBinding {
  return { buffer: buffer.gpu, offset, size };
}

/** The buffers that a program works on without owning them. */
function lastingBuffers(dispatches: readonly RecordedDispatch[]): Set<DeviceBuffer> {
  const storages = dispatches.flatMap(({ reads, writes }) => [...reads, ...writes]);
  return new Set(storages.filter((storage) => storage instanceof Slice).map(({ buffer }) => buffer));
}

function placeSlices({ values, placement }: MemoryPlan, arenas: readonly DeviceBuffer[]): Map<Value, Slice> {
  const slices = new Map<Value, Slice>();
  for (const [index, value] of values.entries()) {
    const place = placement.places[index];
    const arena = arenas[place?.arena ?? 0];
    if (place && arena) slices.set(value, new Slice(arena, place.offset, value.size));
  }
  return slices;
}
