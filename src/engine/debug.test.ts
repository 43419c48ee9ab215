import { describe, expect, it, vi } from 'vitest';
import type { DebugMode, EngineOptions } from '../gpu/gpuEngine';
import type { ParamValues } from '../gpu/expression';
import type { Kernel } from '../gpu/shader';
import { Conv2d, MaxPool2d } from '../nn/convolution';
import { Embedding } from '../nn/embedding';
import { Block } from '../nn/layers';
import { Linear } from '../nn/linear';
import { Module } from '../nn/module';
import { MultiheadAttention } from '../nn/multiheadAttention';
import { BatchNorm2d, GroupNorm, LayerNorm } from '../nn/norms';
import { Dropout, Sequential } from '../nn/sequential';
import { add } from '../ops/add';
import { attention } from '../ops/attention';
import { crossEntropy } from '../ops/crossEntropy';
import { gelu } from '../ops/gelu';
import { transpose } from '../ops/permute';
import { mean } from '../ops/reduce';
import { flatten } from '../ops/reshape';
import { softmax } from '../ops/softmax';
import { relu } from '../ops/relu';
import { AdamW } from '../optim/adamw';
import { addInPlace } from '../tensor/accumulate';
import { compareKernels } from '../tensor/kernelComparison';
import { testEngine } from '../testing/testEngine';
import type { Precision, Tensor } from '../tensor/tensor';
import type { CompiledProgram } from './compiledProgram';
import { Engine } from './engine';
import { f32, u32 } from './inputs';

/** On the device that tests share. */
async function openWith(options: EngineOptions): Promise<Engine> {
  const { device, info, wait } = await testEngine();
  return Engine.borrow(device, { info, wait, ...options });
}

/** Numbers between −1 and 1. */
const numbers = (length: number, seed: number): Float32Array =>
  Float32Array.from({ length }, (_, i) => Math.sin(12.9898 * (i + 1) * seed));
const indices = (length: number, count: number): Uint32Array => Uint32Array.from({ length }, (_, i) => (7 * i) % count);

/** A step of a training, and what a run of it is given. */
interface Step {
  readonly program: CompiledProgram;
  readonly run: (seed: number) => Promise<void>;
}

/** Convolutions, and biases before norms, whose gradients are 0 but for rounding. */
async function digits(engine: Engine, debug: DebugMode): Promise<Step> {
  const model = engine.init(
    new Sequential(
      ...[new Conv2d(1, 8, 3, { padding: 1 }), new BatchNorm2d(8), relu, new MaxPool2d(2)],
      ...[new Conv2d(8, 16, 3, { padding: 1 }), new GroupNorm(4, 16), gelu],
      ...[(x: Tensor) => flatten(x, 1), new Linear(16 * 7 * 7, 132), new LayerNorm(132), new Linear(132, 10)],
    ),
  );
  const adam = new AdamW(model, { learningRate: 1e-2, clipNorm: 1 });
  const inputs = { images: f32(16, 1, 14, 14), labels: u32(16) };
  const program = await engine.compile(
    inputs,
    ({ images, labels }) => adam.minimize(crossEntropy(model.forward(images), labels)),
    { debug },
  );
  return { program, run: (seed) => program.run({ images: numbers(16 * 196, seed), labels: indices(16, 10) }) };
}

const [BATCH, LENGTH, DIM, LETTERS] = [4, 33, 32, 20];

/** Attention of both kinds, and dropout. */
class Writer extends Module {
  readonly letters = new Embedding(LETTERS, DIM);
  readonly attend = new MultiheadAttention(DIM, 4);
  readonly dropout = new Dropout(0.2);
  readonly block = new Block(DIM, 2);
  readonly norm = new LayerNorm(DIM);
  readonly head = new Linear(DIM, LETTERS);

  forward(letters: Tensor<'u32'>): Tensor {
    const x = this.letters.forward(letters);
    const attended = add(x, this.dropout.forward(this.attend.forward(x, { causal: true })));
    return this.head.forward(this.norm.forward(this.block.forward(attended, { recompute: true })));
  }
}

async function writing(engine: Engine, debug: DebugMode, precision: Precision): Promise<Step> {
  const model = engine.init(new Writer(), { precision });
  const adam = new AdamW(model, { learningRate: 1e-2 });
  const program = await engine.compile(
    { letters: u32(BATCH, LENGTH) },
    ({ letters }) =>
      adam.minimize(
        crossEntropy(model.forward(letters).reshape([BATCH * LENGTH, LETTERS]), letters.reshape([BATCH * LENGTH])),
      ),
    { debug, precision },
  );
  return {
    program,
    run: (seed) => program.run({ letters: indices(BATCH * LENGTH, LETTERS).map((i) => (i * seed) % LETTERS) }),
  };
}

