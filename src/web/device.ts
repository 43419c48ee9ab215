import { UserError } from '../common/userError';
import { Engine } from '../engine/engine';
import type { EngineOptions } from '../gpu/gpuEngine';

const BROWSERS =
  'Chrome and Edge have it from version 113, Safari from 26, Firefox from 141 (on Windows; later elsewhere). On Linux, Chrome ' +
  'may need chrome://flags/#enable-unsafe-webgpu.';

/**
 * Finds the browser's GPU.
 *
 * @throws UserError where there is none, in plain words and with what to do
 */
export async function requestBrowserAdapter(): Promise<GPUAdapter> {
  if (!isSecureContext) {
    throw new UserError(
      'Browsers give WebGPU only to pages from https:// or from localhost. Open this page from there.',
    );
  }
  // A browser without WebGPU has no such property, whatever the types say.
  const gpu = navigator.gpu as GPU | undefined;
  if (!gpu) throw new UserError(`This browser has no WebGPU, which everything here is computed with. ${BROWSERS}`);
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (!adapter) {
    throw new UserError(
      'This browser has WebGPU, but found no GPU that it may use. Update the graphics driver, switch hardware acceleration on in ' +
        'the settings of the browser, and start it anew. chrome://gpu says why a GPU is not used.',
    );
  }
  return adapter;
}

/** Opens an engine on the browser's GPU. @throws UserError as `requestBrowserAdapter` */
export async function openBrowserEngine(options: EngineOptions = {}): Promise<Engine> {
  return await Engine.open(await requestBrowserAdapter(), options);
}
