import type { Engine } from '../src/engine/engine';
import { isSoftware, nameAdapter } from '../src/gpu/adapter';

/** What the adapter was asked for: every feature and limit that the engine has a use for, or nothing beyond the default. */
export type DeviceWanted = 'full' | 'baseline';

const LIMITS = [
  'maxStorageBuffersPerShaderStage',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupStorageSize',
  'maxStorageBufferBindingSize',
  'maxBufferSize',
] as const;
type LimitName = (typeof LIMITS)[number];

/** What kernels run on. */
export interface DeviceReport {
  readonly wanted: DeviceWanted;
  readonly adapter: {
    readonly name: string;
    readonly software: boolean;
    readonly vendor: string;
    readonly architecture: string;
    readonly device: string;
    readonly description: string;
  };
  readonly features: readonly string[];
  /** By WebGPU's names; sizes in bytes. */
  readonly limits: Readonly<Record<LimitName, number>>;
}

export function reportDevice({ device, info }: Engine, wanted: DeviceWanted): DeviceReport {
  const { vendor, architecture, device: model, description } = info;
  return {
    wanted,
    adapter: { name: nameAdapter(info), software: isSoftware(info), vendor, architecture, device: model, description },
    features: [...device.features].sort(),
    limits: Object.fromEntries(LIMITS.map((name) => [name, device.limits[name]])) as Record<LimitName, number>,
  };
}
