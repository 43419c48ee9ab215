import type { GpuEngine } from './gpuEngine';
import type { DeviceBuffer } from './pool';

const BYTES = 8;

/**
 * Pairs of timestamps that passes write at their begin and end. WebGPU tells whole nanoseconds; some drivers count
 * coarser.
 */
export class PassTimer {
  readonly #queries: GPUQuerySet;
  readonly #resolved: DeviceBuffer;
  readonly #staging: DeviceBuffer;

  readonly #engine: GpuEngine;
  readonly #passes: number;

  /** @param passes how many are timed, at most 2048 */
  constructor(engine: GpuEngine, passes: number) {
    this.#engine = engine;
    this.#passes = passes;
    const { device, pool } = engine;
    const size = 2 * passes * BYTES;
    this.#queries = device.createQuerySet({ label: 'palimpsest', type: 'timestamp', count: 2 * passes });
    this.#resolved = pool.allocate(size, GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC, 'timestamps');
    this.#staging = pool.allocate(size, GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ, 'timestamps read back');
  }

  /** What makes a pass write its times. */
  writes(pass: number): GPUComputePassTimestampWrites {
    return { querySet: this.#queries, beginningOfPassWriteIndex: 2 * pass, endOfPassWriteIndex: 2 * pass + 1 };
  }

  /** Appends the copy of all times; to be called once, after the last pass. */
  resolve(encoder: GPUCommandEncoder): void {
    encoder.resolveQuerySet(this.#queries, 0, 2 * this.#passes, this.#resolved.gpu, 0);
    encoder.copyBufferToBuffer(this.#resolved.gpu, 0, this.#staging.gpu, 0, 2 * this.#passes * BYTES);
  }

  /** Waits for the passes: the seconds at which each began and ended, on the GPU's own clock. */
  async read(): Promise<readonly PassTime[]> {
    await this.#engine.wait(this.#staging.gpu.mapAsync(GPUMapMode.READ));
    const nanoseconds = new BigInt64Array(this.#staging.gpu.getMappedRange(0, 2 * this.#passes * BYTES));
    const first = nanoseconds[0] ?? 0n;
    const seconds = (index: number): number => Number((nanoseconds[index] ?? 0n) - first) / 1e9;
    return Array.from({ length: this.#passes }, (_, pass) => ({
      begin: seconds(2 * pass),
      end: seconds(2 * pass + 1),
    }));
  }

  dispose(): void {
    this.#queries.destroy();
    this.#engine.pool.release(this.#resolved);
    this.#engine.pool.release(this.#staging);
  }
}

/** In seconds since the first pass that was timed with it began. */
export interface PassTime {
  readonly begin: number;
  readonly end: number;
}

/** Passes that one `PassTimer` holds: as many pairs as a query set may have. */
export const MOST_PASSES = 2048;
