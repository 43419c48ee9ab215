import { Engine } from '../engine/engine';
import { isSoftware, requirements } from '../gpu/adapter';
import type { EngineOptions, Wait } from '../gpu/gpuEngine';
import { MATRIX_TOGGLES } from '../gpu/subgroupMatrix';
import { requestAdapter, type OpenAdapter } from './adapter';
import { freeMemory } from './memory';

/** Promises of Dawn's that are waited for, in all engines of the process. */
let waiting = 0;
let isDozing = false;
const scratch = new Int32Array(new SharedArrayBuffer(4));

/**
 * Dawn's binding polls in `setImmediate` while any promise of its own is pending, and would take a whole core from the
 * threads of a software adapter. A callback in the same loop that sleeps leaves them that core: one for all that is waited
 * for, so that a turn of the loop takes a millisecond, however much is under way.
 */
export const quietWait: Wait = async (promise) => {
  waiting++;
  if (!isDozing) {
    isDozing = true;
    setImmediate(doze);
  }
  try {
    return await promise;
  } finally {
    waiting--;
  }
};

function doze(): void {
  isDozing = waiting > 0;
  if (!isDozing) return;
  Atomics.wait(scratch, 0, 0, 1);
  setImmediate(doze);
}

/**
 * A software adapter takes the memory of the machine, and takes it late, when the system can only end the process: so
 * the engine may use this share of what is free. What a GPU has, WebGPU does not tell.
 */
const SHARE_OF_MEMORY = 0.8;

/**
 * Opens an engine on an adapter of this machine. The process ends by itself once the engine is disposed.
 *
 * @param adapterName `any` (the default), `hardware`, `software`, `swiftshader` or a part of an adapter's name; see
 *   `requestAdapter`
 * @throws UserError where there is no such adapter
 */
export async function openEngine({ adapterName = 'any', half = false, ...options }: DawnOptions = {}): Promise<Engine> {
  const flags = options.timestamps ? [EXACT_TIMESTAMPS] : [];
  const opened = await requestAdapter(adapterName, flags);
  // A software adapter has no matrix units, and these toggles take checks away.
  const chosen =
    half && !isSoftware(opened.adapter.info) ? await requestAdapter(adapterName, [...flags, HALF_TOGGLES]) : opened;
  return await openEngineOn(chosen, options);
}

/**
 * Opens a device on an adapter of this machine, with all features and limits that it has for the engine: for
 * `Engine.borrow(device, { wait: quietWait })`. Whoever opened it destroys it.
 *
 * @param adapterName as `openEngine`
 * @throws UserError where there is no such adapter, or the package webgpu is missing
 */
export async function openDevice({ adapterName = 'any' }: { readonly adapterName?: string } = {}): Promise<GPUDevice> {
  const { adapter, gpu } = await requestAdapter(adapterName);
  const device = await adapter.requestDevice(requirements(adapter));
  dawnInstances.set(device, gpu);
  return device;
}

/** Opens an engine on an adapter that was found. */
export async function openEngineOn({ adapter, gpu }: OpenAdapter, options: EngineOptions = {}): Promise<Engine> {
  const budget = isSoftware(adapter.info) ? { budget: freeMemory() * SHARE_OF_MEMORY } : {};
  const engine = await Engine.open(adapter, { wait: quietWait, ...budget, ...options });
  dawnInstances.set(engine, gpu);
  return engine;
}

/** With these Dawn has matrix units, and f16 on NVIDIA. */
const HALF_TOGGLES = `enable-dawn-features=${MATRIX_TOGGLES.join(',')}`;

/** Dawn rounds timestamps to 65 µs by default, as browsers do. */
const EXACT_TIMESTAMPS = 'disable-dawn-features=timestamp_quantization';

export type DawnOptions = EngineOptions & {
  readonly adapterName?: string;
  /** Whether it is to compute in f16: a GPU is then opened with all that Dawn has for it. */
  readonly half?: boolean;
};

/** Dawn's instance must outlive its devices. */
const dawnInstances = new WeakMap<Engine | GPUDevice, GPU>();
