import { describe, expect, it } from 'vitest';
import { random } from '../../kernels-test/allclose';
import { compareBenches } from '../../bench/compareBenches';
import { freeBox, powers, scaleOf } from '../../bench/rooflinePicture';
import { leastSeconds, roof, rowOf, type Ceilings } from '../../bench/roofline';
import { asColumns, asRows, elementsOf, sampleRows, takeColumns, takeRows } from '../../bench/rowSampling';
import { judgeClock, summarize, timeRepeated } from '../../bench/repeatedTiming';
import { FORMAT, parseSaved, type SavedBench } from '../../bench/resultFile';
import { configOf, peerFlops, steps, type StepCase } from '../../bench/step.bench';
import { benchCells, ceilingLines, compareCells, compareLines } from '../../bench/formatResults';
import { stepFlops, stepShape } from '../imae/train/accounting';

const ceiling = (value: number) => ({ value, spread: 0.01, probe: 'a probe' });
/** 1 TFLOP/s, 100 GB/s: the two meet at 10 operations a byte. */
const CEILINGS: Ceilings = {
  f32: ceiling(1000),
  f16: ceiling(4000),
  copy: ceiling(100),
  workgroup: ceiling(900),
  dispatch: ceiling(5),
};

describe('timing', () => {
  it('takes the median, and half the distance between the quartiles', () => {
    expect(summarize([5, 1, 3])).toEqual({ seconds: 3, spread: (5 - 3) / 2 / 3 });
    const { seconds, spread } = summarize([7, 1, 2, 6, 4, 3, 5]);
    expect(seconds).toBe(4);
    expect(spread).toBe((6 - 3) / 2 / 4); // quartiles at positions 1.5 and 4.5, rounded up
  });

  it('repeats until a sample takes 20 ms', async () => {
    const counts: number[] = [];
    const timing = await timeRepeated(async (repetitions) => {
      counts.push(repetitions);
      return repetitions * 2 ** -12;
    });
    expect(timing.seconds).toBe(2 ** -12);
    expect(timing.spread).toBe(0);
    expect(counts[0]).toBe(1);
    expect(counts.slice(-7)).toEqual(Array(7).fill(99)); // 24 ms, to leave room
  });

  it('takes fewer samples of what is long, but three', async () => {
    let calls = 0;
    await timeRepeated(async () => {
      calls++;
      return 5;
    });
    expect(calls).toBe(1 + 3);
  });

  it('ends where a clock never moves', async () => {
    const counts: number[] = [];
    await timeRepeated(async (repetitions) => {
      counts.push(repetitions);
      return 0;
    });
    expect(Math.max(...counts)).toBe(2 ** 14);
  });

  it.each([
    [0.099, 0.1, 'GPU timestamps', '99 % of what'],
    [0.1, 0.1, 'GPU timestamps', '100 % of what'],
    [0.0001, 0.1, 'host clock', 'timestamps are wrong: 0 % of what'],
    [0.2, 0.1, 'host clock', 'timestamps are wrong: 200 % of what'],
    [0, 0.1, 'host clock', 'wrong'],
    [NaN, 0.1, 'host clock', 'wrong'],
  ])('holds %d s of the GPU against %d s of the host: %s', (gpu, host, kind, note) => {
    const clock = judgeClock(gpu, host);
    expect(clock.kind).toBe(kind);
    expect(clock.note).toContain(note);
  });
});

