import { scaledDotProductAttention } from '../src/ops/scaledDotProductAttention';
import { operationTest, random, type Reference } from './allclose';
import { refusalTest } from './expectBadShape';
import { backward, forward, type Inputs, type InputsWithBias } from './scaledDotProductAttention.reference';
import { suite, type KernelTest } from './suite';

interface Case {
  /** Leading axes of q, k and v; of k and v others, where they are stretched. */
  readonly lead: readonly number[];
  readonly leadOfKeys?: readonly number[];
  /** N, M, D, E. */
  readonly sizes: readonly [number, number, number, number];
  readonly causal?: boolean;
  readonly mask?: readonly number[];
  readonly bias?: readonly number[];
  readonly scale?: number;
}

/** Zeros and ones at random; a row of zeros among those of more than one element. */
function maskOf(shape: readonly number[]): Reference {
  const width = shape.at(-1) ?? 1;
  const { data } = random(shape, 9);
  return { shape, data: data.map((value, i) => (i < width && data.length > width ? 0 : Number(value > -0.3))) };
}

function attentionTest({ lead, leadOfKeys = lead, sizes: [N, M, D, E], ...rest }: Case): KernelTest {
  const { causal = false, scale } = rest;
  const mask = rest.mask && maskOf(rest.mask);
  const told = { causal, ...(scale === undefined ? {} : { scale }) };
  const options = { ...told, ...(mask ? { mask } : {}) };
  const inputs = {
    q: random([...lead, N, D], 1),
    k: random([...leadOfKeys, M, D], 2),
    v: random([...leadOfKeys, M, E], 3),
  };
  const parts = Object.entries(rest).map(([name, value]) => `${name} ${String(value)}`);
  const name = [`[${lead.join()}] of [${leadOfKeys.join()}], ${N} to ${M}, ${D} and ${E}`, ...parts].join(', ');
  const common = {
    name,
    // WGSL allows exp 3 + 2|x| units in the last place, as in softmax.
    tolerance: 4e-6,
  };
  if (!rest.bias) {
    return operationTest<Inputs>({
      ...common,
      inputs,
      operation: ({ q, k, v }, graph) => {
        const given = mask && graph.input('mask', mask.shape, 'u32', Uint32Array.from(mask.data));
        return { y: scaledDotProductAttention(q, k, v, { ...told, ...(given ? { mask: given } : {}) }) };
      },
      forward: (at) => forward(at, options),
      backward: (at, dOutputs) => backward(at, dOutputs, options),
    });
  }
  return operationTest<InputsWithBias>({
    ...common,
    inputs: { ...inputs, bias: random(rest.bias, 4) },
    operation: ({ q, k, v, bias }) => ({
      y: scaledDotProductAttention(q, k, v, { ...told, bias }),
    }),
    forward: (at) => forward(at, options),
    backward: (at, dOutputs) => backward(at, dOutputs, options),
  });
}

export default suite('scaledDotProductAttention', [
  attentionTest({ lead: [], sizes: [1, 1, 1, 1] }),
  attentionTest({ lead: [3], sizes: [17, 5, 3, 9] }),
  attentionTest({ lead: [2, 3], sizes: [17, 17, 8, 8], causal: true }),
  attentionTest({ lead: [2], sizes: [5, 9, 3, 2], causal: true, scale: 0.5 }),
  attentionTest({ lead: [2], sizes: [9, 5, 3, 2], causal: true }),
  attentionTest({ lead: [2, 3], sizes: [5, 33, 4, 3], mask: [2, 1, 1, 33] }),
  attentionTest({ lead: [2, 3], sizes: [5, 7, 4, 3], mask: [5, 7], causal: true }),
  attentionTest({ lead: [2], sizes: [5, 7, 4, 3], mask: [2, 5, 1] }),
  attentionTest({ lead: [2, 3], sizes: [5, 7, 4, 3], bias: [3, 5, 7], causal: true }),
  attentionTest({ lead: [2, 4], leadOfKeys: [2, 1], sizes: [5, 7, 4, 3], bias: [1, 7] }),
  refusalTest('keys of another width', 'has shape [5, 3], not [M, D = 4]', (graph) =>
    scaledDotProductAttention(graph.input('q', [2, 5, 4]), graph.input('k', [2, 5, 3]), graph.input('v', [2, 5, 3])),
  ),
  refusalTest('a mask of more', "mask [3, 5, 5] can't be stretched to [5, 5]", (graph) => {
    const q = graph.input('q', [5, 4]);
    return scaledDotProductAttention(q, q, q, { mask: graph.input('mask', [3, 5, 5], 'u32') });
  }),
]);
