import type { Engine } from '../src/engine/engine';
import { attention, type AttentionOptions } from '../src/ops/attention';
import { attentionKernels as kernels } from '../src/ops/attentionKernels';
import { planAttention, type AttentionDispatch, type AttentionVariant } from '../src/ops/attentionPlan';
import type { AttentionShape } from '../src/ops/attentionTiles';
import { Graph } from '../src/tensor/graph';
import { roundToHalf } from '../src/tensor/half';
import type { Tensor } from '../src/tensor/tensor';
import { backward, forward, type Case, type Inputs } from './attention.reference';
import { expectClose, operationTest, random } from './allclose';
import { refusalTest } from './expectBadShape';
import { suite, thorough, type KernelTest } from './suite';

/** The versions that need no subgroups, by the device for which they are chosen. */
const DEVICES = {
  plain: { software: true, plain: true },
  register: { software: true },
  workgroup: { software: false },
};

interface Stated {
  readonly shape: readonly [b: number, n: number, heads: number, d: number];
  /** `some`: the first sample may attend to nothing, others to a part of their keys. */
  readonly mask?: 'some' | 'none';
  /** Extents of the bias over samples and heads. */
  readonly bias?: readonly [number, number];
}

function caseOf({ shape: [b, n, heads, d], mask, bias }: Stated): Case {
  const open = random([b, n], 11).data;
  const keyMask = Uint32Array.from(open, (x, i) => (mask === 'some' && i >= n && x < 0.3 ? 1 : 0));
  return { b, n, heads, d, ...(mask ? { keyMask } : {}), ...(bias ? { bias: random([...bias, n, n], 12) } : {}) };
}

function nameOf({ shape, mask, bias }: Stated): string {
  return [shape.join('×'), mask && `mask: ${mask}`, bias && `bias ${bias.join('×')}`].filter(Boolean).join(', ');
}

function inputsOf({ b, n, heads, d }: Case): Inputs {
  const { shape, data } = random([b, n, 3 * heads * d], 1);
  return { qkv: { shape, data: data.map((x) => 2 * x) } };
}

function halfInputsOf(test: Case): Inputs {
  const { shape, data } = inputsOf(test).qkv;
  return { qkv: { shape, data: data.map(roundToHalf) } };
}

function optionsOf(graph: Graph, { b, n, keyMask, bias }: Case): AttentionOptions {
  return {
    ...(keyMask ? { keyMask: graph.input('keyMask', [b, n], 'u32', keyMask) } : {}),
    ...(bias ? { bias: graph.input('bias', bias.shape, 'f32', Float32Array.from(bias.data)) } : {}),
  };
}

function throughTape(stated: Stated, half = false): KernelTest {
  const test = caseOf(stated);
  return operationTest<Inputs>({
    name: nameOf(stated),
    inputs: half ? halfInputsOf(test) : inputsOf(test),
    // Of out, which is rounded, backward makes delta, and takes it off what is like it.
    ...(half ? { half: ['qkv'], tolerance: 4 * 2 ** -11 } : {}),
    operation: ({ qkv }, graph) => ({ out: attention(qkv, test.heads, optionsOf(graph, test)) }),
    forward: (inputs) => ({ out: forward(test, inputs).out }),
    backward: (inputs, dOutputs) => backward(test, inputs, dOutputs),
  });
}

/** One kernel for each part of the work. */
interface Version {
  readonly name: string;
  readonly forward: AttentionVariant;
  readonly backwardQ: AttentionVariant;
  readonly backwardKV: AttentionVariant;
}

/** What a version gives. */
interface Results {
  readonly out: readonly number[];
  readonly lse: readonly number[];
  readonly dqkv: readonly number[];
}

