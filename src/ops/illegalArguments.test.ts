import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as exported from '../index';
import type { Engine } from '../engine/engine';
import { EngineError } from '../gpu/errors';
import { Graph } from '../tensor/graph';
import { createTensor, disposeTensor, Tensor, type DType } from '../tensor/tensor';
import { testEngine } from '../testing/testEngine';

/*
 * Whatever an operation is given, it makes tensors, or throws one EngineError that names it, while the program is recorded. Each
 * call below is right; what is wrong with the others is made of it, argument by argument.
 */

/** A tensor to be: an input of the program, unless it is of another one, or a lasting tensor that was disposed of. */
class Operand {
  constructor(
    readonly shape: readonly number[],
    readonly dtype: DType = 'f32',
    readonly from: 'program' | 'another' | 'disposed' | 'lasting' = 'program',
  ) {}
}

const f = (...shape: number[]): Operand => new Operand(shape);
const u = (...shape: number[]): Operand => new Operand(shape, 'u32');
const kept = (...shape: number[]): Operand => new Operand(shape, 'f32', 'lasting');
const x = f(2, 3);

type Arguments = readonly unknown[];
const each = (names: string, ...calls: Arguments[]): [string, Arguments][] =>
  names.split(' ').flatMap((name) => calls.map((call): [string, Arguments] => [name, call]));

const CALLS: readonly [string, Arguments][] = [
  ...each('neg abs square sqrt rsqrt reciprocal exp expm1 exp2 log log1p log2 sin cos tan tanh sigmoid erf', [x]),
  ...each('sign floor ceil round trunc relu mish logSigmoid silu softplus isNan isFinite', [x]),
  ...each('zerosLike onesLike sum mean max min prod logSumExp norm argMax argMin', [x]),
  ...each('add sub mul div pow maximum minimum eq ne lt le gt ge', [x, f(3)], [x, 2], [2, x]),
  ...each('logicalAnd logicalOr', [u(2, 3), u(3)]),
  ...each('logicalNot', [u(2, 3)]),
  ...each('where', [u(2, 3), x, f(3)], [u(2, 3), x, 1]),
  ...each('to', [x, 'i32']),
  ...each('fullLike leakyRelu elu', [x, 1]),
  ...each('clamp', [x, { min: -1, max: 1 }]),
  ...each('gelu', [x, { approximate: 'tanh' }]),
  ...each('softmax logSoftmax cumsum argMax argMin', [x, 1]),
  ...each('sum mean max min prod logSumExp norm', [x, 1, { keepDim: true }], [x, [0, 1]]),
  ...each('variance std', [x, [0, 1], { correction: 1 }]),
  ...each('reshape', [x, [3, -1]]),
  ...each('flatten', [f(2, 3, 4), 1, 2]),
  ...each('squeeze', [f(2, 1), 1]),
  ...each('unsqueeze', [x, 1]),
  ...each('permute', [f(2, 3, 4), [2, 0, 1]]),
  ...each('transpose', [f(2, 3, 4), 0, 2]),
  ...each('slice', [f(2, 6), 1, 1, 5, 2]),
  ...each('concat', [[x, f(2, 4)], 1]),
  ...each('stack', [[x, x], 1]),
  ...each('split', [f(2, 6), [2, 4], 1], [f(2, 6), 4, 1]),
  ...each('pad', [x, [1, 2], { value: 1 }]),
  ...each('flip', [x, [0, 1]]),
  ...each('expand', [f(2, 1), [2, 3]]),
  ...each('repeat', [x, [2, 2]]),
  ...each('tril triu', [f(3, 3), 1]),
  ...each('gather', [x, 1, u(2, 2)]),
  ...each('indexSelect', [x, 1, u(4)]),
  ...each('embedding', [u(2, 3), f(5, 4)]),
  ...each('oneHot', [u(2, 3), 4]),
  ...each('scatterAdd', [x, 1, u(2, 4), f(2, 4)]),
  ...each('matmul', [x, f(4, 3), 'nt'], [f(5, 2, 3), f(5, 3, 4)]),
  ...each('linear', [x, f(4, 3), f(4), f(2, 4)]),
  ...each('conv2d', [f(2, 4, 6, 6), f(6, 2, 3, 3), f(6), { stride: 2, padding: [1, 1], dilation: 1, groups: 2 }]),
  ...each('conv1d', [f(2, 4, 6), f(6, 2, 3), f(6), { stride: 2, padding: 1, dilation: 1, groups: 2 }]),
  ...each('convTranspose2d', [f(2, 4, 6, 6), f(4, 3, 3, 3), f(6), { stride: 2, outputPadding: 1, groups: 2 }]),
  ...each('maxPool2d', [f(2, 3, 6, 6), 2, { stride: 2, padding: 1, dilation: 1 }]),
  ...each('avgPool2d', [f(2, 3, 6, 6), [2, 3], { stride: 2, padding: 1 }]),
  ...each('interpolate', [f(2, 3, 4, 4), [8, 8], { mode: 'bilinear' }]),
  ...each('layerNorm', [f(2, 4), f(4), f(4), 1e-5]),
  ...each('rmsNorm', [f(2, 4), f(4), 1e-5]),
  ...each('groupNorm', [f(2, 4, 3), 2, { weight: f(4), bias: f(4), eps: 1e-5 }]),
  ...each(
    'batchNorm',
    [f(2, 4, 3), { runningMean: kept(4), runningVar: kept(4) }, { weight: f(4), momentum: 0.1, eps: 1e-5 }],
    [f(3, 4), { runningMean: kept(4), runningVar: kept(4) }],
  ),
  ...each('dropout', [x, 0.3]),
  ...each('scaledDotProductAttention', [
    f(3, 4, 8),
    f(3, 5, 8),
    f(3, 5, 6),
    { mask: u(4, 5), bias: f(4, 5), scale: 1 },
  ]),
  ...each('attention', [f(2, 4, 24), 2, { bias: f(1, 2, 4, 4) }], [f(2, 4, 24), 2, { keyMask: u(2, 4) }]),
  ...each('mse l1', [x, x, { reduction: 'sum' }]),
  ...each('mse', [x, x]),
  ...each('huber', [x, x, { delta: 0.5 }]),
  ...each('smoothL1', [x, x, { beta: 0.5 }]),
  ...each('bceWithLogits', [x, x, { posWeight: f(3) }]),
  ...each('klDiv', [x, x, { reduction: 'batchMean' }]),
  ...each('crossEntropy', [x, u(2), { labelSmoothing: 0.1, ignoreIndex: 1, reduction: 'sum' }], [x, x]),
  ...each('nll', [x, u(2), { ignoreIndex: 1 }]),
  ...each('weightedSum', [[{ values: f(3), weights: [1, 2, 3] }]]),
];

