import type { Slice, ValueOwner } from '../gpu/storage';
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
    const { name, grad, half } = this;
    const reshaped = new Parameter(name, shape, storage as Slice, grad.reshape(shape), half?.reshape(shape));
    return reshaped.usedBy(this.user);
  }

  override usedIn(recording: ValueOwner): Parameter {
    const { name, shape, storage, grad, half } = this;
    return new Parameter(name, shape, storage as Slice, grad, half).usedBy(recording);
  }

  override get label(): string {
    return this.name;
  }
}