/** Runs versions of the kernels side by side, and holds each against the reference. */
async function runVersions(engine: Engine, test: Case, versions: readonly Version[]): Promise<readonly Results[]> {
  const { b, n, heads, d } = test;
  const inputs = inputsOf(test);
  const dOut = random([b, n, heads * d], 2);
  const expected = forward(test, inputs);
  const gradient = backward(test, inputs, { out: dOut }).qkv.data;
  const [biasSamples = 1, biasHeads = 1] = test.bias?.shape ?? [];
  const uniforms = {
    batch: b,
    sequence: n,
    heads,
    channels: d,
    scale: 1 / Math.sqrt(d),
    biasBatchStride: biasSamples > 1 ? biasHeads * n * n : 0,
    biasHeadStride: biasHeads > 1 ? n * n : 0,
  };
  const graph = new Graph(engine);
  const options = optionsOf(graph, test);
  const qkv = graph.input('qkv', inputs.qkv.shape, 'f32', Float32Array.from(inputs.qkv.data));
  const dout = graph.input('dout', dOut.shape, 'f32', Float32Array.from(dOut.data));
  const found = versions.map((version) => {
    const { name } = version;
    const out = graph.empty(`${name} out`, dOut.shape);
    const lse = graph.empty(`${name} lse`, [b, heads, n]);
    const delta = graph.empty(`${name} delta`, [b, heads, n]);
    const dqkv = graph.empty(`${name} dqkv`, qkv.shape);
    const run = (step: AttentionVariant, given: Readonly<Record<string, Tensor>>): void => {
      const { params, workgroups } = step;
      const bindings = { ...given, ...options };
      graph.dispatch({ kernel: kernels[step.kernel], params, uniforms, bindings, workgroups });
    };
    run(version.forward, { qkv, out, lse });
    run(version.backwardQ, { qkv, out, dout, lse, delta, dqkv });
    run(version.backwardKV, { qkv, dout, lse, delta, dqkv });
    graph.output(out, lse, dqkv);
    return { name, out, lse, dqkv };
  });
  const program = await graph.compile();
  try {
    program.run();
    const results: Results[] = [];
    for (const { name, out, lse, dqkv } of found) {
      const read = async (tensor: Tensor): Promise<readonly number[]> => Array.from(await program.read(tensor), Number);
      const result = { out: await read(out), lse: await read(lse), dqkv: await read(dqkv) };
      // Scores to about 1e-6 make probabilities to about 1e-6; sums of them are better.
      expectClose(`${name}: out`, result.out, expected.out.data, 2e-6);
      expectClose(`${name}: dqkv`, result.dqkv, gradient, 2e-6);
      // A row that may attend to nothing has no log-sum-exp to compare.
      const open = (_: number, i: number): boolean => !Number.isNaN(expected.lse.data[i]);
      expectClose(`${name}: lse`, result.lse.filter(open), expected.lse.data.filter(open), 2e-6);
      results.push(result);
    }
    return results;
  } finally {
    program.dispose();
  }
}

/** Each version of the kernels, whatever the device: a software adapter runs those for GPUs as well. */
function everyVersion(stated: Stated): KernelTest {
  const test = caseOf(stated);
  return {
    name: `every version ${nameOf(stated)}`,
    run: async (engine) => {
      const { software, subgroups } = engine.traits;
      const devices = {
        ...DEVICES,
        ...(subgroups ? { shuffle: { software: true, subgroups } } : {}),
        // Which lavapipe, of 8 lanes, would compile for ten seconds each.
        ...(software && subgroups && subgroups.max > 4
          ? {}
          : { head: { software: true, subgroups: { min: 4, max: 4 } } }),
      };
      const versions = Object.entries(devices).map(([name, traits]) => ({
        name,
        ...planAttention(planShape(test), traits),
      }));
      await runVersions(engine, test, versions);
    },
  };
}

function planShape({ b, n, heads, d, keyMask, bias }: Case): AttentionShape {
  return { b, n, heads, d, mask: keyMask !== undefined, bias: bias !== undefined };
}

