import { moduleOf } from '../../kernels-test/moduleOf';
import type { Reference, References } from '../../kernels-test/allclose';
import type { Engine } from '../../src/engine/engine';
import { Slice } from '../../src/gpu/storage';
import { Block } from '../../src/nn/layers';
import { Module } from '../../src/nn/module';
import { Parameters } from '../../src/nn/parameters';
import { attention } from '../../src/ops/attention';
import { latentMse } from '../../src/ops/latentMse';
import { gelu } from '../../src/ops/gelu';
import { layerNorm } from '../../src/ops/layerNorm';
import { matmul } from '../../src/ops/matmul';
import { softmax } from '../../src/ops/softmax';
import { AdamW, HYPER_VALUES } from '../../src/optim/adamw';
import { Graph } from '../../src/tensor/graph';
import type { TensorProgram } from '../../src/tensor/tensorProgram';
import type { Tensor } from '../../src/tensor/tensor';
import { turned, turnedReference } from './arrange';
import type { ExampleWork } from './examples';
import { prepareExample } from './oursExamples';
import type { PeerEngine, PreparedWork } from './peer';
import type { AdamwWork, MatmulWork, Results, StepWork, Work } from './rows';
import { ADAMW, CHECKED_STEPS, LEARNING_RATE, weightNames } from './step.reference';

/** Times over that one program does a small work; whoever has much of it records it into one program. */
const MOST_REPEATS = 16;
/** What such a program may read and write, so that it runs on WebGPU's default limits. */
const MOST_BYTES = 2 ** 27;

/** This project's engine, which stays its owner's. */
export function startOurs(engine: Engine): PeerEngine {
  return {
    name: 'palimpsest',
    prepare: async (work, inputs) => {
      switch (work.kind) {
        case 'adamw':
          return prepareAdamw(engine, work, inputs);
        case 'step':
          return prepareStep(engine, work, inputs);
        case 'example':
          return prepareExample(engine, work, inputs);
        default:
          return prepareOperation(engine, work, inputs);
      }
    },
    dispose: () => undefined,
  };
}

type Operation = Exclude<Work, AdamwWork | StepWork | ExampleWork>;

/** Inputs as this engine keeps them, and how a result becomes what the reference gives. */
interface Arrangement {
  readonly inputs: References;
  readonly result: (name: string, data: ArrayLike<number>) => ArrayLike<number>;
}

async function prepareOperation(engine: Engine, work: Operation, inputs: References): Promise<PreparedWork> {
  const arrangement = arrange(work, inputs);
  const single = record(engine, work, arrangement.inputs, 1);
  const program = await single.graph.compile();
  const values = Object.values({ ...single.graphInputs, ...single.outputs });
  const bytes = values.reduce((sum, { size }) => sum + size * 4, 0);
  const repeats = Math.max(1, Math.min(MOST_REPEATS, Math.floor(MOST_BYTES / bytes)));
  let many: TensorProgram | undefined;
  return {
    results: async () => {
      program.run();
      const results: Record<string, ArrayLike<number>> = {};
      for (const [name, tensor] of Object.entries(single.outputs)) {
        results[name] = arrangement.result(name, await program.read(tensor));
      }
      return results;
    },
    run: async (repetitions) => {
      if (repeats > 1 && repetitions >= repeats)
        many ??= await record(engine, work, arrangement.inputs, repeats).graph.compile();
      let left = repetitions;
      for (; many && left >= repeats; left -= repeats) many.run();
      for (; left > 0; left--) program.run();
      await engine.settle();
    },
    dispose: () => {
      program.dispose();
      many?.dispose();
    },
  };
}

interface Recorded {
  readonly graph: Graph;
  readonly graphInputs: Readonly<Record<string, Tensor>>;
  readonly outputs: Readonly<Record<string, Tensor>>;
}

/** The work `repeats` times in one program, each time with inputs and outputs of its own; those of the last. */
function record(engine: Engine, work: Operation, inputs: References, repeats: number): Recorded {
  const graph = new Graph(engine);
  let graphInputs: Record<string, Tensor> = {};
  let outputs: Record<string, Tensor> = {};
  const backward = 'backward' in work && work.backward;
  const given = Object.entries(inputs).map(([name, { shape, data }]) => ({
    name,
    shape,
    data: Float32Array.from(data),
  }));
  for (let repeat = 0; repeat < repeats; repeat++) {
    graphInputs = Object.fromEntries(
      given.map(({ name, shape, data }) => [
        name,
        graph.input(name, shape, 'f32', data, backward && !UPSTREAM.has(name)),
      ]),
    );
    outputs = operate(graph, work, graphInputs);
    graph.output(...Object.values(outputs));
  }
  return { graph, graphInputs, outputs };
}

/** Inputs that are gradients of results. */
const UPSTREAM: ReadonlySet<string> = new Set(['dy', 'dOut']);

