import { describe, expect, it } from 'vitest';
import packageJson from '../../../../package.json' with { type: 'json' };
import type { DeviceReport } from '../../../../bench/device';
import type { StepResult } from '../../../../bench/step.bench';
import { SOFTWARE_WARNING } from '../../../../bench/formatResults';
import type { Catalogue } from '../../workers/kernels';
import { asJson, asMarkdown, asTable, describeDevice } from './formats';
import { formatKernelTime, Results, tallyOf, type SavedResults } from './results';

const CATALOGUE: Catalogue = {
  tests: [
    { kernel: 'add', name: '3' },
    { kernel: 'add', name: '17×33' },
    { kernel: 'matmul', name: 'nt 1×1×1' },
  ],
  benches: [
    { kernel: 'add', name: '1088×192' },
    { kernel: 'matmul', name: 'nt 272×576×192' },
  ],
  sources: {},
};

const DEVICE: DeviceReport = {
  wanted: 'baseline',
  adapter: {
    name: 'a card (its driver)',
    software: false,
    vendor: 'maker',
    architecture: 'arch',
    device: 'a card',
    description: 'its driver',
  },
  features: ['core-features-and-limits'],
  limits: {
    maxStorageBuffersPerShaderStage: 8,
    maxComputeInvocationsPerWorkgroup: 256,
    maxComputeWorkgroupStorageSize: 16384,
    maxStorageBufferBindingSize: 134217728,
    maxBufferSize: 268435456,
  },
};

const DATE = new Date('2026-11-23T20:00:00Z');

function someResults(device = DEVICE): SavedResults {
  const results = new Results(CATALOGUE, device);
  expect(results.isEmpty).toBe(true);
  results.addBench({
    kernel: 'matmul',
    name: 'nt 272×576×192',
    microseconds: 123.456,
    spread: 0.0123,
    gflops: 487.3,
    gigabytes: 9.5,
    intensity: 51.3,
    share: 0.4873,
    nearer: 'f32',
  });
  results.addTest({ kernel: 'matmul', name: 'nt 1×1×1', milliseconds: 1200 });
  results.addTest({ kernel: 'add', name: '3', milliseconds: 10 });
  results.addTest({
    kernel: 'add',
    name: '17×33',
    milliseconds: 20.126,
    failure: 'with plain kernels: y:\nrelative error | 1',
  });
  results.addBench({ kernel: 'add', name: '1088×192', failure: 'out: relative error 1' });
  expect(results.isEmpty).toBe(false);
  return results.toSaved(DATE, 'A Browser/1.0');
}

describe('Results', () => {
  it('keeps the latest of each, in the order of the catalogue', () => {
    const results = new Results(CATALOGUE, DEVICE);
    results.addTest({ kernel: 'matmul', name: 'nt 1×1×1', milliseconds: 5, failure: 'wrong' });
    results.addTest({ kernel: 'add', name: '17×33', milliseconds: 6 });
    results.addTest({ kernel: 'matmul', name: 'nt 1×1×1', milliseconds: 7 });
    expect(results.toSaved(DATE, '').tests).toEqual([
      { kernel: 'add', name: '17×33', milliseconds: 6 },
      { kernel: 'matmul', name: 'nt 1×1×1', milliseconds: 7 },
    ]);
    expect(results.testOf({ kernel: 'add', name: '3' })).toBeUndefined();
  });
});

describe('standingOf', () => {
  const passed = { kernel: 'a', name: 'b', milliseconds: 500 };
  const failed = { ...passed, failure: 'wrong' };
  it.each([
    [[undefined, undefined], 'untested', '2 tests'],
    [[passed], 'passed', '1 test passed in 500 ms'],
    [[passed, passed, undefined], 'passed', '2 tests passed, 1 not run'],
    [[passed, failed, passed], 'failed', '1 of 3 tests failed'],
    [[failed, undefined], 'failed', '1 of 1 test failed, 1 not run'],
  ])('%j', (results, state, text) => {
    expect(tallyOf(results)).toEqual({ state, text });
  });
});

it.each([
  [0.4, '0 ms'],
  [999.4, '999 ms'],
  [999.6, '1.0 s'],
  [59_900, '59.9 s'],
  [59_960, '1:00 min'],
  [125_400, '2:05 min'],
])('writes %d ms as %s', (milliseconds, text) => {
  expect(formatKernelTime(milliseconds)).toBe(text);
});

it('describes a device', () => {
  expect(describeDevice(DEVICE)).toBe(
    'no optional feature; 8 storage buffers a kernel; 256 invocations and 16 KiB a workgroup; bindings of 128 MiB',
  );
  expect(describeDevice({ ...DEVICE, features: ['shader-f16', 'subgroups'] })).toMatch(/^shader-f16, subgroups; /);
});