/** Each way in which a GPU of so many registers may lay out its tiles, beside the first: it gives the same bits. */
function everyTile(stated: Stated, registers?: number): readonly KernelTest[] {
  const test = caseOf(stated);
  const plan = planAttention(planShape(test), { software: false, ...(registers ? { registers } : {}) });
  const variant = (dispatch: AttentionDispatch, index: number): AttentionVariant =>
    [dispatch, ...dispatch.others][index] ?? dispatch;
  const versions = Array.from({ length: 6 }, (_, index) => ({
    name: `tile ${index}`,
    forward: variant(plan.forward, index),
    backwardQ: variant(plan.backwardQ, index),
    backwardKV: variant(plan.backwardKV, index),
  }));
  const [first, ...others] = versions as [Version, ...Version[]];
  return others.map((version) => ({
    name: [version.name, nameOf(stated), registers && `${registers} registers`].filter(Boolean).join(', '),
    run: async (engine) => {
      const [wanted, found] = await runVersions(engine, test, [first, version]);
      for (const name of ['out', 'lse', 'dqkv'] as const) {
        const at = found?.[name].findIndex((value, i) => !Object.is(value, wanted?.[name][i]));
        if (at !== -1) throw new Error(`${version.name}: ${name} has other bits than the first tile's at ${at}`);
      }
    },
  }));
}

// d of no multiple of four (plain kernels), and of part of a tile.
const SHAPES: readonly Stated[] = [
  { shape: [1, 1, 1, 1] },
  { shape: [2, 3, 3, 3], mask: 'some' },
  { shape: [3, 17, 3, 12], mask: 'some', bias: [3, 3] },
];

// Sequences below, at and above a block; d of one vec4.
const MORE_SHAPES: readonly Stated[] = [
  { shape: [3, 1, 5, 4] },
  { shape: [2, 33, 1, 16], bias: [1, 1] },
  { shape: [2, 5, 3, 20], bias: [2, 1] },
  { shape: [2, 17, 5, 60], mask: 'some', bias: [1, 5] },
  { shape: [2, 65, 3, 64] },
  { shape: [1, 9, 1, 128] },
  { shape: [1, 17, 3, 8], mask: 'none' },
  { shape: [2, 33, 1, 80], mask: 'some', bias: [2, 1] },
  { shape: [2, 65, 1, 32], mask: 'some' },
  { shape: [1, 3, 2, 256] },
  // Many tiles.
  { shape: [1, 300, 1, 32] },
];

// Heads of few channels, with few registers and with many: a software adapter takes minutes to compile tiles of wide ones.
const TILED: readonly (readonly [Stated, registers?: number])[] = [
  [{ shape: [2, 17, 2, 16], mask: 'some', bias: [1, 2] }, 64],
  [{ shape: [3, 13, 4, 16], bias: [3, 4] }],
];

const HALF_SHAPE: Stated = { shape: [3, 17, 3, 12], mask: 'some', bias: [3, 3] };
const MORE_HALF_SHAPES: readonly Stated[] = [{ shape: [2, 3, 3, 3] }, { shape: [2, 65, 3, 64] }];

export default suite('attention', [
  ...SHAPES.map((stated) => throughTape(stated)),
  throughTape(HALF_SHAPE, true),
  ...SHAPES.map(everyVersion),
  ...TILED.flatMap(([stated, registers]) => everyTile(stated, registers)).slice(0, 1),
  ...thorough([
    ...MORE_SHAPES.map((stated) => throughTape(stated)),
    ...MORE_HALF_SHAPES.map((stated) => throughTape(stated, true)),
    ...MORE_SHAPES.map(everyVersion),
    ...TILED.flatMap(([stated, registers]) => everyTile(stated, registers)).slice(1),
    ...everyTile({ shape: [2, 65, 3, 64] }).slice(0, 1),
  ]),
  refusalTest('a width that heads do not divide', 'does not divide', (graph) =>
    attention(graph.input('qkv', [2, 3, 16]), 3),
  ),
  refusalTest('a mask of another length', 'keyMask', (graph) =>
    attention(graph.input('qkv', [2, 3, 12]), 2, { keyMask: graph.input('keyMask', [2, 4], 'u32') }),
  ),
  refusalTest('a bias of another batch', 'bias', (graph) =>
    attention(graph.input('qkv', [3, 5, 12]), 2, { bias: graph.input('bias', [2, 1, 5, 5]) }),
  ),
]);
