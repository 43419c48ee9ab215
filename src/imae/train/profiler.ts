import type { PhaseProfile, ProfileEvent, ProfileRow } from '../../report/profile';
import type { TimedDispatch } from '../../gpu/program';
import type { CompiledProgram } from '../../engine/compiledProgram';
import type { Phase } from '../config/config';

/** Seconds of a step; what is not a program's is counted as drawing. */
type HostTimes = Record<keyof PhaseProfile['host'], number>;

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

  /**
   * Begins to time a phase.
   *
   * @param steps that are to come; where they are fewer than one of each kind that is timed, nothing is profiled
   */
  begin(phase: Phase, steps: number): void {
    const each = Math.min(MOST_STEPS, Math.max(1, Math.floor(steps / KINDS.length)));
    const warm = Math.min(each, steps - 3 * each);
    const kinds = KINDS.flatMap((kind) => Array<Kind>(kind === 'warm' ? Math.max(0, warm) : each).fill(kind));
    this.collected = warm < 0 ? undefined : { phase, kinds, steps: [], dispatches: [], whole: [], host: [] };
  }

  /**
   * Does a step.
   *
   * @param submit runs the step's programs, one after the other, by what it is given
   * @throws EngineError as `CompiledProgram.run`, or `profile`
   */
  async step(step: number, submit: (run: (program: CompiledProgram) => Promise<void>) => Promise<void>): Promise<void> {
    const { collected } = this;
    const kind = collected?.kinds.shift();
    if (!collected || kind === undefined || kind === 'warm') {
      await submit((program) => program.run());
      return;
    }
    const begin = this.now();
    if (kind === 'host') {
      const times = { draw: 0, inputs: 0, encode: 0, submit: 0 };
      let waited = 0;
      await submit(async (program) => void (waited += await this.runOnHost(step, program, times)));
      times.draw = this.now() - begin - waited - times.inputs - times.encode - times.submit;
      collected.host.push(times);
      this.add(`step ${step}`, begin, this.now());
    } else if (kind === 'whole') {
      let seconds = 0;
      await submit(async (program) => void (seconds += await program.runTimed()));
      collected.whole.push(seconds);
      this.add(`step ${step}, waited for`, begin, this.now());
    } else {
      const runs: (readonly TimedDispatch[])[] = [];
      await submit(async (program) => {
        const from = this.now();
        const dispatches = await program.profile();
        runs.push(dispatches);
        this.addDispatches(from, dispatches);
      });
      collected.steps.push(step);
      collected.dispatches.push(runs);
      this.add(`step ${step}, each dispatch by itself`, begin, this.now());
    }
    if (collected.kinds.length > 0) return;
    this.collected = undefined;
    this.done(summary(collected, this.clock));
  }

  /** @returns seconds that it was waited until another run may be submitted */
  private async runOnHost(step: number, program: CompiledProgram, times: HostTimes): Promise<number> {
    let begin = this.now();
    const before = { ...program.hostTimes };
    const running = program.run();
    for (const part of ['inputs', 'encode', 'submit'] as const) {
      const seconds = program.hostTimes[part] - before[part];
      times[part] += seconds;
      this.add(`step ${step}: ${part}`, begin, begin + seconds);
      begin += seconds;
    }
    const submitted = this.now();
    await running;
    return this.now() - submitted;
  }

  private now(): number {
    return (performance.now() - this.origin) / 1000;
  }

  private add(name: string, begin: number, end: number): void {
    this.events.push({ track: 'host', name, begin, end });
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

/** The times so far. */
interface Collected {
  readonly phase: Phase;
  /** Of the steps to come. */
  readonly kinds: Kind[];
  readonly steps: number[];
  /** Of each step, of each run of a program. */
  readonly dispatches: (readonly (readonly TimedDispatch[])[])[];
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
  const span = (timed: readonly TimedDispatch[]): number => (timed.at(-1)?.end ?? 0) - (timed[0]?.begin ?? 0);
  const spans = dispatches.map((runs) => runs.reduce((sum, timed) => sum + span(timed), 0));
  const busy = dispatches.map((runs) => busySeconds(runs.flat()));
  const part = (key: keyof HostTimes): number => milliseconds(host.map((times) => times[key]));
  return {
    phase,
    steps,
    clock,
    dispatches: dispatches[0]?.flat().length ?? 0,
    normal: milliseconds(whole),
    profiled: milliseconds(spans),
    gaps: milliseconds(spans.map((span, index) => Math.max(0, span - (busy[index] ?? 0)))),
    host: { draw: part('draw'), inputs: part('inputs'), encode: part('encode'), submit: part('submit') },
    rows: rowsOf(dispatches.flat(2), steps.length),
  };
}

function busySeconds(timed: readonly TimedDispatch[]): number {
  return timed.reduce((sum, { begin, end }) => sum + (end - begin), 0);
}

function rowsOf(timed: readonly TimedDispatch[], steps: number): ProfileRow[] {
  const groups = new Map<string, TimedDispatch[]>();
  for (const each of timed) {
    const key = `${each.dispatch.kernel.name}\n${workOf(each.dispatch)}`;
    const group = groups.get(key);
    if (group) group.push(each);
    else groups.set(key, [each]);
  }
  const all = busySeconds(timed);
  const rows = [...groups.values()].map((group): ProfileRow => {
    const [first] = group as [TimedDispatch];
    const own = busySeconds(group);
    const sum = (of: (dispatch: Dispatch) => number): number =>
      group.reduce((total, { dispatch }) => total + of(dispatch), 0);
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
