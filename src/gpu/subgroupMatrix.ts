/*
 * Subgroup matrices (tensor cores), which WebGPU does not have yet: a proposal, and an experiment of Dawn's. What both call
 * things stands here and in shaders/subgroupMatrix.wgsl, and nowhere else.
 */

/** The feature of a device. */
export const MATRIX_FEATURE = 'chromium-experimental-subgroup-matrix' as GPUFeatureName;

/** The extension that a shader enables. */
export const MATRIX_EXTENSION = 'chromium_experimental_subgroup_matrix';

/** Toggles without which Dawn has neither the feature nor, on NVIDIA, f16. */
export const MATRIX_TOGGLES = ['allow_unsafe_apis', 'vulkan_enable_f16_on_nvidia'];

/** A product of matrices that a subgroup makes at once: [M, K]·[K, N], f16, added to [M, N] in f32. */
export interface MatrixUnit {
  readonly M: number;
  readonly N: number;
  readonly K: number;
}

/** One of `adapterInfo.subgroupMatrixConfigs`. */
interface MatrixConfig extends MatrixUnit {
  readonly componentType: string;
  readonly resultComponentType: string;
}

/** The largest product of f16 with results in f32 that a device makes; undefined where there is none. */
export function matrixUnitOf(features: GPUSupportedFeatures, info: GPUAdapterInfo): MatrixUnit | undefined {
  if (![MATRIX_FEATURE, 'shader-f16', 'subgroups'].every((feature) => features.has(feature))) return undefined;
  const { subgroupMatrixConfigs: configs = [] } = info as { readonly subgroupMatrixConfigs?: Iterable<MatrixConfig> };
  const [best] = [...configs]
    .filter(({ componentType, resultComponentType }) => componentType === 'f16' && resultComponentType === 'f32')
    .map(({ M, N, K }) => ({ M, N, K }))
    // What tiles of 32 divide into, and fits into 16 KiB of workgroup memory.
    .filter(({ M, N, K }) => [M, N, K].every((side) => side === 8 || side === 16))
    .sort((a, b) => b.M * b.N * b.K - a.M * a.N * a.K);
  return best;
}
