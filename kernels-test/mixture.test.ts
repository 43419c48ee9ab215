import { mixture } from '../src/ops/mixture';
import { Graph } from '../src/tensor/graph';
import { expectClose, random, type Reference } from './allclose';
import { forward } from './mixture.reference';
import { refusalTest } from './expectBadShape';
import { suite, type KernelTest } from './suite';

const CASES: readonly { readonly shape: readonly number[]; readonly alpha: readonly number[] }[] = [
  { shape: [1, 1, 1, 1], alpha: [0.3] },
  { shape: [3, 3, 5, 5], alpha: [0.7] },
  { shape: [2, 1, 3, 3], alpha: [0.5] },
  { shape: [2, 3, 4, 4], alpha: [0] },
  { shape: [2, 3, 4, 4], alpha: [1] },
  // The tie, its neighbours among f32, both ends.
  { shape: [5, 1, 3, 3], alpha: [0.5, 0.5 - 2 ** -25, 0.5 + 2 ** -24, 0, 1] },
  { shape: [4, 3, 32, 32], alpha: [0.1, 0.9, 0.5, 0.45] },
];

const mixtureTest = ({ shape, alpha }: (typeof CASES)[number], branches: 1 | 2): KernelTest => ({
  name: `${shape.join('×')} at ${alpha.join(', ')}, ${branches === 2 ? 'both targets' : 'the subordinates'}`,
  run: async (engine) => {
    const inputs = {
      image1: random(shape, 1),
      image2: random(shape, 2),
      alpha: { shape: [alpha.length], data: Float64Array.from(alpha, Math.fround) },
    };
    const graph = new Graph(engine);
    const input = (name: string, { shape: extents, data }: Reference) =>
      graph.input(name, extents, 'f32', Float32Array.from(data));
    const { mixed, targets } = mixture(
      input('image1', inputs.image1),
      input('image2', inputs.image2),
      input('alpha', inputs.alpha),
      branches,
    );
    graph.output(mixed, targets);
    const program = await graph.compile();
    try {
      program.run();
      const expected = forward(inputs, branches);
      expectClose('targets', await program.read(targets), expected.targets.data, 0);
      // Three roundings an element.
      expectClose('mixed', await program.read(mixed), expected.mixed.data, 2e-7);
    } finally {
      program.dispose();
    }
  },
});

const refusals = [
  refusalTest('an α that is neither one nor one a pair', 'alpha has shape [2], not [1] or [3]', (graph) => {
    const images = graph.input('images', [3, 1, 2, 2]);
    return mixture(images, images, graph.input('alpha', [2]));
  }),
];

export default suite('mixture', [
  ...CASES.map((test) => mixtureTest(test, 2)),
  ...CASES.map((test) => mixtureTest(test, 1)),
  ...refusals,
]);
