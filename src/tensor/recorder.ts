import type { Dispatch } from '../gpu/dispatch';
import type { Shape } from './shape';
import type { DType, Tensor } from './tensor';

/** A dispatch that binds tensors. */
export type TensorDispatch = Omit<Dispatch, 'bindings'> & {
  readonly bindings: Readonly<Record<string, Tensor<DType>>>;
};

/** What dispatches are appended to: a graph, as its own tape sees it. */
export interface Recorder {
  /** A tensor that dispatches will write. */
  empty<D extends DType>(label: string, shape: Shape, dtype: D): Tensor<D>;
  /** Appends a kernel. */
  dispatch(dispatch: TensorDispatch): void;
}
