/** The engine's public names. Everything else may change without a word. */
export {
  Engine,
  type CompileOptions,
  type EngineMemory,
  type InitOptions,
  type RecordedProgram,
} from './engine/engine';
export type { CompiledProgram } from './engine/compiledProgram';
export {
  f32,
  i32,
  u32,
  u8,
  type Input,
  type Inputs,
  type InputValue,
  type TensorsOf,
  type ValuesOf,
} from './engine/inputs';
export type { Output, OutputsOf } from './engine/outputs';
export { pipeline } from './engine/pipeline';
export { requirements } from './gpu/adapter';
export { workgroupRow } from './gpu/recording';
export { kernelsOf, type Kernel } from './gpu/shader';
export { EngineError } from './gpu/errors';
export type { DebugMode, EngineOptions } from './gpu/gpuEngine';
export type { BufferPlace } from './gpu/lentBuffer';
export type { PictureSource } from './gpu/pictures';

export {
  defineOperation,
  like,
  type Operation,
  type OperationDefinition,
  type TensorSpec,
} from './ops/defineOperation';

export { add } from './ops/add';
export { attention } from './ops/attention';
export { batchNorm } from './ops/batchNorm';
export type { BatchNormOptions, RunningStatistics } from './ops/batchNorm';
export {
  div,
  eq,
  ge,
  gt,
  le,
  logicalAnd,
  logicalNot,
  logicalOr,
  lt,
  maximum,
  minimum,
  mul,
  ne,
  pow,
  sub,
} from './ops/binary';
export { concat, stack } from './ops/concat';
export { conv1d, conv2d } from './ops/conv2d';
export type { ConvOptions, Pair } from './ops/conv2d';
export { convTranspose2d } from './ops/convTranspose2d';
export type { ConvTransposeOptions } from './ops/convTranspose2d';
export { full, fullLike, isFinite, isNan, onesLike, to, zerosLike } from './ops/convert';
export { cumsum } from './ops/cumsum';
export { crossEntropy, nll } from './ops/crossEntropy';
export type { CrossEntropyOptions, NllOptions } from './ops/crossEntropy';
export { dropout } from './ops/dropout';
export { expand, repeat } from './ops/expand';
export { gelu } from './ops/gelu';
export { embedding, gather, indexSelect, oneHot, scatterAdd } from './ops/gather';
export { groupNorm } from './ops/groupNorm';
export type { GroupNormOptions } from './ops/groupNorm';
export { interpolate } from './ops/interpolate';
export type { InterpolateOptions } from './ops/interpolate';
export { layerNorm, rmsNorm } from './ops/layerNorm';
export { linear } from './ops/linear';
export { bceWithLogits, huber, klDiv, l1, smoothL1 } from './ops/losses';
export type { Loss, LossReduction } from './ops/losses';
export { matmul } from './ops/matmul';
export { mse } from './ops/mse';
export { flip, permute, transpose } from './ops/permute';
export { avgPool2d, maxPool2d } from './ops/pool2d';
export type { AvgPoolOptions, MaxPoolOptions } from './ops/pool2d';
export { mean, sum } from './ops/reduce';
export type { Axes, ReduceOptions } from './ops/reduceAxes';
export { argMax, argMin, logSumExp, max, min, norm, prod, std, variance } from './ops/reductions';
export type { VarianceOptions } from './ops/reductions';
export { relu } from './ops/relu';
export { flatten, reshape, squeeze, unsqueeze } from './ops/reshape';
export { scaledDotProductAttention } from './ops/scaledDotProductAttention';
export type { AttentionOptions } from './ops/scaledDotProductAttention';
export { pad, slice, split } from './ops/slice';
export {
  abs,
  ceil,
  clamp,
  cos,
  elu,
  erf,
  exp,
  exp2,
  expm1,
  floor,
  leakyRelu,
  log,
  log1p,
  log2,
  logSigmoid,
  mish,
  neg,
  reciprocal,
  round,
  rsqrt,
  sigmoid,
  sign,
  silu,
  sin,
  softplus,
  sqrt,
  square,
  tan,
  tanh,
  trunc,
} from './ops/unary';
export { logSoftmax, softmax } from './ops/softmax';
export { tril, triu } from './ops/triangle';
export { weightedSum } from './ops/weightedSum';
export { where } from './ops/where';

export { AvgPool2d, Conv2d, ConvTranspose2d, MaxPool2d } from './nn/convolution';
export { Embedding } from './nn/embedding';
export {
  constant,
  fanInUniform,
  normal,
  ones,
  xavierUniform,
  zeros,
  type Initializer,
  type RandomSource,
} from './nn/initializers';
export { Linear, type LinearOptions } from './nn/linear';
export { MultiheadAttention, type AttendOptions } from './nn/multiheadAttention';
export { Module, ModuleBuffer, ModuleParameter } from './nn/module';
export { BatchNorm2d, GroupNorm, LayerNorm, RmsNorm, type NormOptions } from './nn/norms';
export { Parameters } from './nn/parameters';
export { Dropout, Flatten, Sequential, type Layer } from './nn/sequential';
export { Adam, AdamW, type AdamOptions, type AdamWOptions } from './optim/adamw';
export { Ema, type EmaOptions } from './optim/ema';
export { gradientNorm } from './optim/gradientNorm';
export { Lars, type LarsOptions } from './optim/lars';
export { Lion, Sgd, type LionOptions, type SgdOptions } from './optim/momentum';
export type { Schedule } from './optim/schedule';

export { graphOf, type Graph } from './tensor/graph';
export { matchShape, type Shape } from './tensor/shape';
export { load, type LoadOptions, type StateDict, type StateEntry, type Stateful } from './tensor/state';
export type { StridedArray } from './tensor/stridedArray';
export { createTensor, disposeTensor, readTensor, type DType, type Scalar, type Tensor } from './tensor/tensor';
