import source from '../../shaders/weightedSum.wgsl';
import { EngineError } from '../gpu/errors';
import { kernelsOf } from '../gpu/shader';
import { graphOf } from '../tensor/graph';
import type { Scalar, Tensor } from '../tensor/tensor';
import { assertList } from './axes';
import { assertNumber, assertType } from './patchIndices';

const kernels = kernelsOf('weightedSum', source, ['weightedSumTerm', 'weightedSumGradient']);

/** Some values, and the weight of each. */
export interface WeightedTerm {
  /** A few elements, such as a loss a branch. */
  readonly values: Tensor;
  /** One an element. */
  readonly weights: readonly number[];
}

/**
 * Σ weights · values over all terms: a loss of its parts.
 *
 * @returns a scalar
 * @throws EngineError `bad-shape` where there is no term, or one has not as many weights as values
 */
export function weightedSum(terms: readonly WeightedTerm[]): Scalar<'f32'> {
  assertList('weightedSum', 'what is summed', terms);
  if (terms.length === 0) throw new EngineError('bad-shape', 'weightedSum: there are no terms.', 'Give at least one.');
  const graph = graphOf('weightedSum', ...terms.map(({ values }) => values));
  const total = graph.empty(
    'weightedSum',
    [],
    'f32',
    terms.some(({ values }) => values.requiresGrad),
  );
  const recorded = terms.map(({ values, weights: numbers }, index) => {
    assertType('weightedSum', `values ${index}`, values, 'f32');
    for (const number of numbers) assertNumber('weightedSum', `a weight of '${values.label}'`, number);
    if (numbers.length !== values.size) {
      throw new EngineError(
        'bad-shape',
        `weightedSum: '${values.label}' has ${values.size} values, but ${numbers.length} weights.`,
        'Give one weight a value.',
      );
    }
    const weights = graph.input('weights', values.shape, 'f32', Float32Array.from(numbers));
    graph.dispatch({
      kernel: kernels.weightedSumTerm,
      params: { ACCUMULATE: index > 0 },
      uniforms: { count: values.size },
      bindings: { values, weights, total },
      workgroups: [1],
    });
    return { values, weights };
  });
  graph.record('weightedSum', [total], (gradients) => {
    const dTotal = gradients.of(total);
    if (!dTotal) return;
    for (const { values, weights } of recorded) {
      const dValues = gradients.into(values);
      if (!dValues) continue;
      graph.dispatch({
        kernel: kernels.weightedSumGradient,
        params: { ACCUMULATE: dValues.accumulate },
        uniforms: { count: values.size },
        bindings: { weights, dTotal, dValues: dValues.out },
        workgroups: [Math.ceil(values.size / 64)],
      });
    }
  });
  return total;
}