describe('the roofline', () => {
  it.each([
    [1, 'f32', 100],
    [10, 'f32', 1000],
    [50, 'f32', 1000],
    [20, 'f16', 2000],
    [100, 'f16', 4000],
    [100, 'subgroupMatrix', 1000], // there are none: f32 it is
  ] as const)('is at %d operations a byte of %s: %d GFLOP/s', (intensity, rate, gflops) => {
    expect(roof(CEILINGS, intensity, rate)).toBeCloseTo(gflops, 9);
  });

  it('names the ceiling that is nearer', () => {
    expect(leastSeconds({ flops: 1e9, bytes: 1e9 }, CEILINGS)).toEqual({ seconds: 0.01, nearer: 'copy' });
    expect(leastSeconds({ flops: 1e12, bytes: 1e9 }, CEILINGS)).toEqual({ seconds: 1, nearer: 'f32' });
    expect(leastSeconds({ flops: 1e12, bytes: 1e9, rate: 'f16' }, CEILINGS)).toEqual({ seconds: 0.25, nearer: 'f16' });
    expect(leastSeconds({ flops: 0, bytes: 2e9 }, CEILINGS)).toEqual({ seconds: 0.02, nearer: 'copy' });
  });

  it('says how near a case came', () => {
    const row = rowOf('matmul', { name: 'a case', flops: 2e9, bytes: 4e7 }, { seconds: 0.004, spread: 0.02 }, CEILINGS);
    expect(row).toEqual({
      kernel: 'matmul',
      name: 'a case',
      microseconds: 4000,
      spread: 0.02,
      gflops: 500,
      gigabytes: 10,
      intensity: 50,
      share: 0.5,
      nearer: 'f32',
    });
    expect(benchCells(row)).toEqual(['4000', '± 2 %', '500', '10.0', '50 % f32']);
    const moved = rowOf('tokens', { name: 'a case', flops: 0, bytes: 1e8 }, { seconds: 0.02, spread: 0 }, CEILINGS);
    expect(benchCells(moved)).toEqual(['20000', '± 0 %', '–', '5.00', '5.0 % copy']);
  });

  it('lists what there is', () => {
    expect(ceilingLines(CEILINGS).map(([what]) => what)).toEqual([
      'f32 arithmetic',
      'f16 arithmetic',
      'copying, read and written',
      'workgroup memory, read',
      'a dispatch in a pass',
    ]);
  });

  it('is drawn to scale', () => {
    const row = rowOf('add', { name: '', flops: 1e9, bytes: 1e9 }, { seconds: 0.02, spread: 0 }, CEILINGS);
    const { x, y } = scaleOf([row], CEILINGS);
    expect(x(10) - x(1)).toBeCloseTo(x(100) - x(10), 9);
    expect(y(10) - y(100)).toBeCloseTo(y(100) - y(1000), 9);
    expect(x(row.intensity)).toBeGreaterThan(96);
    expect(y(4000)).toBeLessThan(y(row.gflops));
    expect(powers({ low: 0.5, high: 2000 })).toEqual([1, 10, 100, 1000]);
    expect(powers({ low: 3, high: 20 })).toEqual([4, 8, 16]);
  });

  it('writes no name over another', () => {
    const first = freeBox(500, 500, 80, []);
    const second = freeBox(500, 500, 80, [first]);
    expect(
      first.left >= second.right ||
        second.left >= first.right ||
        first.top >= second.bottom ||
        second.top >= first.bottom,
    ).toBe(true);
  });
});

describe('references of which only some elements are computed', () => {
  it('samples different rows, always the last, and all where they are few', () => {
    expect([...sampleRows(3, 8)]).toEqual([0, 1, 2]);
    for (const count of [9, 1024, 100_000]) {
      const rows = sampleRows(count, 8);
      expect(new Set(rows).size).toBe(8);
      expect(rows.at(-1)).toBe(count - 1);
      expect(Math.min(...rows)).toBeGreaterThanOrEqual(0);
    }
  });

  const whole = random([5, 7], 1);
  const picked = Uint32Array.of(1, 4);

  it('finds rows and columns again in the whole', () => {
    expect(elementsOf(whole.data, asRows(takeRows(whole, picked), picked))).toEqual(takeRows(whole, picked).data);
    expect(elementsOf(whole.data, asColumns(takeColumns(whole, picked), picked, 7))).toEqual(
      takeColumns(whole, picked).data,
    );
    expect([...takeColumns(whole, picked).data.slice(0, 2)]).toEqual([whole.data[1], whole.data[4]]);
    expect(elementsOf(whole.data, whole)).toBe(whole.data);
  });
});

describe('the count of operations', () => {
  const shapeOf = (name: string) => {
    const test = steps.find((step) => step.name === name) as StepCase;
    return stepShape(configOf(test, false), test.phase);
  };

  // As the script that times PyTorch counts them; computed with it.
  it.each([
    ['cifar-p4 two-way', 1_215_391_334_400],
    ['cifar-p4 mae', 654_581_956_608],
    ['cifar-p2 two-way', 2_641_824_055_296],
    ['tiny two-way', 1_490_803_752_960],
    ['vit-b two-way', 6_799_053_815_808],
    ['vit-b mae', 3_674_266_927_104],
  ])('of %s is that of PyTorch’s figures', (name, flops) => {
    const shape = shapeOf(name);
    expect(peerFlops(shape)).toBe(flops);
    expect(stepFlops(shape)).toBeCloseTo(flops, -6);
  });
});