describe('what is copied and saved', () => {
  it('is a table of tabs', () => {
    expect(asTable(someResults())).toBe(
      [
        'palimpsest kernels',
        'date\t2026-11-23T20:00:00.000Z',
        `version\t${packageJson.version}`,
        'adapter\ta card (its driver)',
        `device\tbaseline: ${describeDevice(DEVICE)}`,
        'browser\tA Browser/1.0',
        '',
        'kernel\ttest\toutcome\tms',
        'add\t3\tpassed\t10',
        'add\t17×33\tFAILED with plain kernels: y: relative error | 1\t20.13',
        'matmul\tnt 1×1×1\tpassed\t1200',
        '',
        'kernel\tcase\tµs\tspread\tGFLOP/s\tGB/s\tof ceiling',
        'add\t1088×192\tFAILED out: relative error 1',
        'matmul\tnt 272×576×192\t123.5\t0.0123\t487.3\t9.5\t0.4873',
        '',
      ].join('\n'),
    );
  });

  it('is Markdown', () => {
    expect(asMarkdown(someResults())).toBe(
      [
        '**palimpsest kernels**',
        '',
        '- date: 2026-11-23T20:00:00.000Z',
        `- version: ${packageJson.version}`,
        '- adapter: a card (its driver)',
        `- device: baseline: ${describeDevice(DEVICE)}`,
        '- browser: A Browser/1.0',
        '',
        '| kernel | tests |',
        '| --- | --- |',
        '| add | 1 of 2 tests failed |',
        '| matmul | 1 test passed in 1.2 s |',
        '| all | 1 of 3 tests failed |',
        '',
        '- FAILED add 17×33: with plain kernels: y: relative error | 1',
        '',
        '| kernel | case | µs | spread | GFLOP/s | GB/s | of ceiling |',
        '| --- | --- | ---: | ---: | ---: | ---: | ---: |',
        '| add | 1088×192 | FAILED out: relative error 1 |  |  |  |  |',
        '| matmul | nt 272×576×192 | 123 | ± 1 % | 487 | 9.50 | 49 % f32 |',
        '',
      ].join('\n'),
    );
  });

  it('is JSON of a stable form', () => {
    const saved = someResults();
    expect(JSON.parse(asJson(saved))).toEqual({
      format: 'palimpsest bench 1',
      date: '2026-11-23T20:00:00.000Z',
      palimpsest: packageJson.version,
      runtime: 'A Browser/1.0',
      device: DEVICE,
      kernels: 'fast',
      tests: [
        { kernel: 'add', name: '3', milliseconds: 10 },
        { kernel: 'add', name: '17×33', milliseconds: 20.126, failure: 'with plain kernels: y:\nrelative error | 1' },
        { kernel: 'matmul', name: 'nt 1×1×1', milliseconds: 1200 },
      ],
      benches: [
        { kernel: 'add', name: '1088×192', failure: 'out: relative error 1' },
        {
          kernel: 'matmul',
          name: 'nt 272×576×192',
          microseconds: 123.456,
          spread: 0.0123,
          gflops: 487.3,
          gigabytes: 9.5,
          intensity: 51.3,
          share: 0.4873,
          nearer: 'f32',
        },
      ],
      steps: [],
      startUp: [],
    });
  });

  it('says loudly that an adapter is software, in every form', () => {
    const saved = someResults({ ...DEVICE, adapter: { ...DEVICE.adapter, name: 'swiftshader', software: true } });
    for (const text of [asTable(saved), asMarkdown(saved)]) {
      expect(text).toContain('SOFTWARE, not a GPU: swiftshader');
      expect(text).toMatch(/WARNING(\t|: )This adapter is software/);
    }
    expect(JSON.parse(asJson(saved))).toMatchObject({ warning: SOFTWARE_WARNING });
  });

  it('has ceilings, training steps and starts where they were timed', () => {
    const results = new Results(CATALOGUE, DEVICE);
    const timing = { milliseconds: 500, spread: 0.01, imagesPerSecond: 32, gflops: 76 };
    const step: StepResult = {
      kernel: 'step',
      name: 'a step',
      batch: 16,
      flops: 38e9,
      peerFlops: 38e9,
      fast: timing,
      plain: { ...timing, milliseconds: 4000, gflops: 9.5 },
      ratio: 8,
      difference: 1e-6,
      tolerance: 2e-5,
      dispatches: 300,
      arenaBytes: 3 << 20,
      largestLiveSet: 2 << 20,
    };
    const ceiling = { value: 152, spread: 0.02, probe: '8 chains' };
    results.measure = {
      clock: { kind: 'GPU timestamps', note: '99 % of the same runs' },
      ceilings: { f32: ceiling, copy: ceiling, workgroup: ceiling, dispatch: ceiling },
    };
    results.addStep(step);
    results.addStart({
      kernel: 'startUp',
      name: 'cold',
      load: 0.1,
      open: 0.2,
      compile: 1,
      firstStep: 0.5,
      total: 1.8,
      pipelines: 90,
    });
    const saved = results.toSaved(DATE, '');
    expect(asTable(saved)).toContain('step\ta step: 38 GFLOP (PyTorch’s figures count the same)\n');
    expect(asTable(saved)).toContain('f32 arithmetic\t152 GFLOP/s ± 2 % (8 chains)\n');
    expect(asMarkdown(saved)).toContain(
      '- fast: 500 ms a step ± 1 %, 32.0 images/s, 0.0760 TFLOP/s, 50 % of the f32 ceiling\n',
    );
    expect(asMarkdown(saved)).toContain(
      '- program: 300 dispatches; 3 MiB of intermediate values, 1.50 times the most that is alive at once\n',
    );
    expect(asMarkdown(saved)).toContain(
      '- cold: 1.80 s: 0.10 s to load, 0.20 s to open the device, 1.00 s to record and compile 90 pipelines, 0.50 s for the first step\n',
    );
    expect(asMarkdown(saved)).not.toContain('| kernel |');
    expect(JSON.parse(asJson(saved))).toMatchObject({
      steps: [{ ratio: 8 }],
      startUp: [{ name: 'cold' }],
      tests: [],
      benches: [],
    });
  });
});
