import type { HostTimes, PhaseProfile, ProfileEvent, ProfileRow } from '../files/profile';
import type { TimedDispatch } from '../gpu/program';
import type { TensorProgram } from '../tensor/graph';
import type { Phase } from './config';

/** Steps of each kind: those that warm up, those of which the host's part is timed, whole ones, and dispatch by dispatch. */
const MOST_STEPS = 3;
const KINDS = ['warm', 'host', 'whole', 'dispatches'] as const;
type Kind = (typeof KINDS)[number];

/**
 * Profiles some of a phase's first steps, in place of running them: each is run once, whatever is timed of it, so the
 * training's bits stay as they are.
 */
export class StepProfiler {
  readonly events: ProfileEvent[] = [];
  private readonly origin = performance.now();
  private collected: Collected | undefined;

  /** @param done is given the profile of a phase, as soon as there is one */
  constructor(
    private readonly clock: PhaseProfile['clock'],
    private readonly done: (profile: PhaseProfile) => void,
  ) {}

  /** @param steps that are to come; where they are fewer than one of each kind that is timed, nothing is profiled */
  begin(phase: Phase, steps: number): void {
    const each = Math.min(MOST_STEPS, Math.max(1, Math.floor(steps / KINDS.length)));
    const warm = Math.min(each, steps - 3 * each);
    const kinds = KINDS.flatMap((kind) => Array<Kind>(kind === 'warm' ? Math.max(0, warm) : each).fill(kind));
    this.collected = warm < 0 ? undefined : { phase, kinds, steps: [], dispatches: [], whole: [], host: [] };
  }

  /**
   * Runs a step's program.
   *
   * @param drawn seconds that drawing its samples took
   * @throws EngineError as `TensorProgram.run`, or `profile`
   */
  async run(program: TensorProgram, step: number, drawn: number): Promise<void> {
    const { collected } = this;
    const kind = collected?.kinds.shift();
    const begin = this.now();
    switch (collected && kind) {
      case 'host': {
        const before = { ...program.hostTimes };
        program.run();
        const { inputs, encode, submit } = program.hostTimes;
        const parts = { draw: drawn, inputs: inputs - before.inputs, encode: encode - before.encode, submit: submit - before.submit };
        collected?.host.push(parts);
        this.addHost(step, begin - drawn, parts);
        break;
      }
      case 'whole':
        collected?.whole.push(await program.runTimed());
        this.add('host', `step ${step}: submit and wait`, begin, this.now());
        break;
      case 'dispatches': {
        const dispatches = await program.profile();
        collected?.steps.push(step);
        collected?.dispatches.push(dispatches);
        this.add('host', `step ${step}: each dispatch by itself`, begin, this.now());
        this.addDispatches(begin, dispatches);
        break;
      }
      default:
        program.run();
    }
    if (collected && collected.kinds.length === 0 && kind) {
      this.collected = undefined;
      this.done(summary(collected, this.clock));
    }
  }

  private now(): number {
    return (performance.now() - this.origin) / 1000;
  }

  private add(track: ProfileEvent['track'], name: string, begin: number, end: number): void {
    this.events.push({ track, name, begin, end });
  }

  private addHost(step: number, from: number, parts: HostTimes): void {
    let begin = from;
    for (const [part, seconds] of Object.entries(parts) as [string, number][]) {
      this.add('host', `step ${step}: ${part}`, begin, begin + seconds);
      begin += seconds;
    }
  }

  private addDispatches(from: number, dispatches: readonly TimedDispatch[]): void {
    for (const { dispatch, begin, end } of dispatches) {
      this.events.push({
        track: 'gpu',
        name: dispatch.kernel.name,
        begin: from + begin,
        end: from + end,
        details: {
          work: workOf(dispatch),
          workgroups: dispatch.workgroups.join('×'),
          bytes: bytesOf(dispatch),
          ...(dispatch.flops === undefined ? {} : { flops: dispatch.flops }),
        },
      });
    }
  }
}

interface Collected {
  readonly phase: Phase;
  /** Of the steps to come. */
  readonly kinds: Kind[];
  readonly steps: number[];
  readonly dispatches: (readonly TimedDispatch[])[];
  /** Seconds. */
  readonly whole: number[];
  readonly host: HostTimes[];
}

type Dispatch = TimedDispatch['dispatch'];

function workOf({ alternatives, writes }: Dispatch): string {
  return alternatives?.work ?? writes.map(({ label }) => label).join(', ');
}

function bytesOf({ reads, writes }: Dispatch): number {
  return [...reads, ...writes].reduce((sum, { size }) => sum + size, 0);
}

function summary({ phase, steps, dispatches, whole, host }: Collected, clock: PhaseProfile['clock']): PhaseProfile {
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const milliseconds = (values: readonly number[]): number => 1000 * mean(values);
  const spans = dispatches.map((timed) => (timed.at(-1)?.end ?? 0) - (timed[0]?.begin ?? 0));
  const busy = dispatches.map((timed) => timed.reduce((sum, { begin, end }) => sum + (end - begin), 0));
  const part = (key: keyof HostTimes): number => milliseconds(host.map((times) => times[key]));
  return {
    phase,
    steps,
    clock,
    dispatches: dispatches[0]?.length ?? 0,
    normal: milliseconds(whole),
    profiled: milliseconds(spans),
    gaps: milliseconds(spans.map((span, index) => Math.max(0, span - (busy[index] ?? 0)))),
    host: { draw: part('draw'), inputs: part('inputs'), encode: part('encode'), submit: part('submit') },
    rows: rowsOf(dispatches.flat(), steps.length),
  };
}

function rowsOf(timed: readonly TimedDispatch[], steps: number): ProfileRow[] {
  const groups = new Map<string, TimedDispatch[]>();
  for (const each of timed) {
    const key = `${each.dispatch.kernel.name}\n${workOf(each.dispatch)}`;
    const group = groups.get(key);
    if (group) group.push(each);
    else groups.set(key, [each]);
  }
  const seconds = (group: readonly TimedDispatch[]): number => group.reduce((sum, { begin, end }) => sum + (end - begin), 0);
  const all = seconds(timed);
  const rows = [...groups.values()].map((group): ProfileRow => {
    const [first] = group as [TimedDispatch];
    const own = seconds(group);
    const sum = (of: (dispatch: Dispatch) => number): number => group.reduce((total, { dispatch }) => total + of(dispatch), 0);
    return {
      kernel: first.dispatch.kernel.name,
      work: workOf(first.dispatch),
      dispatches: group.length / steps,
      milliseconds: (1000 * own) / steps,
      share: own / all,
      ...(first.dispatch.flops === undefined ? {} : { gflops: sum(({ flops = 0 }) => flops) / own / 1e9 }),
      gigabytes: sum(bytesOf) / own / 1e9,
    };
  });
  return rows.sort((a, b) => b.milliseconds - a.milliseconds);
}