const KINDS: readonly (readonly [string, boolean])[] = [
  ["a GPU's kernels", false],
  ["a software adapter's kernels", true],
];
const STEPS: readonly (readonly [string, (engine: Engine, debug: DebugMode) => Promise<Step>])[] = [
  ['a classifier', digits],
  ['a transformer', (engine, debug) => writing(engine, debug, 'f32')],
  ['a transformer in f16', (engine, debug) => writing(engine, debug, 'f16')],
];

describe.each(KINDS)('%s that are right', (_, software) => {
  for (const [name, compile] of STEPS) {
    const isHalf = name.endsWith('f16');
    // Software adapters compile theirs for f16 for a minute.
    it(`differ nowhere: ${name}`, { tags: isHalf && software ? ['thorough'] : [] }, async ({ skip }) => {
      const engine = await openWith({ software });
      skip(isHalf && !engine.hasHalf, 'this adapter has no f16');
      const finite = await compile(engine, true);
      const both = await compile(engine, compareKernels());
      expect(both.program.statistics.dispatches).toBeGreaterThan(finite.program.statistics.dispatches);
      for (const seed of [1, 2, 3]) await both.run(seed);
      engine.dispose();
    });
  }
});

/** Has an engine run other code in a kernel's place, where its parameters are such. */
function spoil(
  engine: Engine,
  name: string,
  [from, to]: readonly [string, string],
  isMeant: (params: ParamValues) => boolean = () => true,
): void {
  const compiled = engine.kernel.bind(engine);
  const spoilt = new Map<Kernel, Kernel>();
  vi.spyOn(engine, 'kernel').mockImplementation((kernel, params) => {
    if (kernel.name !== name || !isMeant(params)) return compiled(kernel, params);
    const wrong = spoilt.get(kernel) ?? {
      ...kernel,
      specialize: (values) => {
        const right = kernel.specialize(values);
        if (!right.code.includes(from)) throw new Error(`${name} has no ${from}`);
        return { ...right, code: right.code.replaceAll(from, to) };
      },
    };
    spoilt.set(kernel, wrong);
    return compiled(wrong, params);
  });
}

