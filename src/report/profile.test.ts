import { describe, expect, it } from 'vitest';
import { profileTable, profileTrace, withCeilings, type PhaseProfile } from './profile';

const profile: PhaseProfile = {
  phase: 'teacher',
  steps: [9, 10, 11],
  clock: 'gpu',
  dispatches: 13,
  normal: 10,
  profiled: 12,
  gaps: 2,
  host: { draw: 0.5, inputs: 0.004, encode: 0.1, submit: 0.2 },
  rows: [
    {
      kernel: 'matmulTile',
      work: 'matmul nt 8×8×8',
      dispatches: 2,
      milliseconds: 6,
      share: 0.6,
      gflops: 100,
      gigabytes: 10,
    },
    { kernel: 'add', work: 'add', dispatches: 10, milliseconds: 2.5, share: 0.25, gigabytes: 50 },
    {
      kernel: 'matmulTile',
      work: 'matmul nn 8×8×8',
      dispatches: 1,
      milliseconds: 1.5,
      share: 0.15,
      gflops: 200,
      gigabytes: 20,
    },
  ],
};

describe('a profile', () => {
  it('as a table: a kernel a row, the longest first, below it its works', () => {
    expect(profileTable(profile)).toEqual([
      "teacher, a step (mean of 3, from step 9), by the GPU's clock; works by name from 1 % of the time on",
      'kernel             dispatches    ms   share  GFLOP/s  GB/s',
      'matmulTile                  3  7.50  75.0 %      120  12.0',
      '  matmul nt 8×8×8           2  6.00  60.0 %      100  10.0',
      '  matmul nn 8×8×8           1  1.50  15.0 %      200  20.0',
      'add                        10  2.50  25.0 %           50.0',
      '13 dispatches in 12.0 ms, 2.00 ms of it between them; not profiled, the step takes 10.0 ms, so profiling adds 20 %',
      'host: 0.500 ms to draw samples, 0.004 ms to hand them over, 0.100 ms to encode, 0.200 ms to submit',
    ]);
  });

  it('with the share of the nearer ceiling, where ceilings were measured', () => {
    const ceilings = { f32: 400, copy: 100 };
    const table = profileTable(withCeilings(profile, ceilings)).slice(1, 6);
    expect(table.map((line) => line.split(/ {2,}/).at(-1))).toEqual(['of ceiling', '30 %', '25 %', '50 %', '50 %']);
    const { rows } = withCeilings(
      { ...profile, rows: profile.rows.map((row) => ({ ...row, kernel: 'matmulMatrix' })) },
      { ...ceilings, subgroupMatrix: 1000 },
    );
    expect(rows.map(({ ofCeiling }) => ofCeiling)).toEqual([0.1, 0.5, 0.2]);
  });

  it('says where the host timed the dispatches', () => {
    expect(profileTable({ ...profile, clock: 'host' })[0]).toContain('this adapter has no timestamps');
  });

  it('as a trace: sorted, in microseconds, a track each', () => {
    const text = profileTrace(
      [
        { track: 'host', name: 'step 0', begin: 0, end: 0.003 },
        { track: 'gpu', name: 'add', begin: 0.002, end: 0.0025, details: { bytes: 4 } },
        { track: 'gpu', name: 'matmul', begin: 0.001, end: 0.002 },
      ],
      { gpu: 'A card', host: 'host' },
    );
    expect(JSON.parse(text)).toEqual({
      displayTimeUnit: 'ms',
      traceEvents: [
        { ph: 'M', pid: 1, tid: 1, name: 'thread_name', args: { name: 'A card' } },
        { ph: 'M', pid: 1, tid: 2, name: 'thread_name', args: { name: 'host' } },
        { ph: 'X', pid: 1, tid: 2, name: 'step 0', ts: 0, dur: 3000 },
        { ph: 'X', pid: 1, tid: 1, name: 'matmul', ts: 1000, dur: 1000 },
        { ph: 'X', pid: 1, tid: 1, name: 'add', ts: 2000, dur: expect.closeTo(500) as number, args: { bytes: 4 } },
      ],
    });
  });
});
