import { describe, expect, test } from 'vitest';
import type { PeersSaid } from './compilePeers';
import type { DriverLine } from './kernelFacts';
import { formatPeerTable, peerTableOf, summaryOf } from './peerTable';

const FMA = '\tv_fma_f32 v1, v2, v3, v1\n';
const LOAD = '\tbuffer_load_b128 v[4:7], v2, s[8:11], 0 offen\n';
const SHARED = '\tds_load_b128 v[4:7], v2\n';

/** A kernel whose loop is `body` and a jump, of 2 subgroups a workgroup. */
const kernel = (label: string, body: string, cycles: number): DriverLine => ({
  label,
  subgroupSize: 64,
  invocations: 128,
  statistics: { VGPRs: 60, 'Inverse Throughput': cycles },
  code: `BB0:\n${body}\ts_cbranch_scc1 BB0\nBB1:\n\tbuffer_store_b32 v1, v2, s[8:11], 0 offen\n`,
});

const LINES = [
  kernel('ours', FMA.repeat(8) + LOAD, 100),
  kernel('sum', LOAD, 10),
  kernel('theirs', FMA.repeat(4) + SHARED + LOAD, 100),
  kernel('none', LOAD, 100),
];
const SAID: PeersSaid[] = [
  { compiler: 'radv' },
  { engine: 'palimpsest', row: 'product', workgroups: { ours: 10, sum: 10 }, dispatches: 2 },
  { engine: 'other', row: 'product', workgroups: { none: 10, theirs: 10 }, dispatches: 7 },
  { engine: 'palimpsest', row: 'copy', workgroups: { none: 1 }, dispatches: 1 },
  { engine: 'other', row: 'copy', workgroups: { theirs: 1 }, dispatches: 1 },
  { engine: 'other', row: 'softmax', failure: 'it cannot' },
  { absent: 'A third one does not run here.' },
];

describe('the table of engines', () => {
  const table = peerTableOf('navi31', SAID, LINES);

  test('takes of each the kernel that multiplies most', () => {
    expect(table).toMatchObject({ chip: 'navi31', compiler: 'radv' });
    const [ours, theirs] = table.rows[0]?.engines ?? [];
    // 8 multiply-adds, a load and a jump; 16 bytes in the loops of both kernels, 4 behind them.
    expect(ours).toEqual({
      engine: 'palimpsest',
      dispatches: 2,
      fma: 0.8,
      storage: 1 / 8,
      workgroup: 0,
      bytes: 10,
      registers: 60,
    });
    expect(theirs).toMatchObject({ dispatches: 7, storage: 1 / 4, workgroup: 1 / 4 });
    expect(theirs?.fma).toBeCloseTo(4 / 7);
  });

  test('marks and sums up where ours is not ahead', () => {
    expect(
      formatPeerTable(table)
        .split('\n')
        .filter((line) => line.includes('◀')),
    ).toEqual([expect.stringMatching(/^ {2}other +1 +57 % .*◀ fma, memory$/)]);
    expect(summaryOf(table)).toEqual([
      'Multiply-adds an issue slot: ahead of every other engine in 1 of 2 rows; not in copy',
      'Memory instructions a multiply-add: ahead of every other engine in 1 of 2 rows; not in copy',
    ]);
  });

  test('says who does not run, or fails', () => {
    expect(table.notes).toEqual(['other fails in softmax: it cannot', 'A third one does not run here.']);
  });
});
