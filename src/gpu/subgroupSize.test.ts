import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Engine } from '../engine/engine';
import { matmul } from '../ops/matmul';
import { planMatmul } from '../ops/matmulPlan';
import { f32 } from '../engine/inputs';
import { testEngine } from '../testing/testEngine';
import { kernelsOf } from './shader';
import { inSubgroupsOf, narrowLanesOf, SIZE_FEATURE } from './subgroupSize';

const info = (vendor: string, subgroupMinSize: number, subgroupMaxSize: number) =>
  ({ vendor, subgroupMinSize, subgroupMaxSize }) as GPUAdapterInfo;

describe('narrow subgroups', () => {
  it.each([
    ['an Arc', 'intel', 8, 32, 8],
    ['an Intel GPU that has one size', 'intel', 16, 16, undefined],
    ['an AMD GPU', 'amd', 32, 64, undefined],
  ])('%s', (_, vendor, min, max, lanes) => {
    expect(narrowLanesOf(new Set([SIZE_FEATURE]), info(vendor, min, max))).toBe(lanes);
  });

  it('are no choice without the feature', () => {
    expect(narrowLanesOf(new Set<string>(), info('intel', 8, 32))).toBeUndefined();
  });

  it('are those of kernels that ask for them', () => {
    const text = '//#kernel wide\n@compute fn main() {}\n//#kernel narrow\n//#narrow\n@compute fn main() {}';
    const { wide, narrow } = kernelsOf('test', text, ['wide', 'narrow']);
    expect(inSubgroupsOf(8, narrow.specialize({})).code.trim().split('\n')).toEqual([
      'enable subgroup_size_control;',
      '',
      '//#narrow',
      '@compute @subgroup_size(8) fn main() {}',
    ]);
    for (const [kernel, lanes] of [
      [narrow, undefined],
      [wide, 8],
    ] as const) {
      const specialized = kernel.specialize({});
      expect(inSubgroupsOf(lanes, specialized)).toBe(specialized);
    }
  });

  it('leave out tiles that do not fit into their registers', () => {
    const results = (layout: 'nn' | 'tn', narrowLanes?: number): number[] => {
      const device = { software: false, ...(narrowLanes === undefined ? {} : { narrowLanes }) };
      const { others } = planMatmul({ layout, m: 1024, n: 1024, k: 1024 }, device);
      return others.map(({ params }) => Number(params['TM']) * Number(params['TN']));
    };
    expect(results('tn')).toContain(64);
    expect(results('tn', 8)).not.toContain(64);
    expect(results('nn', 8)).toContain(64);
  });
});

describe('a product in narrow subgroups', () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await testEngine();
  });
  afterAll(() => engine.dispose());

  async function product(subgroups: GPUAdapterInfo): Promise<Float32Array> {
    const narrow = Engine.borrow(engine.device, { info: subgroups, wait: engine.wait, software: false });
    try {
      const x = Float32Array.from({ length: 33 * 40 }, (_, i) => Math.fround(((i * 37) % 101) / 50 - 1));
      const program = await narrow.compile({ x: f32(33, 40), w: f32(40, 24) }, ({ x: a, w }) => ({ y: matmul(a, w) }));
      await program.run({ x, w: x.subarray(0, 40 * 24) });
      return await program.outputs.y.data();
    } finally {
      narrow.dispose();
    }
  }

  it('has the bits that it has in others', async ({ skip }) => {
    skip(!engine.device.features.has(SIZE_FEATURE), 'this adapter has no subgroup-size-control');
    const { subgroupMinSize: lanes } = engine.info;
    const narrow = await product(info('intel', lanes, 2 * lanes));
    expect(narrow).toEqual(await product(info('other', lanes, 2 * lanes)));
    expect(narrow.some((value) => value !== 0)).toBe(true);
  });
});
