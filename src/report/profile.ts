/*
 * What a profile of training steps says: a table for people, `profile.json` for programs, and a trace in the format of
 * Chrome's tracing (JSON, "trace events"), which ui.perfetto.dev opens.
 */

/** All dispatches of one kernel on one work, over the profiled steps. Times and sizes are those of one step. */
export interface ProfileRow {
  readonly kernel: string;
  /** The work, with its shape where it is known, or what the kernel writes. */
  readonly work: string;
  readonly dispatches: number;
  readonly milliseconds: number;
  /** Of the time of all dispatches. */
  readonly share: number;
  /** Absent where the operations are not counted. */
  readonly gflops?: number;
  /** By the size of everything bound: what a kernel that reads and writes all of it once must move. */
  readonly gigabytes: number;
  /** Of the nearer ceiling, of arithmetic or of copying, where these were measured; above 1 where caches serve it. */
  readonly ofCeiling?: number;
}

/** What the adapter can do at most: GFLOP/s of arithmetic, GB/s of a copy. */
export interface ProfileCeilings {
  readonly f32: number;
  /** Of matrix units, where there are any. */
  readonly subgroupMatrix?: number;
  readonly copy: number;
}

/** What the host does in a step, in milliseconds. */
export interface StepHostTimes {
  /** Draws what the step's samples are, and all else that is not below. */
  readonly draw: number;
  /** Hands the inputs over. */
  readonly inputs: number;
  readonly encode: number;
  readonly submit: number;
}

/** The times of a phase. */
export interface PhaseProfile {
  readonly phase: string;
  /** The steps that were profiled. */
  readonly steps: readonly number[];
  /** Whose clock timed the dispatches: without timestamps, the host timed one submit a dispatch. */
  readonly clock: 'gpu' | 'host';
  readonly dispatches: number;
  /** Milliseconds from the first dispatch's begin to the last one's end: as it always is, and with each timed by itself. */
  readonly normal: number;
  readonly profiled: number;
  /** Of a profiled step, milliseconds between dispatches. */
  readonly gaps: number;
  readonly host: StepHostTimes;
  readonly rows: readonly ProfileRow[];
}

/** Something that took time, in seconds since the profile began. */
export interface ProfileEvent {
  readonly track: 'gpu' | 'host';
  readonly name: string;
  readonly begin: number;
  readonly end: number;
  readonly details?: Readonly<Record<string, string | number>>;
}

/** A profile whose rows know how near they come to what the adapter can do. */
export function withCeilings(
  profile: PhaseProfile,
  { f32, subgroupMatrix = f32, copy }: ProfileCeilings,
): PhaseProfile {
  const ofCeiling = ({ kernel, gflops = 0, gigabytes }: ProfileRow): number =>
    Math.max(gflops / (kernel === 'matmulMatrix' ? subgroupMatrix : f32), gigabytes / copy);
  return { ...profile, rows: profile.rows.map((row) => ({ ...row, ofCeiling: ofCeiling(row) })) };
}

