import type { Reference, References } from './allclose';
import * as gelu from './gelu.reference';
import * as linear from './linear.reference';

export type Inputs = {
  /** [..., D] */
  x: Reference;
  /** [F, D] */
  weight1: Reference;
  /** [F] */
  bias1: Reference;
  /** [D, F] */
  weight2: Reference;
  /** [D] */
  bias2: Reference;
  /** [..., D] */
  residual: Reference;
};

function upper({ x, weight1, bias1 }: Inputs): { pre: Reference; hidden: Reference } {
  const { y: pre } = linear.forward({ x, weight: weight1, bias: bias1 });
  return { pre, hidden: gelu.forward({ x: pre }).y };
}

export function forward(inputs: Inputs): { y: Reference } {
  const { weight2, bias2, residual } = inputs;
  return linear.forward({ x: upper(inputs).hidden, weight: weight2, bias: bias2, residual });
}

export function backward(inputs: Inputs, dOutputs: References): Inputs {
  const { x, weight1, bias1, weight2, bias2 } = inputs;
  const { pre, hidden } = upper(inputs);
  const second = linear.backward({ x: hidden, weight: weight2, bias: bias2 }, dOutputs);
  const dPre = gelu.backward({ x: pre }, { y: second.x }).x;
  const first = linear.backward({ x, weight: weight1, bias: bias1 }, { y: dPre });
  return {
    x: first.x,
    weight1: first.weight,
    bias1: first.bias,
    weight2: second.weight,
    bias2: second.bias,
    residual: second.residual,
  };
}