/** What may be taken or refused: the name of the operation is what counts. */
function odd(value: unknown): unknown[] {
  if (value instanceof Operand) return [...oddOperands(value), ...refused(value)];
  if (typeof value === 'number') return [1.5, -1, -2, -1000, 1000, 2 ** 31, 2 ** 40, 0, Infinity, -Infinity];
  if (typeof value === 'string') return ['NN', '', 'constructor', 'u8'];
  if (Array.isArray(value)) {
    const list = value as readonly unknown[];
    const first = list[0];
    const lists = [[], [...list, first], list.slice(1), list.map(() => first)];
    return [...lists, ...list.flatMap((one, at) => odd(one).map((other) => list.with(at, other)))];
  }
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, own]) => odd(own).map((other) => ({ ...value, [name]: other })));
}

function oddOperands({ shape, dtype, from }: Operand): Operand[] {
  const types: DType[] = ['f32', 'i32', 'u32', 'f16', 'u8'];
  const shapes = [
    [],
    [...shape, 1],
    [2, ...shape],
    shape.slice(1),
    ...shape.map((extent, at) => shape.with(at, extent + 1)),
  ];
  return [
    ...types.map((other) => new Operand(shape, other, from)),
    ...shapes.map((other) => new Operand(other, dtype, from)),
    ...shape.map((_, at) => new Operand(shape.with(at, 0), dtype, from)),
  ];
}

/** What nothing takes. */
function refused(value: unknown): unknown[] {
  if (value instanceof Operand) return [new Operand(value.shape, value.dtype, 'disposed')];
  if (Array.isArray(value)) {
    const list = value as readonly unknown[];
    return list.flatMap((one, at) => refused(one).map((other) => list.with(at, other)));
  }
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, own]) => refused(own).map((other) => ({ ...value, [name]: other })));
}

/** Of a call, those with one argument that is another. */
const variants = (call: Arguments, others: (value: unknown) => unknown[]): Arguments[] =>
  call.flatMap((argument, at) => others(argument).map((other) => call.with(at, other)));

