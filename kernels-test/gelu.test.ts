import source from '../shaders/gelu.wgsl';
import { kernelsOf } from '../src/gpu/shader';
import { gelu } from '../src/ops/gelu';
import { Graph } from '../src/tensor/graph';
import { operationTest, random } from './allclose';
import * as reference from './gelu.reference';
import { suite, type KernelTest } from './suite';

/** GELU needs no erf by itself, so that what it rests on is measured by a kernel of the test's own: erf(|x|/√2). */
const { erf } = kernelsOf(
  'gelu.test',
  `//#use gelu
//#kernel erf
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x < arrayLength(&y)) {
    let a = abs(vec4f(x[id.x]));
    y[id.x] = 1.0 - 2.0 * normalTail(a, exp(-0.5 * a * a)).x;
  }
}
`,
  ['erf'],
  { gelu: source },
);

const erfOf = (x: number): number => 2 * reference.normalCdf(Math.abs(x)) - 1;

interface Bound {
  readonly absolute: number;
  /** Times |x|. */
  readonly proportional: number;
}

/** Throws where f is off by more than its bound at any x. */
function expectEach(
  what: string,
  x: Float32Array,
  found: ArrayLike<number>,
  f: (x: number) => number,
  bound: Bound,
): void {
  x.forEach((at, i) => {
    const error = Math.abs((found[i] as number) - f(at));
    if (!(error <= bound.absolute + bound.proportional * Math.abs(at))) {
      throw new Error(`${what}(${at}): ${found[i]}, not ${f(at)}`);
    }
  });
}

/** Each value by itself: a norm over all would hide what is wrong at few. */
function pointwiseTest(name: string, x: Float32Array): KernelTest {
  return {
    name,
    run: async (engine) => {
      const graph = new Graph(engine);
      const shape = [x.length];
      const xs = graph.input('x', shape, 'f32', x, true);
      const y = gelu(xs);
      graph.backward(y, graph.input('dy', shape, 'f32', new Float32Array(x.length).fill(1)));
      const dx = graph.gradientOf(xs);
      const erfs = graph.empty('erf', shape);
      graph.dispatch({ kernel: erf, bindings: { x: xs, y: erfs }, workgroups: [Math.ceil(x.length / 64)] });
      graph.output(y, dx, erfs);
      const program = await graph.compile();
      try {
        program.run();
        // One rounding of a value of up to 1 is 3e-8; the tail has two before it.
        expectEach('erf', x, await program.read(erfs), erfOf, { absolute: 1e-7, proportional: 0 });
        // Half of erf's error times |x|, and one rounding of 6e-8·|x|.
        expectEach('gelu', x, await program.read(y), reference.gelu, { absolute: 0, proportional: 1e-7 });
        // The same as Φ's error, and exp's as it comes: a few units in the last place of x·φ(x), at most ¼.
        expectEach("gelu'", x, await program.read(dx), reference.geluGradient, { absolute: 3e-7, proportional: 0 });
      } finally {
        program.dispose();
      }
    },
  };
}

const steps = (count: number, f: (t: number) => number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => f(i / (count - 1)));

export default suite('gelu', [
  pointwiseTest(
    'on [−6, 6]',
    steps(40_001, (t) => 12 * t - 6),
  ),
  pointwiseTest(
    'small x of either sign',
    steps(2_001, (t) => (t < 0.5 ? -1 : 1) * 10 ** (-6 + 4 * t)),
  ),
  pointwiseTest('zero and far out', Float32Array.of(0, -0, 9, -9, 15, -15, 40, -40, 1e6, -1e6)),
  ...[[1], [3, 17], [65, 33], [2, 5, 192]].map((shape) => {
    const { data } = random(shape, 1);
    return operationTest<reference.Inputs>({
      name: shape.join('×'),
      inputs: { x: { shape, data: data.map((x) => 4 * x) } },
      operation: ({ x }) => ({ y: gelu(x) }),
      forward: reference.forward,
      backward: reference.backward,
    });
  }),
]);
