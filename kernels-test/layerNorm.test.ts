import { layerNorm, rmsNorm } from '../src/ops/layerNorm';
import { operationTest, random, type Reference } from './allclose';
import { backward, EPS, forward, rms, type Inputs } from './layerNorm.reference';
import { suite } from './suite';

const SHAPES = [
  [1, 3],
  [3, 17],
  [17, 65],
  [65, 33],
  [2, 5, 192],
  [7, 257],
  [3, 1031],
] as const;

const ones = (width: number): Reference => ({ shape: [width], data: new Float64Array(width).fill(1) });
const none = (width: number): Reference => ({ shape: [width], data: new Float64Array(width) });

/** Without scale or shift, and without the mean taken off. */
const otherTests = SHAPES.slice(0, 6).flatMap((shape) => {
  const width = shape.at(-1) as number;
  const [x, gamma, beta] = [random(shape, 1), random([width], 2), random([width], 3)];
  const name = shape.join('×');
  return [
    operationTest<{ x: Reference }>({
      name: `${name}, without scale and shift`,
      inputs: { x },
      operation: (of) => ({ y: layerNorm(of.x, undefined, undefined, EPS) }),
      forward: (of) => forward({ ...of, gamma: ones(width), beta: none(width) }),
      backward: (of, dOutputs) => backward({ ...of, gamma: ones(width), beta: none(width) }, dOutputs),
    }),
    operationTest<{ x: Reference; gamma: Reference }>({
      name: `${name}, without shift`,
      inputs: { x, gamma },
      operation: (of) => ({ y: layerNorm(of.x, of.gamma, undefined, EPS) }),
      forward: (of) => forward({ ...of, beta: none(width) }),
      backward: (of, dOutputs) => backward({ ...of, beta: none(width) }, dOutputs),
    }),
    operationTest<{ x: Reference; beta: Reference }>({
      name: `${name}, without scale`,
      inputs: { x, beta },
      operation: (of) => ({ y: layerNorm(of.x, undefined, of.beta, EPS) }),
      forward: (of) => forward({ ...of, gamma: ones(width) }),
      backward: (of, dOutputs) => backward({ ...of, gamma: ones(width) }, dOutputs),
    }),
    operationTest<{ x: Reference; gamma: Reference }>({
      name: `${name}, rmsNorm`,
      inputs: { x, gamma },
      operation: (of) => ({ y: rmsNorm(of.x, of.gamma, EPS) }),
      forward: (of) => rms.forward(of),
      backward: (of, dOutputs) => rms.backward(of, dOutputs),
    }),
    operationTest<{ x: Reference }>({
      name: `${name}, rmsNorm without scale`,
      inputs: { x },
      operation: (of) => ({ y: rmsNorm(of.x, undefined, EPS) }),
      forward: (of) => rms.forward({ ...of, gamma: ones(width) }),
      backward: (of, dOutputs) => rms.backward({ ...of, gamma: ones(width) }, dOutputs),
    }),
  ];
});

export default suite('layerNorm', [
  ...otherTests,
  ...[false, true].flatMap((half) =>
    SHAPES.map((shape) => {
      const width = shape.at(-1) as number;
      return operationTest<Inputs>({
        name: shape.join('×'),
        ...(half ? { half: [] } : {}), // only y is f16, and its gradient
        inputs: { x: random(shape, 1), gamma: random([width], 2), beta: random([width], 3) },
        operation: ({ x, gamma, beta }) => ({ y: layerNorm(x, gamma, beta, EPS) }),
        forward,
        backward,
      });
    }),
  ),
]);
