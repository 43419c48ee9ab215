import type { Rule } from './closeness';

/** How near the values and the gradients of an operation must be. */
export interface Rules {
  readonly value: Rule;
  readonly gradient: Rule;
}

/** What only moves elements. The way back may add several of them up. */
const MOVES = [
  ...['reshape', 'flatten', 'squeeze', 'unsqueeze', 'permute', 'transpose', 'slice', 'concat', 'stack', 'split', 'pad'],
  ...['flip', 'expand', 'repeat', 'tril', 'triu', 'gather', 'indexSelect', 'embedding', 'where'],
];

/** What selects, or rounds once and correctly. */
const EXACT = [
  ...['neg', 'abs', 'relu', 'sign', 'floor', 'ceil', 'round', 'trunc', 'clamp', 'maximum', 'minimum', 'max', 'min'],
  ...['add', 'sub', 'mul', 'square', 'to', 'full', 'fullLike', 'zerosLike', 'onesLike', 'oneHot', 'maxPool2d'],
  ...['eq', 'ne', 'lt', 'le', 'gt', 'ge', 'isNan', 'isFinite', 'logicalNot', 'logicalAnd', 'logicalOr'],
  ...['argMax', 'argMin'],
];

/** Ten roundings at most of one element: WGSL's own functions are exact to two or three last bits, and few follow another. */
const ROUNDED: Rule = { relative: 1e-6 };
/**
 * exp, and what comes of it: WGSL allows 3 + 2·|x| last bits of exp(x). Where exp(x) is denormal, times an x of some hundreds.
 * Beyond 1e-15, PyTorch's own float64 cancels.
 */
const EXPONENTIAL: Rule = { relative: 1e-6, growth: 2 ** -21, absolute: 2e-36 };
const TAIL: Rule = { relative: 1e-6, growth: 2 ** -21, absolute: 1e-14 };
/** Values of order 1 that go through 0 where terms cancel. */
const CANCELLING: Rule = { relative: 1e-6, growth: 2 ** -21, absolute: 4e-7 };

const ELEMENTS: Readonly<Record<string, Rules>> = {
  sqrt: { value: ROUNDED, gradient: ROUNDED },
  rsqrt: { value: ROUNDED, gradient: ROUNDED },
  reciprocal: { value: ROUNDED, gradient: ROUNDED },
  exp: { value: EXPONENTIAL, gradient: EXPONENTIAL },
  exp2: { value: EXPONENTIAL, gradient: EXPONENTIAL },
  expm1: { value: EXPONENTIAL, gradient: TAIL },
  log: { value: CANCELLING, gradient: ROUNDED },
  log2: { value: CANCELLING, gradient: ROUNDED },
  log1p: { value: ROUNDED, gradient: ROUNDED },
  sin: { value: CANCELLING, gradient: CANCELLING },
  cos: { value: CANCELLING, gradient: CANCELLING },
  tan: { value: { relative: 4e-6, absolute: 4e-7 }, gradient: { relative: 8e-6 } },
  tanh: { value: ROUNDED, gradient: TAIL },
  sigmoid: { value: EXPONENTIAL, gradient: TAIL },
  erf: { value: ROUNDED, gradient: EXPONENTIAL },
  silu: { value: EXPONENTIAL, gradient: CANCELLING },
  softplus: { value: EXPONENTIAL, gradient: EXPONENTIAL },
  logSigmoid: { value: EXPONENTIAL, gradient: EXPONENTIAL },
  elu: { value: TAIL, gradient: EXPONENTIAL },
  leakyRelu: { value: ROUNDED, gradient: ROUNDED },
  mish: { value: EXPONENTIAL, gradient: CANCELLING },
  gelu: { value: TAIL, gradient: CANCELLING },
};

/** Sums, products of matrices and whatever is made of them: by the norm. */
const NORM: Rules = { value: 'norm', gradient: 'norm' };

export function rulesOf(operation: string): Rules {
  if (MOVES.includes(operation)) return { value: 'bits', gradient: 'norm' };
  if (EXACT.includes(operation)) return { value: 'exact', gradient: 'norm' };
  return ELEMENTS[operation] ?? NORM;
}

/** What of some cases is computed, but not compared, and why. docs/operations.md says so too. */
const DIFFERENT: readonly {
  readonly operations: readonly string[];
  readonly about: string;
  /** Whether values are compared all the same. */
  readonly gradientOnly?: boolean;
  readonly reason: string;
}[] = [
  {
    operations: ['log', 'log2', 'rsqrt', 'sqrt', 'reciprocal', 'div', 'pow'],
    about: 'denormals',
    reason: 'WGSL lets a device take a denormal for 0, whose logarithm, root or inverse is another number',
  },
  {
    operations: ['rsqrt', 'reciprocal', 'div', 'pow'],
    about: 'negative zero',
    reason: 'WGSL lets a device leave out the sign of a zero, which decides the sign of an infinity',
  },
  {
    operations: ['elu'],
    about: 'NaN',
    gradientOnly: true,
    reason: 'the slope is NaN, where PyTorch has 1 or NaN, as its vectors fall',
  },
  ...['infinities', 'NaN'].map((about) => ({
    operations: ['prod'],
    about,
    gradientOnly: true,
    reason: 'the product is divided by each factor: ∞/∞, where PyTorch multiplies the others if any element of x is 0',
  })),
];

/** What of a case is compared. */
export function comparedOf(
  operation: string,
  about: string | undefined,
): { readonly value: boolean; readonly gradient: boolean } {
  const different = DIFFERENT.find((each) => each.about === about && each.operations.includes(operation));
  return { value: different === undefined || different.gradientOnly === true, gradient: different === undefined };
}
