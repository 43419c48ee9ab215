import { MATRIX_FEATURE } from './subgroupMatrix';

const OPTIONAL_FEATURES: readonly GPUFeatureName[] = ['subgroups', 'shader-f16', MATRIX_FEATURE];
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

/** What an engine asks an adapter for: its largest limits, and the optional features that it has and kernels use. */
export function everythingOf(
  { features, limits }: GPUAdapter,
  { timestamps = false }: { readonly timestamps?: boolean },
): GPUDeviceDescriptor {
  const wanted: readonly GPUFeatureName[] = timestamps ? [...OPTIONAL_FEATURES, 'timestamp-query'] : OPTIONAL_FEATURES;
  return {
    requiredFeatures: wanted.filter((feature) => features.has(feature)),
    requiredLimits: {
      maxBufferSize: limits.maxBufferSize,
      maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
      maxStorageBuffersPerShaderStage: limits.maxStorageBuffersPerShaderStage,
      maxComputeWorkgroupStorageSize: limits.maxComputeWorkgroupStorageSize,
      maxComputeInvocationsPerWorkgroup: limits.maxComputeInvocationsPerWorkgroup,
      maxComputeWorkgroupSizeX: limits.maxComputeWorkgroupSizeX,
    },
  };
}
