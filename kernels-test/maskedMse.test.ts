import { maskedMse, type MaskedMseOperands } from '../src/ops/maskedMse';
import type { Graph } from '../src/tensor/graph';
import { operationTest, random, zeros } from './allclose';
import { randomOrders } from './mask.reference';
import { backward, forward, type Inputs, type Setting } from './maskedMse.reference';
import { refusalTest } from './expectBadShape';
import { suite, type KernelTest } from './suite';

type Case = readonly [S: number, B: number, C: number, H: number, W: number, patch: number, keep: number];

const CASES: readonly Case[] = [
  [1, 1, 1, 4, 4, 2, 1],
  [2, 1, 1, 3, 6, 3, 1],
  [2, 3, 3, 6, 10, 2, 14],
  [1, 5, 3, 9, 15, 3, 4],
  [2, 2, 1, 25, 15, 5, 7],
  [1, 17, 17, 3, 3, 1, 3],
  [2, 1, 3, 65, 130, 65, 1],
  [2, 33, 3, 32, 32, 4, 16],
  [1, 2, 1, 16, 24, 8, 2],
  [2, 1, 4, 16, 48, 16, 1],
  [1, 1, 5, 8, 8, 4, 1],
];

/** Σ of the squares of the deviations in f32, then of quotients: a few more roundings than the plain sums. */
const TOLERANCE = 4e-6;

function setUp(at: Case, normPix: boolean): { setting: Setting; inputs: Inputs } {
  const [branches, batch, channels, height, width, patch, keep] = at;
  const length = (height / patch) * (width / patch);
  return {
    setting: {
      images: random([branches * batch, channels, height, width], 2),
      idsRestore: randomOrders(batch, length).idsRestore,
      batch,
      keep,
      patch,
      normPix,
    },
    inputs: { prediction: random([branches * batch, 1 + length, patch * patch * channels], 1) },
  };
}

type Given = Omit<MaskedMseOperands, 'prediction'>;

function operandsOf(graph: Graph, { images, idsRestore, batch, keep, patch, normPix }: Setting): Given {
  return {
    keep,
    patch,
    normPix,
    images: graph.input('images', images.shape, 'f32', Float32Array.from(images.data)),
    idsRestore: graph.input('idsRestore', [batch, idsRestore.length / batch], 'u32', idsRestore),
  };
}

const operations = CASES.flatMap((at) =>
  [false, true].map((normPix) => {
    const [S, B, C, H, W, patch, keep] = at;
    return operation(`${S}·${B}×${C}×${H}×${W} patch ${patch}, ${keep} kept`, setUp(at, normPix));
  }),
);

function operation(name: string, { setting, inputs }: ReturnType<typeof setUp>): KernelTest {
  return operationTest<Inputs>({
    name: setting.normPix ? `${name}, normalised` : name,
    inputs,
    operation: ({ prediction }, graph) => ({ loss: maskedMse({ ...operandsOf(graph, setting), prediction }) }),
    forward: (given) => forward(setting, given),
    backward: (given, dOutputs) => backward(setting, given, dOutputs),
    tolerance: TOLERANCE,
  });
}

/** A flat patch has no variance: it is its mean, 0, that is predicted, and nothing is divided by 0. */
function flat(): KernelTest {
  const { setting, inputs } = setUp([2, 3, 3, 6, 6, 3, 2], true);
  return operation('flat images', { setting: { ...setting, images: zeros(setting.images.shape) }, inputs });
}

function refused(name: string, words: string, change: Partial<Setting>): KernelTest {
  const { setting, inputs } = setUp([1, 2, 1, 3, 3, 1, 4], false);
  return refusalTest(name, words, (graph) =>
    maskedMse({
      ...operandsOf(graph, { ...setting, ...change }),
      prediction: graph.input('prediction', inputs.prediction.shape),
    }),
  );
}

export default suite('maskedMse', [
  ...operations,
  flat(),
  refused('to predict nothing', 'nothing to predict', { keep: 9 }),
  refused('more kept patches than there are', "can't be kept", { keep: 10 }),
  refused('patches of one normalised element', 'one element', { normPix: true }),
  refused('patches that do not divide the image', "don't divide", { patch: 2 }),
  refused('another number of patches', 'idsRestore', { idsRestore: new Uint32Array(2 * 8) }),
]);
