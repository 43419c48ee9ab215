import { create, globals } from 'webgpu';
import { Engine, type EngineOptions, type Wait } from '../gpu/engine';
import { UserError } from '../files/userError';

/**
 * Dawn's binding polls in `setImmediate` while any promise of its own is pending, and would take a whole core from the
 * threads of a software adapter. A callback in the same loop that sleeps leaves them that core.
 */
export const quietWait: Wait = async (promise) => {
  const scratch = new Int32Array(new SharedArrayBuffer(4));
  let pending = true;
  const doze = (): void => {
    if (!pending) return;
    Atomics.wait(scratch, 0, 0, 1);
    setImmediate(doze);
  };
  setImmediate(doze);
  try {
    return await promise;
  } finally {
    pending = false;
  }
};

/**
 * Opens an engine on an adapter of this machine.
 *
 * @param adapterName part of the adapter's name; the first adapter where absent
 * @throws UserError where there is none
 */
export async function openEngine(options: EngineOptions & { adapterName?: string } = {}): Promise<Engine> {
  Object.assign(globalThis, globals);
  const gpu = create(options.adapterName && options.adapterName !== 'any' ? [`adapter=${options.adapterName}`] : []);
  const adapter = await gpu.requestAdapter();
  if (!adapter) throw new UserError('No WebGPU adapter was found.');
  const engine = await Engine.open(adapter, { wait: quietWait, ...options });
  dawnInstances.set(engine, gpu);
  return engine;
}

/** Dawn's instance must outlive its devices. */
const dawnInstances = new WeakMap<Engine, GPU>();
