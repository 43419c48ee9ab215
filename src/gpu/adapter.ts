import { MATRIX_FEATURE } from './subgroupMatrix';
import { SIZE_FEATURE } from './subgroupSize';

const OPTIONAL_FEATURES: readonly GPUFeatureName[] = ['subgroups', SIZE_FEATURE, 'shader-f16', MATRIX_FEATURE];
const SOFTWARE = /llvmpipe|lavapipe|swiftshader|software|microsoft basic render/i;

/** One line that names an adapter and its driver, and a software adapter loudly as such. */
export function describeAdapter(info: GPUAdapterInfo): string {
  return `${isSoftware(info) ? 'SOFTWARE, not a GPU, slow: ' : ''}${nameAdapter(info)}`;
}

/** An adapter's name and its driver. */
export function nameAdapter(info: GPUAdapterInfo): string {
  const { vendor, architecture, device, description } = info;
  // Of a GPU, Dawn describes the driver; of software, the driver is all there is.
  const name = device && description && !isSoftware(info) ? `${device} (${description})` : description || device;
  return name || architecture || vendor || 'unnamed adapter';
}

export function isSoftware(info: GPUAdapterInfo): boolean {
  const { isFallbackAdapter, vendor, architecture, device, description } = info;
  return isFallbackAdapter || [vendor, architecture, device, description].some(isSoftwareName);
}

export function isSoftwareName(name: string): boolean {
  return SOFTWARE.test(name);
}

/** Limits of which kernels and memory can use all that there is. */
const LIMITS = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
] as const;

/**
 * What to ask an adapter for, so that an engine can use all that it has, beside what an app needs itself:
 * `adapter.requestDevice(requirements(adapter, { requiredFeatures: ['float32-filterable'] }))`. An engine also works on a
 * device with less.
 *
 * @param app what the app asks for; of a limit that both name, the better one is asked for
 */
export function requirements({ features, limits }: GPUAdapter, app: GPUDeviceDescriptor = {}): GPUDeviceDescriptor {
  const requiredLimits: Record<string, GPUSize64 | undefined> = { ...app.requiredLimits };
  for (const name of LIMITS) requiredLimits[name] = Math.max(limits[name], requiredLimits[name] ?? 0);
  const own = OPTIONAL_FEATURES.filter((feature) => features.has(feature));
  return { ...app, requiredFeatures: [...new Set([...(app.requiredFeatures ?? []), ...own])], requiredLimits };
}