function operate(graph: Graph, work: Operation, inputs: Readonly<Record<string, Tensor>>): Record<string, Tensor> {
  const input = (name: string): Tensor => inputs[name] as Tensor;
  switch (work.kind) {
    case 'matmul':
      return { c: matmul(input('a'), input('b'), oursLayout(work)) };
    case 'attention': {
      const out = attention(input('qkv'), work.heads);
      if (!work.backward) return { out };
      graph.backward(out, input('dOut'));
      return { out, dqkv: graph.gradientOf(input('qkv')) };
    }
    default: {
      const y =
        work.kind === 'layerNorm'
          ? layerNorm(input('x'), input('gamma'), input('beta'))
          : { softmax, gelu }[work.kind](input('x'));
      if (!work.backward) return { y };
      graph.backward(y, input('dy'));
      const leaves = Object.entries(inputs).filter(([name]) => !UPSTREAM.has(name));
      return { y, ...Object.fromEntries(leaves.map(([name, leaf]) => [`d${name}`, graph.gradientOf(leaf)])) };
    }
  }
}

/** Weights lie [outputs, inputs]: x·W is nt, the gradient of x is nn, and that of W comes as dyᵀ·x. */
function oursLayout({ layout, linear }: MatmulWork): MatmulWork['layout'] {
  return linear ? ({ nn: 'nt', nt: 'nn', tn: 'tn' } as const)[layout] : layout;
}

function arrange(work: Operation, inputs: References): Arrangement {
  const unchanged: Arrangement = { inputs, result: (_, data) => data };
  if (work.kind !== 'matmul' || !work.linear) return unchanged;
  const { a, b } = inputs as { a: Reference; b: Reference };
  if (work.layout === 'tn') return { inputs: { a: b, b: a }, result: (_, data) => turned(data, [work.n, work.m]) };
  const weight = turnedReference(b);
  return { ...unchanged, inputs: { a, b: { shape: weight.shape, data: Float64Array.from(weight.data) } } };
}

async function prepareAdamw(engine: Engine, { count }: AdamwWork, inputs: References): Promise<PreparedWork> {
  const { weight, gradient } = inputs as { weight: Reference; gradient: Reference };
  const specs = [{ name: 'weight', shape: weight.shape, initialize: () => new Float32Array(count) }];
  const parameters = new Parameters(engine, 'peers', moduleOf(specs));
  parameters.write('weight', Float32Array.from(weight.data));
  for (const { gradients, size } of parameters.arenas)
    engine.write(new Slice(gradients, 0, size), Float32Array.from(gradient.data));
  const optimizer = new AdamW(parameters, ADAMW);
  const graph = new Graph(engine);
  const hyper = graph.input('hyper', [8], 'f32', optimizer.hyper(LEARNING_RATE, 1));
  optimizer.record(graph, hyper, graph.input('norm', [2], 'f32', Float32Array.of(1, 1)));
  const program = await graph.compile();
  return {
    results: async () => {
      program.run();
      return { weight: await program.read(parameters.get('weight')) };
    },
    run: async (repetitions) => {
      for (let i = 0; i < repetitions; i++) program.run();
      await engine.settle();
    },
    dispose: () => {
      program.dispose();
      optimizer.dispose();
      parameters.dispose();
    },
  };
}

class Blocks extends Module {
  readonly blocks: readonly Block[];

  constructor(depth: number, dim: number, heads: number) {
    super();
    this.blocks = Array.from({ length: depth }, () => new Block(dim, heads));
  }
}

async function prepareStep(engine: Engine, { dim, heads, depth }: StepWork, inputs: References): Promise<PreparedWork> {
  const net = new Blocks(depth, dim, heads);
  const parameters = new Parameters(engine, 'peers', net);
  for (const name of weightNames(inputs)) parameters.write(name, Float32Array.from((inputs[name] as Reference).data));
  const optimizer = new AdamW(parameters, ADAMW);
  const graph = new Graph(engine);
  const fixed = (name: string): Tensor => {
    const { shape, data } = inputs[name] as Reference;
    return graph.input(name, shape, 'f32', Float32Array.from(data));
  };
  const x = net.blocks.reduce((given, block) => block.forward(given), fixed('x'));
  const loss = latentMse(x, fixed('target'), 1);
  graph.backward(loss);
  const hyper = graph.input('hyper', [HYPER_VALUES]);
  optimizer.record(graph, hyper, graph.input('norm', [2], 'f32', Float32Array.of(1, 1)));
  graph.output(loss);
  const program = await graph.compile();
  let done = 0;
  const step = (): void => {
    program.write(hyper, optimizer.hyper(LEARNING_RATE, ++done));
    program.run();
  };
  return {
    results: async (): Promise<Results> => {
      const losses: number[] = [];
      for (let i = 0; i < CHECKED_STEPS; i++) {
        step();
        losses.push((await program.read(loss))[0] as number);
      }
      return { losses };
    },
    run: async (repetitions) => {
      for (let i = 0; i < repetitions; i++) step();
      await engine.settle();
    },
    dispose: () => {
      program.dispose();
      optimizer.dispose();
      parameters.dispose();
    },
  };
}