describe('a fast kernel that is wrong', () => {
  const TILE = ['q < 4; q++', 'q < 3; q++'] as const;
  const inputs = { x: { ...f32(33, 40), requiresGrad: true } };
  const x = numbers(33 * 40, 1);

  it('is found on the way forward, in the run where it shows, and not what comes after it', async () => {
    const engine = await openWith({ software: false });
    spoil(engine, 'matmulTile', TILE, ({ BIAS }) => BIAS === true);
    const layers = engine.init(
      new Sequential(new Linear(40, 24, { bias: false }), relu, new Linear(24, 7), gelu, new Linear(7, 5)),
    );
    const program = await engine.compile(inputs, ({ x }) => layers.forward(x), { debug: compareKernels() });
    await program.run({ x: new Float32Array(x.length) });
    await expect(program.run({ x })).rejects.toMatchObject({
      code: 'wrong-kernel',
      message: expect.stringMatching(
        new RegExp(
          "^Run 2: 'linear' \\[33, 7\\], of matmul nt 33×7×24, is the first tensor that differs from what the reference " +
            'kernels make of the same operands: at \\[0, \\d\\] matmulTile [BMNT =\\d]+ wrote -?\\d+\\.\\d+, matmulPlain ' +
            'wrote -?\\d+\\.\\d+\\. Of its numbers \\d+ differ by more than the [\\d.e-]+ of rounding\\. ',
        ),
      ) as string,
    });
    await program.run({ x: new Float32Array(x.length) });
    await expect(program.run({ x })).rejects.toThrow("Run 4: 'linear' [33, 7]");
    engine.dispose();
  });

  it('is found on the way back, by the operation', async () => {
    const engine = await openWith({ software: false });
    spoil(engine, 'layerNormCellsBackward', ['cellTotal(products)', '(cellTotal(products) + 1)']);
    const layers = engine.init(new Sequential(new Linear(40, 24), new LayerNorm(24), gelu));
    const adam = new AdamW(layers, { learningRate: 1e-3 });
    const program = await engine.compile(inputs, ({ x }) => adam.minimize(mean(layers.forward(x))), {
      debug: compareKernels(),
    });
    await expect(program.run({ x })).rejects.toThrow("Run 1: 'd linear' [33, 24], of layerNorm backward, is the first");
    engine.dispose();
  });

  it("is found in a parameter's gradient, by its name", async () => {
    const engine = await openWith({ software: false });
    spoil(engine, 'matmulTile', TILE, ({ TRANS_A }) => TRANS_A === true);
    const layers = engine.init(new Sequential(new Linear(40, 24), gelu, new Linear(24, 7)));
    const adam = new AdamW(layers, { learningRate: 1e-3 });
    const program = await engine.compile(inputs, ({ x }) => adam.minimize(mean(layers.forward(x))), {
      debug: compareKernels(),
    });
    await expect(program.run({ x })).rejects.toThrow("Run 1: 'd 2.weight' [7, 24], of matmul tn 7×24×33, is the first");
    engine.dispose();
  });

  it('is found in f16, where it is right in f32', async ({ skip }) => {
    const engine = await openWith({ software: false });
    skip(!engine.hasHalf, 'this adapter has no f16');
    spoil(engine, 'attentionForward', ['sizes.scale', '(sizes.scale * 4)'], ({ HALF }) => HALF === true);
    for (const precision of ['f32', 'f16'] as const) {
      const program = await engine.compile(
        { x: f32(3, 11, 120) },
        ({ x }, graph) => {
          const qkv = graph.empty('qkv', x.shape, precision);
          addInPlace(graph, qkv, x, false);
          return attention(qkv, 2);
        },
        { debug: compareKernels() },
      );
      const outcome = program.run({ x: numbers(3 * 11 * 120, 1) });
      if (precision === 'f32') await outcome;
      else await expect(outcome).rejects.toThrow("Run 1: 'attention' [3, 11, 40], of attention, is the first");
    }
    engine.dispose();
  });

  it('is found where it makes what is not finite of what is', async () => {
    const engine = await openWith({ software: false });
    spoil(engine, 'softmaxForward', ['exp(', 'exp(1e3 + '], ({ LANES }) => Number(LANES) > 1);
    const program = await engine.compile(inputs, ({ x }) => softmax(x), { debug: compareKernels() });
    await expect(program.run({ x })).rejects.toThrow(
      /'softmax' .* LANES=4 wrote NaN, softmaxForward LANES=1 wrote 0\./,
    );
    engine.dispose();
  });

  it('is found where it moves whole numbers', async () => {
    const engine = await openWith({ software: false });
    spoil(engine, 'transpose', ['local / 32', 'local / 32 * 2']);
    const program = await engine.compile({ x: u32(40, 33) }, ({ x }) => transpose(x, 0, 1), {
      debug: compareKernels(),
    });
    await expect(program.run({ x: indices(1320, 1320) })).rejects.toThrow(
      /of copy.* wrote \d+, stridedCopy .*wrote \d+\./,
    );
    engine.dispose();
  });
});

it('an engine says what memory it has in use', async () => {
  const engine = await openWith({ budget: 2 ** 20 });
  expect(engine.memory).toEqual({ bytes: 0, peakBytes: 0, budget: 2 ** 20 });
  const layer = engine.init(new Linear(64, 64, { bias: false }));
  expect(engine.memory.bytes).toBe(2 * 64 * 64 * 4); // with its gradient
  engine.release(layer);
  expect(engine.memory).toEqual({ bytes: 0, peakBytes: 2 * 64 * 64 * 4, budget: 2 ** 20 });
  engine.dispose();
});

describe('a program that is not debugged, or never compiled', () => {
  it('has nothing of it', async () => {
    const engine = await openWith({});
    const layer = engine.init(new Linear(40, 7));
    const before = engine.memory.bytes;
    const body = ({ x }: { readonly x: Tensor }): Tensor => layer.forward(x);
    const recorded = engine.record({ x: f32(3, 40) }, body, { debug: compareKernels() });
    expect([engine.record({ x: f32(3, 40) }, body).statistics.dispatches, engine.memory.bytes]).toEqual([1, before]);
    expect(recorded.statistics.dispatches).toBeGreaterThan(5);
    (await recorded.compile()).dispose();
    expect(engine.memory.bytes).toBe(before);
    engine.dispose();
    expect(engine.memory.bytes).toBe(0);
  });
});
