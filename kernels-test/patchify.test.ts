import { patchify, unpatchify } from '../src/ops/patchify';
import { operationTest, random, zeros, type Reference } from './compare';
import { randomOrders } from './mask.reference';
import { patchesShape, toImages, toPatches, type Layout } from './patchify.reference';
import { suite, type KernelTest } from './suite';

// [S, C, H, W], patch
const SHAPES = [
  [[1, 1, 3, 3], 1],
  [[1, 3, 2, 2], 2],
  [[4, 1, 6, 9], 3],
  [[2, 3, 15, 10], 5],
  [[6, 3, 32, 32], 4],
] as const;

/** Nothing is computed, so nothing is rounded. */
const EXACT = 0;

function patchifyTest(name: string, layout: Layout, idRows: number): KernelTest {
  const { images, patch, order, visible } = layout;
  return operationTest<{ images: Reference }>({
    name: `patchify ${name}`,
    inputs: { images: random(images, 1) },
    operation: (graph, inputs) => {
      if (!visible) return { patches: patchify(graph, inputs.images, { patch, order }) };
      const idsShuffle = graph.input('ids', [idRows, visible.ids.length / idRows], 'u32', visible.ids);
      return { patches: patchify(graph, inputs.images, { patch, order, visible: { idsShuffle, keep: visible.keep } }) };
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
  const masked = rows.map((idRows) => {
    const visible = { ids: randomOrders(idRows, length).idsShuffle, keep: Math.ceil(length / 4) };
    return patchifyTest(`${name}, ${visible.keep} visible by ${idRows} masks`, { ...layout, order: 'channelsFirst', visible }, idRows);
  });
  const back = operationTest<{ patches: Reference }>({
    name: `unpatchify ${name}`,
    inputs: { patches: random(patchesShape(layout), 2) },
    operation: (graph, { patches }) => ({ images: unpatchify(graph, patches, { patch, channels, height, width }) }),
    forward: ({ patches }) => ({ images: toImages(layout, patches) }),
    backward: (_, dOutputs) => ({ patches: toPatches(layout, dOutputs['images'] ?? zeros([0])) }),
    tolerance: EXACT,
  });
  return [...whole, ...masked, back];
});

export default suite('patchify', tests);
