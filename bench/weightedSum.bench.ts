import { backward, forward } from '../kernels-test/weightedSum.reference';
import { weightedSum } from '../src/ops/weightedSum';
import type { BenchSuite } from './bench';

const weights = { pixel: [1, 0.5], distill: [0.25, 2] };

/** The loss of i-MAE; what is timed is the cost of four small dispatches. */
export default {
  kernel: 'weightedSum',
  cases: [
    {
      name: 'two terms of 2, forward and backward',
      inputs: { pixel: [2], distill: [2] },
      operation: ({ pixel, distill }) =>
        pixel && distill
          ? {
              total: weightedSum([
                { values: pixel, weights: weights.pixel },
                { values: distill, weights: weights.distill },
              ]),
            }
          : {},
      forward: (inputs) => forward(inputs, weights),
      backward: (inputs, dOutputs) => backward(inputs, weights, dOutputs),
      flops: 12,
      bytes: 4 * 15,
    },
  ],
} satisfies BenchSuite;
