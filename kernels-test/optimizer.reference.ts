/** A parameter and what an optimizer keeps of it, in float64. */
export interface OptimizerReference {
  readonly value: Float64Array;
  readonly m: Float64Array;
  readonly v: Float64Array;
  readonly decayed: boolean;
}

/** A step: gradients as they are applied, learning rate, and its number, counted from 1. */
export interface ReferenceStep {
  readonly gradients: readonly Float64Array[];
  readonly learningRate: number;
  readonly step: number;
}

export type Rule = (parameters: readonly OptimizerReference[], step: ReferenceStep) => void;

type Element = { value: number; m: number; v: number };

/** The rule that moves every element by itself. `decay` is 0 where the parameter is not decayed. */
function elementwise(
  move: (at: Element, g: number, decay: number, step: ReferenceStep) => Element,
  weightDecay: number,
): Rule {
  return (parameters, step) => {
    for (const [index, { value, m, v, decayed }] of parameters.entries()) {
      step.gradients[index]?.forEach((g, i) => {
        const at = { value: value[i] as number, m: m[i] as number, v: v[i] as number };
        const moved = move(at, g, decayed ? weightDecay : 0, step);
        value[i] = moved.value;
        m[i] = moved.m;
        v[i] = moved.v;
      });
    }
  };
}

export const sgd = (momentum: number, nesterov: boolean, weightDecay: number): Rule =>
  elementwise(({ value, m, v }, g, decay, { learningRate }) => {
    const total = g + decay * value;
    const next = momentum * m + total;
    return { value: value - learningRate * (nesterov ? total + momentum * next : next), m: next, v };
  }, weightDecay);

export const lion = ([beta1, beta2]: readonly [number, number], weightDecay: number): Rule =>
  elementwise(({ value, m, v }, g, decay, { learningRate }) => {
    const direction = Math.sign(beta1 * m + (1 - beta1) * g);
    return {
      value: value * (1 - learningRate * decay) - learningRate * direction,
      m: beta2 * m + (1 - beta2) * g,
      v,
    };
  }, weightDecay);

export const adam = (
  [beta1, beta2]: readonly [number, number],
  eps: number,
  weightDecay: number,
  coupled: boolean,
): Rule =>
  elementwise(({ value, m, v }, gradient, decay, { learningRate, step }) => {
    const g = coupled ? gradient + decay * value : gradient;
    const shrunk = coupled ? value : value * (1 - learningRate * decay);
    const [first, second] = [beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g * g];
    const deviation = Math.sqrt(second / (1 - beta2 ** step)) + eps;
    return { value: shrunk - (learningRate * first) / (1 - beta1 ** step) / deviation, m: first, v: second };
  }, weightDecay);
