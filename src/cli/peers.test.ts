import { mkdtempSync, mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { packHeads, unpackHeads } from '../../bench/peers/arrange';
import {
  EXAMPLE_STEPS,
  exampleInputs,
  exampleWeights,
  rateOf,
  recipeOf,
  type ExampleWork,
} from '../../bench/peers/examples';
import { exampleGradients, exampleResults } from '../../bench/peers/examples.reference';
import { onnxModel } from '../../bench/peers/onnxModel';
import type { PeerEngine } from '../../bench/peers/peer';
import { checkerOf, inputsOf, PEER_ROWS, RATE_ROW, type PeerRow } from '../../bench/peers/rows';
import { hasFailed, runPeers, type PeerCell, type PeerResult } from '../../bench/peers/runPeers';
import { isDecayed, lossAndGradients, stepInputs, stepLosses, weightNames } from '../../bench/peers/step.reference';
import { failureLines, isAhead, peerCells, readyLine, summaryLines } from '../../bench/peers/formatPeers';
import { random, type Reference } from '../../kernels-test/allclose';
import { findPackages } from './peers';

const TINY = { dim: 6, heads: 2, depth: 2, batch: 2, tokens: 3 };

describe('the reference of the training step', () => {
  it('has gradients that central differences confirm, of every weight', () => {
    const inputs = stepInputs(TINY);
    const { gradients } = lossAndGradients(TINY, inputs, { backward: true });
    const h = 1e-5;
    for (const name of weightNames(inputs)) {
      const { shape, data } = inputs[name] as Reference;
      const gradient = (gradients?.[name] as Reference).data;
      expect(gradient.length).toBe(data.length);
      for (let i = 0; i < data.length; i += Math.ceil(data.length / 5)) {
        const lossAt = (by: number): number => {
          const shifted = data.slice();
          shifted[i] = (shifted[i] as number) + by;
          return lossAndGradients(TINY, { ...inputs, [name]: { shape, data: shifted } }, { backward: false }).loss;
        };
        const measured = (lossAt(h) - lossAt(-h)) / (2 * h);
        expect(Math.abs(measured - (gradient[i] as number)), `${name}[${i}]`).toBeLessThan(
          1e-8 + 1e-6 * Math.abs(measured),
        );
      }
    }
  });

  it('trains: the losses fall, and leave the given weights as they were', () => {
    const inputs = stepInputs(TINY);
    const losses = Array.from(stepLosses(TINY, inputs).data);
    expect(losses[0]).toBe(lossAndGradients(TINY, inputs, { backward: false }).loss);
    expect(losses).toEqual(losses.toSorted((a, b) => b - a));
    expect(new Set(losses).size).toBe(losses.length);
    expect(inputs).toEqual(stepInputs(TINY));
  });

  it('decays matrices only', () => {
    expect([isDecayed([4, 4]), isDecayed([4])]).toEqual([true, false]);
  });
});

describe.each(['shapeClassifier', 'characters'] as const)('the reference of examples/%s', (example) => {
  const work: ExampleWork = { kind: 'example', example };
  const inputs = exampleInputs(work);

  it('has gradients that a central difference along all weights at once confirms', () => {
    const { gradients } = exampleGradients(work, inputs);
    const names = exampleWeights(inputs);
    // Small enough that hardly any maximum or sign changes between the two, whose kinks the difference would see.
    const h = 1e-6;
    const directions = names.map((name, index) => random((inputs[name] as Reference).shape, 50 + index));
    const lossAt = (by: number): number => {
      const shifted = names.map((name, index) => {
        const { shape, data } = inputs[name] as Reference;
        return [
          name,
          { shape, data: data.map((value, i) => value + by * (directions[index]?.data[i] as number)) },
        ] as const;
      });
      return exampleGradients(work, { ...inputs, ...Object.fromEntries(shifted) }).loss;
    };
    const slopes = names.map((name, index) =>
      (gradients[name] as Reference).data.reduce((sum, g, i) => sum + g * (directions[index]?.data[i] as number), 0),
    );
    const slope = slopes.reduce((sum, one) => sum + one, 0);
    expect(Math.abs((lossAt(h) - lossAt(-h)) / (2 * h) - slope)).toBeLessThan(1e-6 * Math.abs(slope) + 1e-8);
  });

  it('begins as the example does, and has a decay that the check of weights sees', () => {
    const { losses, ...weights } = exampleResults(work, inputs, 1);
    expect(losses?.data[0]).toBe(exampleGradients(work, inputs).loss);
    expect(inputs).toEqual(exampleInputs(work));
    // The learning rate begins at 0.
    for (const [name, { data }] of Object.entries(weights)) expect(data).toEqual(inputs[name]?.data);
    const rates = Array.from({ length: EXAMPLE_STEPS }, (_, i) => rateOf(work, i + 1));
    expect(recipeOf(work).weightDecay * rates.reduce((sum, rate) => sum + rate, 0)).toBeGreaterThan(2e-4);
  });
});

describe('rows', () => {
  it('have names of their own, and one is the rate that the step is compared with', () => {
    const names = PEER_ROWS.map(({ work, name }) => `${work.kind} ${name}`);
    expect(new Set(names).size).toBe(names.length);
    expect(PEER_ROWS.filter(({ name }) => name === RATE_ROW)).toHaveLength(1);
  });

  it.each(['nn', 'nt', 'tn'] as const)('find one wrong element in a product, %s', (layout) => {
    const work = { kind: 'matmul', layout, m: 17, n: 33, k: 5, linear: false } as const;
    const inputs = inputsOf(work);
    const [a, b] = [inputs['a'] as Reference, inputs['b'] as Reference];
    const at = (row: number, column: number): number => {
      let sum = 0;
      for (let i = 0; i < work.k; i++) {
        const x = a.data[layout === 'tn' ? i * work.m + row : row * work.k + i] as number;
        sum += x * (b.data[layout === 'nt' ? column * work.k + i : i * work.n + column] as number);
      }
      return sum;
    };
    const c = Float32Array.from({ length: work.m * work.n }, (_, i) => at(Math.floor(i / work.n), i % work.n));
    const check = checkerOf(work, inputs);
    check({ c });
    c[100] = (c[100] as number) + 0.01;
    expect(() => check({ c })).toThrow('c: relative error');
    expect(() => check({ c: c.subarray(1) })).toThrow('560 elements, not 561');
    expect(() => check({})).toThrow('no result c');
  });
});

describe('heads', () => {
  const work = { kind: 'attention', batch: 2, tokens: 3, heads: 2, channels: 2, backward: false } as const;
  const packed = Float32Array.from({ length: 2 * 3 * 3 * 2 * 2 }, (_, i) => i);

  it.each(['inside', 'outside'] as const)('are unpacked and packed again, tokens %s of them', (order) => {
    const split = unpackHeads(packed, 3, work, order);
    expect(packHeads(split, work, order)).toEqual(packed);
    // Batch 1, token 2, value, head 1, channel 0.
    const place = order === 'outside' ? ((1 * 2 + 1) * 3 + 2) * 2 : ((1 * 3 + 2) * 2 + 1) * 2;
    expect(split[2]?.[place]).toBe((((1 * 3 + 2) * 3 + 2) * 2 + 1) * 2);
  });
});

describe('an ONNX model', () => {
  it('is written as protocol buffers', () => {
    const model = onnxModel([{ op: 'Gelu', inputs: ['x'], outputs: ['y'] }], { x: [300] }, { y: [300] });
    // ir_version 9; graph; the node: input "x", output "y", op_type "Gelu"; … an extent of 300 as a varint.
    expect([...model.slice(0, 2)]).toEqual([8, 9]);
    const text = Buffer.from(model).toString('latin1');
    expect(text).toContain('\x0a\x0c\x0a\x01x\x12\x01y\x22\x04Gelu');
    expect(text).toContain('\x0a\x03\x08\xac\x02');
  });
});

/** An engine whose work takes some time, and is right or not. */
function fakeEngine(name: string, milliseconds: number, value: number, log: string[] = []): PeerEngine {
  return {
    name,
    prepare: async () => ({
      results: async () => ({ weight: new Float32Array(64).fill(value) }),
      run: async (repetitions) => {
        log.push(name);
        const end = performance.now() + milliseconds * repetitions;
        while (performance.now() < end);
      },
      dispose: () => void log.push(`${name} disposed`),
    }),
    dispose: () => undefined,
  };
}

describe('the runner', () => {
  const row: PeerRow = { name: 'fake', work: { kind: 'adamw', count: 64 }, flops: 1 };
  const inputs = inputsOf(row.work);
  const right: PeerEngine = {
    ...fakeEngine('exact', 30, 0),
    prepare: async () => {
      const weight = (inputs['weight'] as Reference).data.slice();
      const gradient = (inputs['gradient'] as Reference).data;
      // The first step of AdamW moves each weight by the learning rate, against its gradient, after decay.
      const moved = weight.map((value, i) => value * (1 - 5e-5) - 1e-4 * Math.sign(gradient[i] as number));
      const prepared = await fakeEngine('exact', 30, 0).prepare(row.work, inputs);
      return prepared && { ...prepared, results: async () => ({ weight: moved }) };
    },
  };

  async function only(engines: readonly PeerEngine[]): Promise<PeerResult> {
    for await (const result of runPeers(engines, [row])) return result;
    throw new Error('no result');
  }

  it('fails a wrong result instead of timing it', async () => {
    const log: string[] = [];
    const result = await only([right, fakeEngine('wrong', 1, 7, log)]);
    expect(result.cells[0]).toMatchObject({ engine: 'exact', ratio: 1 });
    expect(result.cells[1]).toMatchObject({
      engine: 'wrong',
      failure: expect.stringContaining('weight: relative error') as string,
    });
    expect(log).toEqual(['wrong disposed']);
    expect(hasFailed(result)).toBe(false);
    expect(hasFailed(await only([fakeEngine('wrong', 1, 7), right]))).toBe(true);
    expect(failureLines(result)[0]).toMatch(/^wrong, adamw fake: weight: relative error/);
  });

  it('takes samples in turn, and says how much longer others take', async () => {
    const log: string[] = [];
    const prepare = async (name: string, milliseconds: number): ReturnType<PeerEngine['prepare']> => {
      const exact = await right.prepare(row.work, inputs);
      const timed = await fakeEngine(name, milliseconds, 0, log).prepare(row.work, inputs);
      return exact && timed && { ...timed, results: () => exact.results() };
    };
    const engine = (name: string, milliseconds: number): PeerEngine => ({
      name,
      prepare: () => prepare(name, milliseconds),
      dispose: () => undefined,
    });
    const absent: PeerEngine = { name: 'none', prepare: async () => undefined, dispose: () => undefined };
    const result = await only([engine('ours', 25), engine('slow', 100), absent]);
    const [ours, slow, none] = result.cells as [PeerCell, PeerCell, PeerCell];
    expect(ours).toMatchObject({ engine: 'ours', ratio: 1 });
    expect((slow as { ratio: number }).ratio).toBeGreaterThan(2);
    expect(none).toEqual({ engine: 'none', absent: true });
    const turns = log.filter((entry) => !entry.includes('disposed')).slice(-6);
    expect(turns).toEqual(['ours', 'slow', 'ours', 'slow', 'ours', 'slow']);
    expect(hasFailed(result)).toBe(false);
    expect(JSON.parse(JSON.stringify(result))).toEqual(result);
  });
});

describe('the table', () => {
  const timed = (engine: string, microseconds: number, ratio: number | null): PeerCell => ({
    engine,
    microseconds,
    spread: 0.034,
    ratio,
    ready: 0.5,
  });
  const result = (kernel: string, name: string, flops: number, ...cells: PeerCell[]): PeerResult => ({
    kernel,
    name,
    flops,
    cells,
  });
  const ahead = result('matmul', RATE_ROW, 2e6, timed('ours', 100, 1), timed('a', 250, 2.5), {
    engine: 'b',
    absent: true,
  });
  const behind = result('gelu', 'x', 1e6, timed('ours', 1234.5, 1), timed('a', 1200, 0.972), {
    engine: 'b',
    failure: 'wrong',
  });
  const step = result('step', 'blocks', 1e7, timed('ours', 1000, 1), timed('a', 3000, 3));

  it('shows times, spreads and ratios', () => {
    expect(peerCells(ahead)).toEqual(['100 ± 3 %', '250 ± 3 % 2.50×', '–']);
    expect(peerCells(behind)).toEqual(['1235 ± 3 %', '1200 ± 3 % 0.972×', 'FAILED']);
    expect(peerCells(result('gelu', 'x', 1, { engine: 'ours', failure: 'wrong' }, timed('a', 20, null)))).toEqual([
      'FAILED',
      '20.0 ± 3 % –',
    ]);
  });

  it('shows of training steps how long they took to be ready', () => {
    expect(readyLine(step)).toBe('ours 0.500 s, a 0.500 s');
    expect(readyLine(behind)).toBeUndefined();
  });

  it('marks where ours is not ahead', () => {
    expect(isAhead(ahead)).toBe(true);
    expect(isAhead(behind)).toBe(false);
    expect(isAhead(result('gelu', 'x', 1, timed('ours', 1, 1), timed('a', 1, 1)))).toBe(false);
    expect(isAhead(result('gelu', 'x', 1, { engine: 'ours', failure: 'wrong' }, timed('a', 1, null)))).toBe(false);
  });

  it('sums up, with the rate of the step beside that of our matmul', () => {
    expect(summaryLines([ahead])).toEqual(['ahead of every other engine in all 1 rows']);
    expect(summaryLines([ahead, behind, step])).toEqual([
      'ahead in 2 of 3 rows; not in gelu x',
      `our training step runs at 10.0 GFLOP/s, 50 % of the 20.0 GFLOP/s of ${RATE_ROW}`,
    ]);
    expect(summaryLines([step])[1]).toBe('our training step runs at 10.0 GFLOP/s');
  });
});

describe('the packages of the others', () => {
  it('are named with the command that installs them, where they are missing', async () => {
    const root = mkdtempSync(join(tmpdir(), 'peers-'));
    try {
      mkdirSync(join(root, 'bench', 'peers'), { recursive: true });
      await expect(findPackages(root)).rejects.toMatchObject({
        message: expect.stringContaining('Run `npm ci --ignore-scripts --prefix bench/peers`') as string,
        exitCode: 1,
      });
    } finally {
      rmSync(root, { recursive: true });
    }
  });
});
