import { isSoftware } from './adapter';
import { narrowLanesOf } from './subgroupSize';
import { matrixUnitOf, type MatrixUnit } from './subgroupMatrix';

/** What a kernel choice may depend on. */
export interface DeviceTraits {
  /** A CPU pretends to be a GPU: loads are dear, barriers dearer, registers free. */
  readonly software: boolean;
  /** Smallest and largest subgroup size, where the device has subgroups. */
  readonly subgroups?: { readonly min: number; readonly max: number };
  /** Bytes of workgroup memory that a kernel may take. */
  readonly workgroupBytes: number;
  /** Registers of 32 bits that an invocation should keep to, for enough subgroups beside each other and none in memory. */
  readonly registers: number;
  /** Forces the reference kernel wherever there is a faster one. */
  readonly plain: boolean;
  /** How many lanes a subgroup of a kernel that says `//#narrow` has, where it is the kernel's to choose. */
  readonly narrowLanes?: number | undefined;
  /** The product of matrices that a subgroup makes at once, where the device has one. */
  readonly matrixUnit?: MatrixUnit;
}

/** Registers where nothing is known of a GPU; NVIDIA's and Apple's spill nothing with as many. */
export const DEFAULT_REGISTERS = 110;

/**
 * By what compilers make of kernels (`npm run isa`): Intel's GPUs have about 60 at their usual width, AMD's GCN 84 for three
 * subgroups a SIMD.
 */
function registersOf({ vendor, subgroupMinSize }: GPUAdapterInfo): number {
  if (vendor === 'intel') return 59;
  if (vendor === 'amd') return subgroupMinSize > 32 ? 84 : 118;
  return DEFAULT_REGISTERS;
}

/** @param told what the engine was told of its kernels, where it was */
export function traitsOf(
  device: GPUDevice,
  info: GPUAdapterInfo,
  told: { readonly software?: boolean; readonly plain?: boolean },
): DeviceTraits {
  const matrixUnit = matrixUnitOf(device.features, info);
  return {
    software: told.software ?? isSoftware(info),
    workgroupBytes: device.limits.maxComputeWorkgroupStorageSize,
    registers: registersOf(info),
    plain: told.plain ?? false,
    ...(device.features.has('subgroups')
      ? { subgroups: { min: info.subgroupMinSize ?? 4, max: info.subgroupMaxSize ?? 128 } }
      : {}),
    narrowLanes: narrowLanesOf(device.features, info),
    ...(matrixUnit ? { matrixUnit } : {}),
  };
}