/** Lines of a table: a kernel a row, below it its works, where it has several, that take a hundredth of a step or more. */
export function profileTable(profile: PhaseProfile): string[] {
  const { phase, steps, clock, dispatches, normal, profiled, gaps, host, rows } = profile;
  const kernels = new Map<string, ProfileRow[]>();
  for (const row of rows) kernels.set(row.kernel, [...(kernels.get(row.kernel) ?? []), row]);
  const families = [...kernels].map(([kernel, parts]) => ({ total: together(kernel, parts), parts }));
  families.sort((a, b) => b.total.milliseconds - a.total.milliseconds);
  const body = families.flatMap(({ total, parts }) => {
    const worth = (parts.length > 1 ? parts : [])
      .filter(({ share }) => share >= 0.01)
      .sort((a, b) => b.milliseconds - a.milliseconds);
    return [cells(total.kernel, total), ...worth.map((row) => cells(`  ${row.work}`, row))];
  });
  const milliseconds = (value: number): string => `${significant(value)} ms`;
  const timed =
    clock === 'gpu'
      ? "by the GPU's clock"
      : "by the host's clock with one submit a dispatch, since this adapter has no timestamps: short ones look longer than they are";
  return [
    `${phase}, a step (mean of ${steps.length}, from step ${steps[0] ?? 0}), ${timed}; works by name from 1 % of the time on`,
    ...align([
      [
        'kernel',
        'dispatches',
        'ms',
        'share',
        'GFLOP/s',
        'GB/s',
        rows.some(({ ofCeiling }) => ofCeiling !== undefined) ? 'of ceiling' : '',
      ],
      ...body,
    ]),
    `${dispatches} dispatches in ${milliseconds(profiled)}, ${milliseconds(gaps)} of it between them; not profiled, ` +
      `the step takes ${milliseconds(normal)}, so profiling adds ${Math.round((profiled / normal - 1) * 100)} %`,
    `host: ${milliseconds(host.draw)} to draw samples, ${milliseconds(host.inputs)} to hand them over, ` +
      `${milliseconds(host.encode)} to encode, ${milliseconds(host.submit)} to submit`,
  ];
}

/** The rows of a kernel as one. */
function together(kernel: string, parts: readonly ProfileRow[]): ProfileRow {
  const sum = (of: (row: ProfileRow) => number): number => parts.reduce((total, row) => total + of(row), 0);
  const milliseconds = sum((row) => row.milliseconds);
  const rate = (of: (row: ProfileRow) => number): number => sum((row) => of(row) * row.milliseconds) / milliseconds;
  return {
    kernel,
    work: '',
    dispatches: sum((row) => row.dispatches),
    milliseconds,
    share: sum((row) => row.share),
    ...(parts.every(({ gflops }) => gflops !== undefined) ? { gflops: rate((row) => row.gflops ?? 0) } : {}),
    gigabytes: rate((row) => row.gigabytes),
    ...(parts.every(({ ofCeiling }) => ofCeiling !== undefined)
      ? { ofCeiling: rate((row) => row.ofCeiling ?? 0) }
      : {}),
  };
}

function cells(name: string, { dispatches, milliseconds, share, gflops, gigabytes, ofCeiling }: ProfileRow): string[] {
  const percent = (value: number, digits: number): string => `${(100 * value).toFixed(digits)} %`;
  return [
    ...[name, String(dispatches), significant(milliseconds), percent(share, 1)],
    ...[gflops === undefined ? '' : significant(gflops), significant(gigabytes)],
    ofCeiling === undefined ? '' : percent(ofCeiling, 0),
  ];
}

function significant(value: number): string {
  if (value < 0.01) return value.toFixed(3);
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

/** The first column to the left, all others to the right. */
function align(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
}

const TRACKS = { gpu: 1, host: 2 } as const;

/**
 * A trace with a track of the GPU and one of the host. The two have clocks of their own: a step's first dispatch is laid
 * to where the host began to submit it.
 */
export function profileTrace(
  events: readonly ProfileEvent[],
  titles: Readonly<Record<ProfileEvent['track'], string>>,
): string {
  const micro = (seconds: number): number => seconds * 1e6;
  const origin = events.reduce((first, { begin }) => Math.min(first, begin), Infinity);
  const names = (['gpu', 'host'] as const).map((track) => ({
    ph: 'M',
    pid: 1,
    tid: TRACKS[track],
    name: 'thread_name',
    args: { name: titles[track] },
  }));
  const slices = events
    .map(({ track, name, begin, end, details }) => ({
      ph: 'X',
      pid: 1,
      tid: TRACKS[track],
      name,
      ts: micro(begin - origin),
      dur: micro(end - begin),
      ...(details ? { args: details } : {}),
    }))
    .sort((a, b) => a.ts - b.ts);
  return JSON.stringify({ displayTimeUnit: 'ms', traceEvents: [...names, ...slices] });
}
