/** What is called of TensorFlow.js. */
export interface Tensor {
  readonly shape: readonly number[];
  data(): Promise<Float32Array>;
  dispose(): void;
}
export interface Variable extends Tensor {
  readonly name: string;
  assign(value: Tensor): void;
}
export interface Backend {
  readonly device: GPUDevice;
  /** Commands that wait for more. */
  readonly commandEncoder: GPUCommandEncoder | null;
  endComputePassEncoder(): void;
  submitQueue(): void;
}
export type Named = Record<string, Tensor>;
/** Its learning rate may be set from step to step. */
export interface Adam {
  learningRate: number;
  applyGradients(gradients: Named): void;
  dispose(): void;
}
export interface TensorFlow {
  setBackend(name: string): Promise<boolean>;
  ready(): Promise<void>;
  backend(): Backend;
  removeBackend(name: string): void;
  tensor(values: Float32Array | Int32Array, shape: readonly number[], dtype?: 'int32'): Tensor;
  scalar(value: number): Tensor;
  variable(value: Tensor, trainable: boolean, name: string): Variable;
  tidy<T>(work: () => T): T;
  dispose(tensors: unknown): void;
  matMul(a: Tensor, b: Tensor, transposeA?: boolean, transposeB?: boolean): Tensor;
  add(a: Tensor, b: Tensor | number): Tensor;
  sub(a: Tensor, b: Tensor): Tensor;
  mul(a: Tensor, b: Tensor | number): Tensor;
  div(a: Tensor, b: Tensor): Tensor;
  sqrt(x: Tensor): Tensor;
  erf(x: Tensor): Tensor;
  softmax(x: Tensor): Tensor;
  reshape(x: Tensor, shape: readonly number[]): Tensor;
  transpose(x: Tensor, order: readonly number[]): Tensor;
  unstack(x: Tensor): Tensor[];
  moments(x: Tensor, axis: number, keepDims: boolean): { readonly mean: Tensor; readonly variance: Tensor };
  sum(x: Tensor): Tensor;
  square(x: Tensor): Tensor;
  minimum(a: Tensor, b: Tensor | number): Tensor;
  relu(x: Tensor): Tensor;
  conv2d(x: Tensor, filter: Tensor, strides: number, pad: 'same'): Tensor;
  maxPool(x: Tensor, size: number, strides: number, pad: 'valid'): Tensor;
  gather(x: Tensor, indices: Tensor): Tensor;
  oneHot(indices: Tensor, depth: number): Tensor;
  readonly losses: {
    meanSquaredError(labels: Tensor, predictions: Tensor): Tensor;
    softmaxCrossEntropy(labels: Tensor, logits: Tensor): Tensor;
  };
  grads(f: (...inputs: Tensor[]) => Tensor): (inputs: readonly Tensor[], dy: Tensor) => Tensor[];
  variableGrads(f: () => Tensor): { readonly value: Tensor; readonly grads: Named };
  readonly train: {
    adam(rate: number, beta1: number, beta2: number, eps: number): Adam;
  };
}
