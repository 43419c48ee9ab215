import type { Slice } from '../gpu/storage';
import type { Shape } from './shape';
import { Tensor } from './tensor';

/** A trained tensor: it lies in an arena, and its gradient at the same place of a second arena. */
export class Parameter extends Tensor {
  constructor(
    /** As published checkpoints name it. */
    readonly name: string,
    shape: Shape,
    storage: Slice,
    readonly grad: Tensor,
    half?: Tensor,
  ) {
    super(shape, 'f32', storage, true, half);
  }

  /** Still a parameter: what flows back to it arrives in the same `grad`. */
  override reshape(shape: Shape): Parameter {
    const { storage } = super.reshape(shape);
    return new Parameter(this.name, shape, storage as Slice, this.grad.reshape(shape), this.half?.reshape(shape));
  }

  override get label(): string {
    return this.name;
  }
}