const OLD: SavedBench = {
  format: FORMAT,
  date: '2026-01-01T00:00:00.000Z',
  palimpsest: '0.1.0',
  runtime: 'Node.js 20.19.0 on linux-x64',
  device: {
    wanted: 'full',
    adapter: { name: 'a card', software: false, vendor: '', architecture: '', device: '', description: '' },
    features: [],
    limits: {
      maxStorageBuffersPerShaderStage: 8,
      maxComputeInvocationsPerWorkgroup: 256,
      maxComputeWorkgroupStorageSize: 16384,
      maxStorageBufferBindingSize: 134217728,
      maxBufferSize: 268435456,
    },
  },
  kernels: 'fast',
  clock: { kind: 'GPU timestamps', note: '' },
  benches: [
    row('add', 'a', 100, 0.02),
    row('add', 'b', 100, 0.02),
    row('add', 'c', 100, 0.2),
    row('gelu', 'gone', 5, 0),
  ],
  steps: [],
  startUp: [{ kernel: 'startUp', name: 'warm', open: 0.2, compile: 0.5, firstStep: 0.3, total: 1, pipelines: 9 }],
};

function row(kernel: string, name: string, microseconds: number, spread: number) {
  return {
    kernel,
    name,
    microseconds,
    spread,
    gflops: 1,
    gigabytes: 1,
    intensity: 1,
    share: 0.5,
    nearer: 'copy',
  } as const;
}

describe('a comparison', () => {
  const now: SavedBench = {
    ...OLD,
    benches: [
      row('add', 'a', 50, 0.02),
      row('add', 'b', 103, 0.02),
      row('add', 'c', 140, 0.1),
      row('mlp', 'new', 5, 0),
      { kernel: 'gelu', name: 'gone', failure: 'wrong' },
    ],
    startUp: [{ kernel: 'startUp', name: 'warm', open: 0.2, compile: 0.5, firstStep: 0.3, total: 1.02, pipelines: 9 }],
  };

  it('gives ratios, and marks those beyond the spread of both', () => {
    const { rows, onlyOld, onlyNew, warnings } = compareBenches(OLD, now);
    expect(rows.map(({ name, ratio, verdict }) => [name, Number(ratio.toFixed(6)), verdict])).toEqual([
      ['a', 0.5, 'faster'],
      ['b', 1.03, 'same'],
      ['c', 1.4, 'slower'],
      ['warm', 1.02, 'same'],
    ]);
    expect(compareCells(rows[0] as (typeof rows)[number])).toEqual(['100', '50.0', '0.500', 'FASTER']);
    expect({ onlyOld, onlyNew, warnings }).toEqual({ onlyOld: ['gelu gone'], onlyNew: ['mlp new'], warnings: [] });
    expect(compareLines({ rows: rows.slice(0, 1), onlyOld, onlyNew, warnings })).toEqual([
      '1 compared: 1 faster, 0 slower, the others within their spread; new/old is 0.500 in the geometric mean',
      'only in the old one: gelu gone',
      'only in the new one: mlp new',
    ]);
  });

  it('misses nothing that a filter left out', () => {
    expect(compareBenches(OLD, now, (kernel) => kernel === 'add').onlyOld).toEqual([]);
  });

  it('says loudly that it is of another adapter, clock, choice of kernels or place', () => {
    const other: SavedBench = {
      ...now,
      runtime: 'Mozilla/5.0',
      kernels: 'plain',
      clock: { kind: 'host clock', note: '' },
      device: { ...OLD.device, adapter: { ...OLD.device.adapter, name: 'another' } },
    };
    expect(compareBenches(OLD, other).warnings).toEqual([
      'THE ADAPTER differs: a card then, another now',
      'what timed them differs: GPU timestamps then, host clock now',
      'the kernels differs: fast then, plain now',
      'where it ran differs: Node.js then, a browser now',
    ]);
  });
});

describe('a saved file', () => {
  it('is read again as it was', () => {
    expect(parseSaved('x.json', JSON.stringify(OLD))).toEqual(OLD);
  });

  it.each([
    ['no JSON', '{', 'x.json is no JSON'],
    ['a list', '[]', 'x.json holds no benches of palimpsest'],
    [
      'another version',
      '{"format":"palimpsest kernels 1"}',
      `x.json has the format 'palimpsest kernels 1', not '${FORMAT}'`,
    ],
    ['without times', JSON.stringify({ ...OLD, benches: [{ kernel: 'add', name: 'a' }] }), 'x.json is damaged'],
    ['without steps', JSON.stringify({ ...OLD, steps: undefined }), 'x.json is damaged'],
    ['without an adapter', JSON.stringify({ ...OLD, device: {} }), 'x.json is damaged'],
  ])('is refused where it is another: %s', (_, text, message) => {
    expect(() => parseSaved('x.json', text)).toThrow(message);
  });
});
