import type { SpecializedKernel } from './shader';

/** The feature by which a kernel says how many lanes its subgroups have. */
export const SIZE_FEATURE = 'subgroup-size-control' as GPUFeatureName;

/**
 * How many lanes a subgroup has where each has most registers; undefined where the number of lanes makes no difference, or
 * where kernels can't choose it. On Intel's GPUs the lanes share what registers a thread has, and a driver left to itself
 * takes twice the fewest lanes: kernels of many registers then spill.
 */
export function narrowLanesOf(
  features: GPUSupportedFeatures,
  { vendor, subgroupMinSize: min, subgroupMaxSize: max }: GPUAdapterInfo,
): number | undefined {
  return vendor === 'intel' && features.has(SIZE_FEATURE) && min < max ? min : undefined;
}

/** A kernel that says `//#narrow`, with subgroups of so many lanes; any other, or where `lanes` is absent, as it is. */
export function inSubgroupsOf(lanes: number | undefined, kernel: SpecializedKernel): SpecializedKernel {
  const { code } = kernel;
  if (!lanes || !code.includes('//#narrow')) return kernel;
  return {
    ...kernel,
    code: `enable subgroup_size_control;\n${code.replace('@compute', `@compute @subgroup_size(${lanes})`)}`,
  };
}