/** Single ones that must be refused: what would compute something else, or NaN, in silence. */
const WRONG: readonly [string, Arguments][] = [
  ...each('sum mean', [u(2, 3)], [u(2, 3), 1], [new Operand([2, 3], 'i32'), [0, 1]]),
  ...each('variance std', [x, 1, { correction: NaN }]),
  ...each('leakyRelu elu dropout', [x, NaN]),
  ...each('layerNorm', [x, undefined, undefined, NaN], [x, undefined, undefined, -1]),
  ...each('rmsNorm', [x, undefined, NaN], [u(2, 3)], [x, u(3)]),
  ...each('groupNorm', [f(2, 4, 3), 2, { eps: -1 }], [f(2, 4, 3), 2, { weight: u(4) }]),
  ...each(
    'batchNorm',
    [x, { runningMean: f(3), runningVar: f(3) }],
    [x, { runningMean: kept(3), runningVar: f(3) }],
    [x, { runningMean: kept(3), runningVar: kept(3) }, { momentum: NaN }],
    [x, { runningMean: kept(3), runningVar: kept(3) }, { eps: NaN }],
    [x, { runningMean: kept(3), runningVar: new Operand([3], 'u32', 'lasting') }],
  ),
  ...each('scaledDotProductAttention', [f(1, 2, 4), f(1, 2, 4), f(1, 2, 4), { scale: NaN }]),
  ...each('maxPool2d avgPool2d', [f(2, 3, 0, 6), 2, { padding: 1 }]),
  ...each('crossEntropy nll', [x, u(2), { ignoreIndex: 2 ** 32 }], [x, u(2), { ignoreIndex: 1.5 }]),
  ...each('crossEntropy nll', [x, u(2), { ignoreIndex: NaN }]),
  ...each('weightedSum', [[{ values: f(2), weights: [1, NaN] }]], [[{ values: u(2), weights: [1, 1] }]], [1]),
  ...each('linear', [u(2, 3), f(4, 3)], [x, u(4, 3)], [x, f(4, 3), u(4)], [x, f(4, 3), f(4), u(2, 4)]),
  ...each('matmul', [x, 3], [x, undefined], [new Operand([2, 3], 'u8'), f(3, 2)]),
  ...each('attention', [u(2, 4, 24), 2], [f(2, 4, 24), 2, { keyMask: f(2, 4) }]),
  ...each('mse', [x, u(2, 3)], [u(2, 3), x], [x, undefined]),
  ...each('reshape permute expand repeat split pad', [x, 'x'], [x, {}]),
  ...each('concat stack', [3], [x]),
  ...each('stack', [[x, u(2, 3)]], [[x, new Operand([2, 3], 'f32', 'another')]]),
  ...each('pow', [u(2, 3), 2], [u(2, 3), -0.5]),
  ...each('add matmul where', [x, new Operand([2, 3], 'f32', 'another'), x]),
];

describe('illegal arguments', () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await testEngine();
  });
  afterAll(() => {
    engine.dispose();
  });

  /** An operation does this, or fails so. */
  function outcome(name: string, call: Arguments): unknown {
    const [graph, another] = [new Graph(engine, { training: true }), new Graph(engine)];
    const made = (value: unknown): unknown => {
      if (value instanceof Operand) return tensorOf(value, value.from === 'another' ? another : graph);
      if (Array.isArray(value)) return value.map(made);
      if (typeof value !== 'object' || value === null) return value;
      return Object.fromEntries(Object.entries(value).map(([key, own]) => [key, made(own)]));
    };
    const operation = (exported as Readonly<Record<string, unknown>>)[name] as (...given: unknown[]) => unknown;
    const given = call.map(made); // apart: what fails here is no operation
    try {
      return operation(...given);
    } catch (error) {
      return error;
    }
  }

  function tensorOf({ shape, dtype, from }: Operand, graph: Graph): Tensor<DType> {
    if (from === 'program' || from === 'another') return graph.input('x', shape, dtype);
    const tensor = createTensor(engine, 'x', shape, dtype);
    if (from === 'disposed') disposeTensor(engine, tensor);
    return tensor;
  }

  const said = (call: Arguments): string =>
    JSON.stringify(call, (_, value: unknown) => (Number.isNaN(value) ? 'NaN' : value));
  const isNamed = (name: string, result: unknown): boolean =>
    result instanceof EngineError && result.message.includes(name) && !/Mend|defect/.test(result.message);

  it.each(CALLS)('%s computes, or says that it does not', (name, call) => {
    const isTensors = (result: unknown): boolean => [result].flat().every((one) => one instanceof Tensor);
    expect(outcome(name, call)).toSatisfy(isTensors);
    const silent = variants(call, odd).flatMap((other) => {
      const result = outcome(name, other);
      return isTensors(result) || isNamed(name, result) ? [] : [`${said(other)}: ${String(result)}`];
    });
    expect(silent).toEqual([]);
  });

  /** What shares memory looks at nothing: whoever reads it does. */
  const VIEWS = ['reshape', 'flatten', 'squeeze', 'unsqueeze'];
  it.each(CALLS.filter(([name]) => !VIEWS.includes(name)))('%s names what was disposed of', (name, call) => {
    for (const other of variants(call, refused)) {
      const result = outcome(name, other);
      expect(isNamed(name, result), `${said(other)}: ${String(result)}`).toBe(true);
    }
  });

  it.each(WRONG)('%s refuses what would go wrong in silence', (name, call) => {
    const result = outcome(name, call);
    expect(isNamed(name, result), `${said(call)}: ${String(result)}`).toBe(true);
  });
});
