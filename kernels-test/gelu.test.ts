import source from '../shaders/gelu.wgsl';
import { workgroupRow } from '../src/gpu/recording';
import { kernelsOf } from '../src/gpu/shader';
import { Graph } from '../src/tensor/graph';
import { random } from './compare';
import { gelu, geluGradient } from './gelu.reference';
import { suite, type KernelTest } from './suite';

const kernels = kernelsOf('gelu', source, ['geluForward', 'geluBackward']);

/** Throws where an element is off by more than absolute + relative · |expected|. */
function expectEach(what: string, x: Float32Array, actual: ArrayLike<number>, f: (x: number, i: number) => number, bound: {
  readonly absolute: number;
  readonly relative: number;
}): void {
  x.forEach((at, i) => {
    const expected = f(at, i);
    const error = Math.abs((actual[i] as number) - expected);
    if (!(error <= bound.absolute + bound.relative * Math.abs(expected))) {
      throw new Error(`${what}(${at}): ${actual[i]}, not ${expected}`);
    }
  });
}

function geluTest(name: string, x: Float32Array, forwardAbsolute: number): KernelTest {
  return {
    name,
    run: async (engine) => {
      const graph = new Graph(engine);
      const shape = [x.length];
      const upstream = random(shape, 2);
      const xs = graph.input('x', shape, 'f32', x);
      const dy = graph.input('dy', shape, 'f32', Float32Array.from(upstream.data));
      const y = graph.empty('y', shape);
      const dx = graph.empty('dx', shape);
      const uniforms = { count: x.length };
      const workgroups = workgroupRow(Math.ceil(x.length / 64));
      graph.dispatch({ kernel: kernels.geluForward, uniforms, bindings: { x: xs, y }, workgroups });
      graph.dispatch({ kernel: kernels.geluBackward, uniforms, bindings: { x: xs, dy, dx }, workgroups });
      graph.output(y, dx);
      const program = await graph.compile();
      try {
        program.run();
        // Ten roundings of 6e-8 each, relative to the result.
        expectEach('gelu', x, await program.read(y), gelu, { absolute: forwardAbsolute, relative: 6e-7 });
        // gelu' passes through 0 near −0.75, where it is a difference of terms of about ¼.
        const expected = (at: number, i: number): number => geluGradient(at) * (upstream.data[i] as number);
        expectEach("gelu'", x, await program.read(dx), expected, { absolute: 4e-7, relative: 6e-7 });
      } finally {
        program.dispose();
      }
    },
  };
}

const steps = (count: number, f: (t: number) => number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => f(i / (count - 1)));

export default suite('gelu', [
  // The negative tail is relative to exp(−x²/2), of which hardware gives a few units in the last place of 1 only.
  geluTest('on [−6, 6]', steps(20_001, (t) => 12 * t - 6), 4e-7),
  geluTest('small x of either sign, relatively', steps(2_001, (t) => (t < 0.5 ? -1 : 1) * 10 ** (-6 + 4 * t)), 0),
  geluTest('zero and far out', Float32Array.of(0, -0, 9, -9, 15, -15, 40, -40, 1e6, -1e6), 1e-12),
]);
