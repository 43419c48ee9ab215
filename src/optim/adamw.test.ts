import { moduleOf, type ParameterSpec } from '../../kernels-test/moduleOf';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { random } from '../../kernels-test/allclose';
import { Engine } from '../engine/engine';
import { openEngine, quietWait } from '../node/dawn';
import { Parameters, SEGMENT_BYTES } from '../nn/parameters';
import { Graph } from '../tensor/graph';
import { Parameter } from '../tensor/parameter';
import type { Slice } from '../gpu/storage';
import { AdamW, isDecayed, HYPER_VALUES } from './adamw';
import { gradientNorm } from './gradientNorm';

const SHAPES = [[3], [65, 2], [1, 1, 17], [64], [33]];
const SPECS: ParameterSpec[] = SHAPES.map((shape, index) => ({
  name: `p${index}`,
  shape,
  initialize: () => Float32Array.from(random(shape, index + 1).data),
}));
const OPTIONS = { betas: [0.9, 0.95], eps: 1e-8, weightDecay: 0.05 } as const;

describe('AdamW', () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await openEngine();
  });
  afterAll(() => {
    engine.dispose();
  });

  /** An engine that believes its device to bind no more than `bytes`. */
  function narrowEngine(bytes: number): Engine {
    const limits = new Proxy(engine.device.limits, {
      get: (target, key): unknown => (key === 'maxStorageBufferBindingSize' ? bytes : Reflect.get(target, key, target)),
    });
    const device = new Proxy(engine.device, {
      get: (target, key) => {
        if (key === 'limits') return limits;
        const member: unknown = Reflect.get(target, key, target);
        return typeof member === 'function' ? (member.bind(target) as unknown) : member;
      },
    });
    return Engine.borrow(device, { info: engine.info, wait: quietWait });
  }

  /** Steps on made-up gradients; before step `resumed` the moments are read and written into a new optimizer. */
  async function train(on: Engine, steps: number, resumed?: number): Promise<Map<string, Float32Array>> {
    const parameters = new Parameters(on, 'model', moduleOf(SPECS));
    parameters.initialize(() => ({ uniform: () => 0, normal: () => 0 }));
    let optimizer = new AdamW(parameters, OPTIONS);
    for (let step = 1; step <= steps; step++) {
      if (step === resumed) {
        const moments = await optimizer.read();
        optimizer.dispose();
        optimizer = new AdamW(parameters, OPTIONS);
        optimizer.write(moments);
      }
      for (const [p, shape] of SHAPES.entries()) {
        const parameter = parameters.get(`p${p}`);
        if (!(parameter instanceof Parameter)) throw new Error(`p${p} is not trained`);
        on.write(parameter.grad.storage as Slice, Float32Array.from(random(shape, 10 * step + p).data));
      }
      const graph = new Graph(on);
      const hyper = graph.input('hyper', [HYPER_VALUES]);
      optimizer.record(graph, hyper, gradientNorm(graph, parameters.arenas, 0));
      const program = await graph.compile();
      program.write(hyper, optimizer.hyper(1e-2, step));
      program.run();
      program.dispose();
    }
    const values = new Map([...(await parameters.read()), ...(await optimizer.read())]);
    optimizer.dispose();
    parameters.dispose();
    expect(on.pool.liveBuffers).toBe(0);
    return values;
  }

  it('gives the same bits in one arena and in several', async () => {
    const narrow = narrowEngine(3 * SEGMENT_BYTES);
    const probe = new Parameters(narrow, 'model', moduleOf(SPECS));
    expect(probe.arenas.length).toBeGreaterThan(1);
    probe.dispose();
    const values = await train(engine, 3);
    expect(values.size).toBe(3 * SHAPES.length);
    expect(values.get('p1')).not.toEqual(Float32Array.from(random([65, 2], 2).data));
    expect(await train(narrow, 3)).toEqual(values);
  });

  it('goes on from saved moments as if it had not stopped', async () => {
    expect(await train(engine, 4, 3)).toEqual(await train(engine, 4));
  });

  it('decays what has more than one dimension', () => {
    expect(SHAPES.map((shape) => isDecayed({ shape }))).toEqual([false, true, true, false, false]);
  });
});
