import type { DriverFile } from '../node/vulkan';
import type { CheckResult } from './check';

/** What the doctor found, as plain data: nothing here is judged yet. */
export interface Facts {
  readonly node: { readonly version: string; readonly needed: string };
  readonly system: SystemFacts;
  readonly packages: readonly PackageFacts[];
  readonly swiftshader: SwiftShaderFacts;
  /** Undefined where adapters do not come from Vulkan: macOS and Windows. */
  readonly vulkan?: VulkanFacts;
  readonly gpus: readonly GpuFacts[];
  readonly devices: DeviceFacts;
  readonly adapters: AdapterFacts;
}

export interface SystemFacts {
  readonly platform: string;
  readonly arch: string;
  readonly libc?: { readonly name: 'glibc' | 'musl'; readonly version?: string };
  readonly release?: Release;
  readonly cores: number;
  /** Bytes, within a container's limits. */
  readonly memory: { readonly total: number; readonly free: number };
  /** Docker, Podman, … */
  readonly container?: string;
  readonly wsl: boolean;
  readonly root: boolean;
}

/** Of /etc/os-release. */
export interface Release {
  readonly id: string;
  /** What it derives from, the nearest first. */
  readonly like: readonly string[];
  readonly name: string;
  readonly version?: string;
}

export interface PackageFacts {
  readonly name: string;
  readonly optional: boolean;
  /** Undefined where it is not installed. */
  readonly version?: string;
}

export interface SwiftShaderFacts {
  /** The published library is for Linux on x64 alone. */
  readonly supported: boolean;
  /** Where it lies ready to run. */
  readonly unpacked?: string;
  /** The cache folder that can be written to. */
  readonly cache?: string;
}

export interface VulkanFacts {
  readonly loader?: string;
  readonly drivers: readonly DriverFile[];
  /** The environment variable that hides other drivers, and its value. */
  readonly restriction?: { readonly variable: string; readonly value: string };
}

export type Vendor = 'nvidia' | 'amd' | 'intel';

/** A display controller of a maker of GPUs, whether or not there is a driver for it. */
export interface GpuFacts {
  readonly vendor: Vendor;
  /** As `lspci -nn` writes it: vendor:device. */
  readonly id: string;
}

export interface DeviceFacts {
  /** /dev/dri/renderD* */
  readonly render: readonly { readonly path: string; readonly openable: boolean; readonly group: string }[];
  readonly nvidia: {
    /** Of NVIDIA's kernel module, where it is loaded. */
    readonly module?: string;
    /** Whether /dev has a GPU of it. */
    readonly nodes: boolean;
    /** NVIDIA's Vulkan library, where it is installed. */
    readonly library?: string;
  };
  /** WSL's way to the GPU of Windows. */
  readonly dxg: boolean;
}

export interface AdapterFacts {
  readonly listed: { readonly names: readonly string[] } | Failure;
  /** What `node train.js` opens. */
  readonly chosen: Examined;
  readonly others: readonly Examined[];
  /** Where listing crashes or hangs: the driver files that make it do so, each by itself. */
  readonly culprits: readonly string[];
  /** What the Vulkan loader complains about while adapters are listed. */
  readonly complaints: readonly string[];
}

export interface Examined {
  /** What `--adapter` takes. */
  readonly name: string;
  /** Undefined where it could not be opened. */
  readonly adapter?: AdapterDescription;
  readonly outcome: CheckResult | Failure;
}

export interface AdapterDescription {
  readonly description: string;
  readonly vendor: string;
  readonly device: string;
  readonly software: boolean;
  /** Whether it is SwiftShader of the npm packages. */
  readonly bundled: boolean;
  readonly features: readonly string[];
  readonly limits: Readonly<Record<Limit, number>>;
  readonly subgroups?: { readonly min: number; readonly max: number };
}

export const LIMITS = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
] as const;
export type Limit = (typeof LIMITS)[number];

/** Why an examination gave no result: refused with a message, or the process died, or it never ended. */
export interface Failure {
  readonly failure: 'refused' | 'crashed' | 'hung';
  readonly message: string;
}
