import { describe, expect, test } from 'vitest';
import { readAmdListing } from './amdListing';
import { factsOf, hottestLoop, type DriverLine } from './kernelFacts';
import { readNvidiaListing } from './nvidiaListing';
import { compareRecords, formatRecord, isSameMesa, recordOf, type IsaRecord } from './record';
import { formatTable, spilling, type IsaTable } from './table';

/** A loop of 6 slots (a pair counts once, a wait not at all) around one of 3, and code before and after. */
const AMD = `
BB0:
\ts_load_b128 s[8:11], s[2:3], 0x30                           ; f4080201 f8000030
\tv_mov_b32_e32 v8, 0                                         ; 7e100280
BB1:
\tbuffer_load_b128 v[4:7], v2, s[8:11], 0 offen               ; e05c0000
\ts_waitcnt vmcnt(0)                                          ; bf89fc07
\tds_store_b128 v2, v[4:7]                                    ; db7c0000
BB2:
\tv_fma_f32 v1, v2, v3, v1                                    ; d613
\ts_cmp_lt_u32 s1, s2                                         ; bf0a
\ts_cbranch_scc1 BB2                                          ; bfa2
BB3:
\tv_dual_fmac_f32 v1, v2, v3 :: v_dual_fmac_f32 v4, v5, v6    ; c800
\tv_add_f32_e32 v1, v2, v3                                    ; 0602
\tbuffer_store_b32 v1, v2, s[8:11], 0 offen                   ; e068
\ts_cbranch_scc1 BB1                                          ; bfa2
BB4:
\tscratch_load_b32 v1, off, s0                                ; dc50
\ts_endpgm                                                    ; bfb0
`;

const NVIDIA = `
block.u 0 L1 [] -> {
      ur5     = ldc.b32 c[0x0][+0x4]                        // delay=11 wr:3
} -> [1]
block 1 L2 [0, 2] -> {
      r4..8   = ld.global.strong.gpu.b128 [r1+rZ]           // delay=2
                bar.sync                                    // delay=1
} -> [2]
block 2 L3 [1, 2] -> {
      r3      = ffma r2 r2 r3                               // delay=1
@!p0  r4      = ffma r2 r2 r4                               // delay=1
      r5      = iadd3 r1 r1 r1                              // delay=1
@!p0            bra pT L3                                   // delay=1
} -> [1, 2, 3]
block 3 L4 [2] -> {
                exit                                        // delay=1
} -> []
`;

describe('readAmdListing', () => {
  test('tells loops apart, the inner from the outer, and what each issues', () => {
    const { code, loops } = readAmdListing(AMD);
    expect(loops.map(({ depth, code: { length } }) => [depth, length])).toEqual([
      [0, 6],
      [1, 3],
    ]);
    expect(loops[0]?.code.map(({ kind }) => kind)).toEqual([
      'memory',
      'shared',
      'fma',
      'arithmetic',
      'memory',
      'control',
    ]);
    expect(loops[0]?.code[2]?.work).toBe(2);
    expect(code.filter(({ kind }) => kind === 'memory').map(({ bytes }) => bytes)).toEqual([16, 4]);
    expect(code.filter(({ kind }) => kind === 'local')).toHaveLength(1);
  });

  test.each([
    ['buffer_load_dwordx4 v[0:3], v1, s[0:3], 0 offen', 16],
    ['global_load_b64 v[0:1], v2, off', 8],
    ['buffer_load_dword v0, v1, s[0:3], 0 offen', 4],
    ['buffer_load_u16 v0, v1, s[0:3], 0 offen', 2],
    ['buffer_load_ubyte v0, v1, s[0:3], 0 offen', 1],
  ])('%s moves %i bytes', (text, bytes) => {
    expect(readAmdListing(`BB0:\n\t${text} ; 00`).code[0]).toEqual({ kind: 'memory', bytes });
  });

  test.each(['v_mac_f32_e32 v0, v1, v2', 'v_fmamk_f32 v0, v1, 0x40, v2', 'v_mad_f32 v0, v1, v2, v3'])(
    '%s is a multiply-add',
    (text) => expect(readAmdListing(`BB0:\n\t${text}`).code).toEqual([{ kind: 'fma', work: 1 }]),
  );
});

test('readNvidiaListing finds natural loops, the inner apart from the outer', () => {
  const { loops, code } = readNvidiaListing(NVIDIA);
  expect(loops.map(({ depth, code: { length } }) => [depth, length])).toEqual([
    [0, 2],
    [1, 4],
  ]);
  expect(loops[1]?.code.map(({ kind }) => kind)).toEqual(['fma', 'fma', 'integer', 'control']);
  expect(code.find(({ kind }) => kind === 'memory')?.bytes).toBe(16);
});

