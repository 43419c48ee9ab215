/**
 * What is called of jax-js. Whoever passes an array on gives up a reference to it; `ref` takes another.
 */
export interface Arr {
  readonly ref: Arr;
  readonly shape: readonly number[];
  dispose(): void;
  data(): Promise<Float32Array>;
  add(other: Arr | number): Arr;
  sub(other: Arr | number): Arr;
  mul(other: Arr | number): Arr;
  div(other: Arr | number): Arr;
  reshape(shape: readonly number[]): Arr;
  transpose(order?: readonly number[]): Arr;
  mean(): Arr;
  sum(axis?: number): Arr;
}
export type Tree = Arr | readonly Tree[] | { readonly [name: string]: Tree };
export type Weights = Readonly<Record<string, Arr>>;
export type Device = 'webgpu' | 'wasm';
export interface Jax {
  init(...devices: Device[]): Promise<string[]>;
  defaultDevice(device: Device): Device;
  blockUntilReady(tree: Tree): Promise<Tree>;
  jit<Args extends readonly unknown[], Result>(
    f: (...args: Args) => Result,
  ): ((...args: Args) => Result) & { dispose(): void };
  vjp(f: (...inputs: Arr[]) => Arr, inputs: readonly Arr[]): [Arr, ((dy: Arr) => Arr[]) & { dispose(): void }];
  valueAndGrad(f: (weights: Weights) => Arr): (weights: Weights) => [Arr, Weights];
  readonly tree: { ref<T extends Tree>(tree: T): T; dispose(tree: Tree): void };
  readonly numpy: {
    array(
      data: Float32Array | Int32Array,
      options: { readonly shape: readonly number[]; readonly device: Device },
    ): Arr;
    matmul(a: Arr, b: Arr): Arr;
    square(x: Arr): Arr;
    reciprocal(x: Arr): Arr;
    sqrt(x: Arr): Arr;
    split(x: Arr, parts: number, axis: number): Arr[];
    max(x: Arr): Arr;
    minimum(a: Arr, b: Arr | number): Arr;
    take(x: Arr, indices: Arr, axis: number): Arr;
  };
  readonly lax: {
    conv(x: Arr, filter: Arr, strides: readonly number[], padding: 'SAME'): Arr;
    reduceWindow(x: Arr, f: (window: Arr) => Arr, size: readonly number[], strides: readonly number[]): Arr;
  };
  readonly nn: {
    relu(x: Arr): Arr;
    logSoftmax(x: Arr, axis: number): Arr;
    oneHot(x: Arr, classes: number): Arr;
    softmax(x: Arr, axis: number): Arr;
    gelu(x: Arr, options: { readonly approximate: boolean }): Arr;
    standardize(x: Arr, axis: number, options: { readonly epsilon: number }): Arr;
  };
}

/** jax-js on one of its devices. */
export interface Session {
  readonly jax: Jax;
  readonly device: Device;
  readonly upload: (array: { readonly shape: readonly number[]; readonly data: ArrayLike<number> }) => Arr;
  /** Waits until every array of the tree is computed. */
  readonly settle: (tree: Tree) => Promise<unknown>;
}
