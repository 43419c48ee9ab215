import { alignment, type AlignmentOperands } from '../src/ops/alignment';
import { Graph } from '../src/tensor/graph';
import { backward, errors, forward, type Inputs, type Setting } from './alignment.reference';
import { expectClose, operationTest, random } from './allclose';
import { randomOrders } from './mask.reference';
import { refusalTest } from './expectBadShape';
import { suite, type KernelTest } from './suite';

type Case = readonly [B: number, C: number, H: number, W: number, patch: number, keep: number];

const CASES: readonly Case[] = [
  [1, 1, 4, 4, 2, 1],
  [3, 3, 6, 10, 2, 5],
  [5, 3, 9, 15, 3, 4],
  [17, 17, 3, 3, 1, 3],
  [1, 3, 65, 130, 65, 1],
  [33, 3, 32, 32, 4, 16],
];

/** As of maskedMse: the deviations of normalised targets take a few roundings more than plain sums. */
const TOLERANCE = 4e-6;

function setUp(
  [B, channels, height, width, patch, keep]: Case,
  normPix: boolean,
): { setting: Setting; inputs: Inputs } {
  const length = (height / patch) * (width / patch);
  const { idsRestore } = randomOrders(2 * B, length);
  return {
    setting: { images: random([2 * B, channels, height, width], 2), idsRestore, batch: 2 * B, keep, patch, normPix },
    inputs: { prediction: random([2 * B, 1 + length, patch * patch * channels], 1) },
  };
}

function operandsOf(
  graph: Graph,
  { images, idsRestore, batch, keep, patch, normPix }: Setting,
): Omit<AlignmentOperands, 'prediction'> {
  return {
    keep,
    patch,
    normPix,
    images: graph.input('images', images.shape, 'f32', Float32Array.from(images.data)),
    idsRestore: graph.input('idsRestore', [batch, idsRestore.length / batch], 'u32', idsRestore),
  };
}

const nameOf = ([B, C, H, W, patch, keep]: Case): string => `${B}×${C}×${H}×${W} patch ${patch}, ${keep} kept`;

function operation(name: string, { setting, inputs }: ReturnType<typeof setUp>): KernelTest {
  return operationTest<Inputs>({
    name,
    inputs,
    operation: ({ prediction }, graph) => ({
      align: alignment({ ...operandsOf(graph, setting), prediction }).align,
    }),
    forward: (given) => forward(setting, given),
    backward: (given, dOutputs) => backward(setting, given, dOutputs),
    tolerance: TOLERANCE,
  });
}

const identities = CASES.flatMap((at) =>
  [false, true]
    .filter((normPix) => !normPix || at[4] > 1)
    .map((normPix): KernelTest => ({
      name: `the identity ${nameOf(at)}${normPix ? ', normalised' : ''}`,
      run: async (engine) => {
        const { setting, inputs } = setUp(at, normPix);
        const graph = new Graph(engine);
        const { shape, data } = inputs.prediction;
        const prediction = graph.input('prediction', shape, 'f32', Float32Array.from(data));
        const { align, centre } = alignment({ ...operandsOf(graph, setting), prediction });
        graph.output(align, centre);
        const program = await graph.compile();
        try {
          program.run();
          const [a, c] = [await program.read(align), await program.read(centre)].map((values) => values[0] as number);
          const wanted = errors(setting, inputs.prediction);
          expectClose('centre', [c as number], [wanted.centre], TOLERANCE);
          expectClose('align + centre', [(a as number) + (c as number)], [wanted.sum], TOLERANCE);
        } finally {
          program.dispose();
        }
      },
    })),
);

/** Two masks that together show all: there is no patch to compare, and nothing is divided by 0. */
function complementary(): KernelTest {
  const { setting, inputs } = setUp([1, 1, 4, 4, 2, 2], false);
  return operation('masks that remove no patch in common', {
    setting: { ...setting, idsRestore: Uint32Array.of(0, 1, 2, 3, 2, 3, 0, 1) },
    inputs,
  });
}

function refused(name: string, words: string, change: Partial<Setting>): KernelTest {
  const { setting, inputs } = setUp([2, 1, 3, 3, 1, 4], false);
  return refusalTest(name, words, (graph) =>
    alignment({
      ...operandsOf(graph, { ...setting, ...change }),
      prediction: graph.input('prediction', inputs.prediction.shape),
    }),
  );
}

export default suite('alignment', [
  ...CASES.map((at) => operation(nameOf(at), setUp(at, false))),
  ...identities,
  complementary(),
  refused('one mask an image', '2 masks for 2 images', { batch: 2, idsRestore: new Uint32Array(2 * 9) }),
  refused('an odd number of samples', 'no two masks', { images: random([3, 1, 3, 3], 2) }),
  refused('more kept patches than there are', "can't be kept", { keep: 10 }),
  refused('patches of one normalised element', 'one element', { normPix: true }),
  refused('patches that do not divide the image', "don't divide", { patch: 2 }),
]);
