import { patchify, unpatchify } from '../src/ops/patchify';
import { operationTest, random, zeros, type Reference } from './allclose';
import { randomOrders } from './mask.reference';
import { patchesShape, toImages, toPatches, type Layout } from './patchify.reference';
import { refusalTest } from './expectBadShape';
import { suite, type KernelTest } from './suite';
import type { Tensor } from '../src/tensor/tensor';

// [S, C, H, W], patch
const SHAPES = [
  [[1, 1, 3, 3], 1],
  [[1, 3, 2, 2], 2],
  [[4, 1, 6, 9], 3],
  [[2, 3, 15, 10], 5],
  [[6, 3, 32, 32], 4],
  [[2, 1, 16, 24], 8],
] as const;

/** Nothing is computed, so nothing is rounded. */
const EXACT = 0;

function patchifyTest(name: string, layout: Layout, idRows: number): KernelTest {
  const { images, patch, order, visible } = layout;
  return operationTest<{ images: Reference }>({
    name: `patchify ${name}`,
    inputs: { images: random(images, 1) },
    operation: (inputs, graph) => {
      if (!visible) return { patches: patchify(inputs.images, { patch, order }) };
      const idsShuffle = graph.input('ids', [idRows, visible.ids.length / idRows], 'u32', visible.ids);
      return { patches: patchify(inputs.images, { patch, order, visible: { idsShuffle, keep: visible.keep } }) };
    },
    forward: (inputs) => ({ patches: toPatches(layout, inputs.images) }),
    backward: (_, dOutputs) => ({ images: toImages(layout, dOutputs['patches'] ?? zeros([0])) }),
    tolerance: EXACT,
  });
}

const tests = SHAPES.flatMap(([images, patch]) => {
  const [samples, channels, height, width] = images;
  const length = (height / patch) * (width / patch);
  const name = `${images.join('×')} patch ${patch}`;
  const layout: Layout = { images, patch, order: 'channelsLast' };
  const whole = (['channelsLast', 'channelsFirst'] as const).map((order) =>
    patchifyTest(`${name} ${order}`, { ...layout, order }, 1),
  );
  // A mask a sample, and one that two samples share.
  const rows = samples % 2 === 0 ? [samples, samples / 2] : [samples];
  const parts = rows.map((idRows) => {
    const visible = { ids: randomOrders(idRows, length).idsShuffle, keep: Math.ceil(length / 4) };
    const masked: Layout = { ...layout, order: 'channelsFirst', visible };
    return patchifyTest(`${name}, ${visible.keep} visible by ${idRows} masks`, masked, idRows);
  });
  const back = operationTest<{ patches: Reference }>({
    name: `unpatchify ${name}`,
    inputs: { patches: random(patchesShape(layout), 2) },
    operation: ({ patches }) => ({ images: unpatchify(patches, { patch, channels, height, width }) }),
    forward: ({ patches }) => ({ images: toImages(layout, patches) }),
    backward: (_, dOutputs) => ({ patches: toPatches(layout, dOutputs['images'] ?? zeros([0])) }),
    tolerance: EXACT,
  });
  return [...whole, ...parts, back];
});

const OPTIONS = { patch: 2, order: 'channelsLast' } as const;

const refusals = [
  refusalTest('a patch that does not divide the image', "don't divide into patches of 2×2", (graph) =>
    patchify(graph.input('images', [1, 3, 4, 5]), OPTIONS),
  ),
  refusalTest('masks of another number of patches', 'idsShuffle has shape [1, 3], not [Bi, 4]', (graph) => {
    const visible = { idsShuffle: graph.input('ids', [1, 3], 'u32'), keep: 1 };
    return patchify(graph.input('images', [1, 3, 4, 4]), { ...OPTIONS, visible });
  }),
  refusalTest('indices that are not whole numbers', 'idsShuffle holds f32', (graph) => {
    const floats = graph.input('ids', [1, 4]) as unknown as Tensor<'u32'>; // as JavaScript may
    const visible = { idsShuffle: floats, keep: 1 };
    return patchify(graph.input('images', [1, 3, 4, 4]), { ...OPTIONS, visible });
  }),
  refusalTest('no visible patch', "0 of 4 patches can't be kept", (graph) => {
    const visible = { idsShuffle: graph.input('ids', [1, 4], 'u32'), keep: 0 };
    return patchify(graph.input('images', [1, 3, 4, 4]), { ...OPTIONS, visible });
  }),
];

export default suite('patchify', [...tests, ...refusals]);