const line = (changes: Partial<DriverLine['statistics']> = {}): DriverLine => ({
  label: 'f32 matmulTile BM=64',
  subgroupSize: 64,
  invocations: 256,
  statistics: {
    VGPRs: 60,
    'Spilled VGPRs': 0,
    'Spilled SGPRs': 0,
    'Scratch size': 0,
    'Subgroups per SIMD': 24,
    'Inverse Throughput': 1000,
    ...changes,
  },
  code: AMD,
});

const table = (changes?: Parameters<typeof line>[0], dispatches = 100): IsaTable => ({
  format: 'palimpsest isa 1',
  chip: 'navi31',
  compiler: 'radv: Mesa',
  dispatches: { step: dispatches },
  kernels: [factsOf(line(changes), 12.3)],
});

const record = (...args: Parameters<typeof table>): IsaRecord => recordOf(table(...args));

test('factsOf says what a kernel takes, and which of its loops does the work', () => {
  const facts = factsOf(line(), 12.3);
  expect(facts).toMatchObject({ registers: 60, spills: 0, occupancy: 24, cycles: 1000, milliseconds: 12 });
  expect(facts.memory).toEqual({ instructions: 2, bytes: 20, wide: 0.8 });
  expect(hottestLoop(facts)).toEqual({ depth: 1, slots: 3, kinds: { fma: 1, integer: 1, control: 1 }, share: 1 / 3 });
});

test('a table has a row a kernel', () => {
  const [head, row] = formatTable(table()).split('\n');
  expect(head).toMatch(/^kernel +registers +spills/);
  expect(row).toMatch(/^f32 matmulTile BM=64 +60 +0 +24 +0 +3 +33 % +80 % +1000 +12$/);
});

test('spills and scratch are found', () => {
  expect(spilling(table())).toEqual([]);
  expect(spilling(table({ 'Spilled VGPRs': 3, 'Scratch size': 64 }))).toEqual([
    'f32 matmulTile BM=64: 3 spills, 64 bytes of scratch',
  ]);
});

test.each([
  ['more cycles', { 'Inverse Throughput': 1100 }, 'worse', 'cycles 1000 → 1100'],
  ['fewer subgroups', { 'Subgroups per SIMD': 16 }, 'worse', 'subgroups 24 → 16'],
  ['fewer cycles', { 'Inverse Throughput': 900 }, 'better', 'cycles 1000 → 900'],
  [
    'fewer cycles for fewer subgroups',
    { 'Inverse Throughput': 900, 'Subgroups per SIMD': 16 },
    'better',
    'cycles 1000 → 900, subgroups 24 → 16',
  ],
] as const)('%s', (_, changes, verdict, text) => {
  const found = compareRecords(record(), record(changes));
  expect(found).toEqual({ better: [], worse: [], unknown: [], [verdict]: [`f32 matmulTile BM=64: ${text}`] });
});

test('rounding is no change, a dispatch is one', () => {
  const none = { better: [], worse: [], unknown: [] };
  expect(compareRecords(record(), record({ 'Inverse Throughput': 1010 }))).toEqual(none);
  expect(compareRecords(record(), record({}, 99)).better).toEqual(['step: 100 → 99 dispatches']);
  expect(compareRecords(record(), record({}, 101)).worse).toEqual(['step: 100 → 101 dispatches']);
});

test('a kernel that a record does not have is named', () => {
  expect(compareRecords({ ...record(), kernels: {} }, record()).unknown).toEqual(['f32 matmulTile BM=64']);
});

test('a record is JSON, a kernel a line, of figures that are compared', () => {
  const text = formatRecord(record());
  expect(JSON.parse(text)).toEqual(record());
  expect(text.split('\n')).toContain(
    '  "f32 matmulTile BM=64": {"cycles":1000,"spills":0,"subgroups":24,"fma":0.333,"wide":0.8}',
  );
});

test.each([
  ['radv: Mesa 25.0.7-2~bpo12+1', 'radv: Mesa 25.0.7-2', true],
  ['radv: Mesa 25.0.7-2', 'radv: Mesa 25.0.8-1', false],
  ['radv: Mesa 25.0.7', 'NVK: Mesa 25.0.7', false],
])('%s and %s are one compiler: %s', (a, b, same) => expect(isSameMesa(a, b)).toBe(same));
