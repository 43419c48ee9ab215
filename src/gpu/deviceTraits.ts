import { isSoftware } from './adapter';
import { matrixUnitOf, type MatrixUnit } from './subgroupMatrix';

/** What a kernel choice may depend on. */
export interface DeviceTraits {
  /** A CPU pretends to be a GPU: loads are dear, barriers dearer, registers free. */
  readonly software: boolean;
  /** Smallest and largest subgroup size, where the device has subgroups. */
  readonly subgroups?: { readonly min: number; readonly max: number };
  /** Bytes of workgroup memory that a kernel may take. */
  readonly workgroupBytes: number;
  /** Forces the reference kernel wherever there is a faster one. */
  readonly plain: boolean;
  /** The product of matrices that a subgroup makes at once, where the device has one. */
  readonly matrixUnit?: MatrixUnit;
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
    plain: told.plain ?? false,
    ...(device.features.has('subgroups')
      ? { subgroups: { min: info.subgroupMinSize ?? 4, max: info.subgroupMaxSize ?? 128 } }
      : {}),
    ...(matrixUnit ? { matrixUnit } : {}),
  };
}
