import { EngineError } from './errors';

/** A buffer of the pool. `released` is true once it went back: any later use is an error that names it. */
export class DeviceBuffer {
  released = false;

  readonly #made: GPUBuffer | undefined;

  constructor(
    made: GPUBuffer | undefined,
    readonly size: number,
    readonly label: string,
  ) {
    this.#made = made;
  }

  /** Whether it is only counted: nothing can be in it. */
  get isPlanned(): boolean {
    return this.#made === undefined;
  }

  /** @throws EngineError `bad-program` where it is only planned */
  get gpu(): GPUBuffer {
    if (this.#made) return this.#made;
    throw new EngineError(
      'bad-program',
      `'${this.label}' is planned, not made.`,
      'Run programs on an engine that computes.',
    );
  }
}

/** Bytes in words: below a quarter of a MiB in bytes. */
export function mebibytes(bytes: number): string {
  return bytes < 2 ** 18 ? `${bytes} bytes` : `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

/** Staging buffers larger than this are too rarely wanted again to be kept. */
const LARGEST_KEPT = 2 ** 20;

/** The one owner of GPU memory: it counts live bytes, keeps to a budget and fails before the device does. */
export class BufferPool {
  readonly #live = new Set<DeviceBuffer>();
  /** Staging buffers that wait to be taken again, by size. */
  readonly #idle = new Map<number, DeviceBuffer[]>();
  readonly #pictures = new Map<GPUTexture, number>();
  /** Bytes of all buffers, those that wait included, and of pictures. */
  liveBytes = 0;
  peakBytes = 0;

  readonly #device: GPUDevice;
  readonly #isPlanning: boolean;

  /**
   * @param budget bytes that may be alive at once; Infinity leaves the limit to the device
   * @param isPlanning whether memory is only counted
   */
  constructor(
    device: GPUDevice,
    readonly budget: number,
    isPlanning = false,
  ) {
    this.#device = device;
    this.#isPlanning = isPlanning;
  }

  /** How many buffers are in use. */
  get liveBuffers(): number {
    let kept = 0;
    for (const buffers of this.#idle.values()) kept += buffers.length;
    return this.#live.size - kept;
  }

  /**
   * Makes a buffer of at least `bytes` bytes (rounded up to a multiple of 16), zeroed.
   *
   * @throws EngineError `limit-exceeded` over the device's buffer limit, `out-of-memory` over the budget
   */
  allocate(bytes: number, usage: GPUBufferUsageFlags, label: string): DeviceBuffer {
    const size = Math.max(16, Math.ceil(bytes / 16) * 16);
    const { maxBufferSize } = this.#device.limits;
    if (size > maxBufferSize) {
      throw new EngineError(
        'limit-exceeded',
        `'${label}' needs ${mebibytes(size)}; this device makes buffers of at most ${mebibytes(maxBufferSize)}.`,
        'Use a smaller batch or model.',
      );
    }
    this.#assertWithin(size, label);
    const made = this.#isPlanning ? undefined : this.#device.createBuffer({ size, usage, label });
    const buffer = new DeviceBuffer(made, size, label);
    this.#live.add(buffer);
    this.#count(size);
    return buffer;
  }

  /** @throws EngineError `out-of-memory` where bytes that are about to be made go over the budget */
  #assertWithin(size: number, label: string): void {
    if (this.liveBytes + size > this.budget) this.#releaseIdle();
    if (this.liveBytes + size > this.budget) {
      throw new EngineError(
        'out-of-memory',
        `'${label}' needs ${mebibytes(size)}, with ${mebibytes(this.liveBytes)} in use of a budget of ${mebibytes(this.budget)}.`,
        'Use a smaller batch or model, or raise the memory budget.',
      );
    }
  }

  #count(bytes: number): void {
    this.liveBytes += bytes;
    this.peakBytes = Math.max(this.peakBytes, this.liveBytes);
  }

  /** Makes a texture of four bytes a texel. @throws EngineError `out-of-memory` over the budget */
  createPicture(width: number, height: number, usage: GPUTextureUsageFlags, label: string): GPUTexture {
    const bytes = 4 * width * height;
    this.#assertWithin(bytes, label);
    const picture = this.#device.createTexture({ size: [width, height], format: 'rgba8unorm', usage, label });
    this.#pictures.set(picture, bytes);
    this.#count(bytes);
    return picture;
  }

  /** Gives a texture of `createPicture` back; twice is harmless. */
  releasePicture(picture: GPUTexture): void {
    this.liveBytes -= this.#pictures.get(picture) ?? 0;
    this.#pictures.delete(picture);
    picture.destroy();
  }

  /** Gives a buffer back; twice is harmless. */
  release(buffer: DeviceBuffer): void {
    if (!this.#live.delete(buffer)) return;
    buffer.released = true;
    this.liveBytes -= buffer.size;
    if (!buffer.isPlanned) buffer.gpu.destroy();
    if (this.liveBuffers === 0) this.#releaseIdle();
  }

  /** A buffer to read back through: one that `keepStaging` kept, or else a new one, of at least `bytes` bytes. */
  takeStaging(bytes: number): DeviceBuffer {
    const size = Math.max(256, 2 ** Math.ceil(Math.log2(bytes)));
    const kept = this.#idle.get(size)?.pop();
    const usage = GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ;
    return kept ?? this.allocate(size > LARGEST_KEPT ? bytes : size, usage, 'readback');
  }

  /**
   * Takes a staging buffer back, unmapped, for the next who takes one. A large one is released, and so is every one where
   * nothing is in use that could be read.
   */
  keepStaging(buffer: DeviceBuffer): void {
    if (buffer.size > LARGEST_KEPT) this.release(buffer);
    if (!this.#live.has(buffer)) return;
    const kept = this.#idle.get(buffer.size);
    if (kept) kept.push(buffer);
    else this.#idle.set(buffer.size, [buffer]);
    if (this.liveBuffers === 0) this.#releaseIdle();
  }

  #releaseIdle(): void {
    const kept = [...this.#idle.values()].flat();
    this.#idle.clear();
    for (const buffer of kept) this.release(buffer);
  }

  /** Destroys every buffer and picture. */
  dispose(): void {
    this.#idle.clear();
    for (const picture of this.#pictures.keys()) this.releasePicture(picture);
    for (const buffer of this.#live) this.release(buffer);
  }
}
