import type { GpuEngine } from '../gpu/gpuEngine';
import { Slice } from '../gpu/storage';
import { createTensor, disposeTensor, LastingTensor } from '../tensor/tensor';

/** As PyTorch has it; halved at once where a model's gradients do not bear it. */
const FIRST_SCALE = 65536;
const GROWTH_STEPS = 2000;

/** Below it, gradients overflow f16 that are larger by themselves than training ever makes them. */
export const SMALLEST_SCALE = 1;

/**
 * The factor by which a loss is multiplied so that gradients in f16 are not lost, and its own rule (Micikevicius et al.
 * 2018): halved where a gradient overflows, whose step is then skipped, and doubled after many good steps. All of it stays
 * on the GPU: `gradientNorm` applies the rule, AdamW skips, the host learns of it with the step's other figures.
 */
export class LossScaling {
  /** Shape [3]: the scale, good steps since it changed, steps skipped so far. */
  readonly state: LastingTensor;
  /** Shape [1]: the scale alone, what a backward pass begins with. */
  readonly scale: LastingTensor<'f32', readonly [1]>;

  readonly #engine: GpuEngine;

  constructor(
    engine: GpuEngine,
    /** Good steps after which the scale is doubled. */
    readonly growthSteps = GROWTH_STEPS,
    firstScale = FIRST_SCALE,
  ) {
    this.#engine = engine;
    this.state = createTensor(engine, 'loss scale', [3], 'f32', Float32Array.of(firstScale, 0, 0));
    this.scale = new LastingTensor([1], 'f32', new Slice(this.state.storage.buffer, 0, 4));
  }

  /** Gives its tensors back. */
  dispose(): void {
    disposeTensor(this.#engine, this.state);
  }
}
