import type { PeerEngine, PreparedWork } from './peer';
import { checkerOf, inputsOf, type PeerRow } from './rows';

/** What an engine does with a row: its time, why it has none, or nothing, where it has nothing that does this work. */
export type PeerCell = { readonly engine: string } & (
  | {
      readonly microseconds: number;
      /** Half the distance between the quartiles, over the median. */
      readonly spread: number;
      /** Its time over ours: the median over samples taken one after the other. Null where ours has none. */
      readonly ratio: number | null;
      /** Seconds until its results were there to be checked: uploads, tracing, compilation, the checked runs. */
      readonly ready: number;
    }
  | { readonly failure: string }
  | { readonly absent: true }
);

/** A row of the comparison: plain data. */
export interface PeerResult {
  readonly kernel: string;
  readonly name: string;
  readonly flops: number;
  /** Ours first. */
  readonly cells: readonly PeerCell[];
}

/** Whether our own result is wrong, or there is none. What others get wrong the table says, and is no failure of the bench. */
export function hasFailed({ cells: [ours] }: PeerResult): boolean {
  return ours === undefined || 'failure' in ours;
}

const MOST_SAMPLES = 7;
const FEWEST_SAMPLES = 3;
const SAMPLE_SECONDS = 0.02;
/** The samples of all engines together take so long or as long as the fewest take. */
const ROW_SECONDS = 8;
const MOST_REPETITIONS = 2 ** 12;

/**
 * Checks what each engine gives for each row, and then times them, sample by sample in turn, so that what else the machine
 * does hits all alike. Whoever asks for results may stop after any of them.
 *
 * @param engines ours first
 */
export async function* runPeers(
  engines: readonly PeerEngine[],
  rows: readonly PeerRow[],
): AsyncGenerator<PeerResult, void> {
  for (const row of rows) {
    const racers: Racer[] = [];
    try {
      const inputs = inputsOf(row.work);
      const check = checkerOf(row.work, inputs);
      for (const engine of engines) racers.push(await Racer.enter(engine, row, inputs, check));
      await race(racers.filter((racer) => racer.prepared));
      const ours = racers[0]?.prepared ? racers[0].samples : [];
      yield { kernel: row.work.kind, name: row.name, flops: row.flops, cells: racers.map((racer) => racer.cell(ours)) };
    } finally {
      for (const { prepared } of racers) prepared?.dispose();
    }
  }
}

/** An engine in a row. */
class Racer {
  /** Seconds that one repetition took, by sample. */
  readonly samples: number[] = [];
  repetitions = 1;
  /** Of a sample. */
  seconds = 0;
  /** Seconds until its results were there. */
  private ready = 0;

  private constructor(
    readonly engine: string,
    public prepared: PreparedWork | undefined,
    private failure?: string,
  ) {}

  /** Prepares the row, checks its result and finds how many repetitions a sample takes. */
  static async enter(
    engine: PeerEngine,
    { work }: PeerRow,
    inputs: Parameters<PeerEngine['prepare']>[1],
    check: ReturnType<typeof checkerOf>,
  ): Promise<Racer> {
    let prepared: PreparedWork | undefined;
    const start = performance.now();
    try {
      prepared = await engine.prepare(work, inputs);
      const racer = new Racer(engine.name, prepared);
      if (prepared) {
        const results = await prepared.results();
        racer.ready = (performance.now() - start) / 1000;
        check(results);
        await racer.calibrate();
      }
      return racer;
    } catch (error) {
      prepared?.dispose();
      return new Racer(engine.name, undefined, messageOf(error));
    }
  }

  private async calibrate(): Promise<void> {
    await this.sample(); // the first is slower: drivers compile late
    for (;;) {
      this.seconds = (await this.sample()) * this.repetitions;
      if (this.seconds >= SAMPLE_SECONDS || this.repetitions >= MOST_REPETITIONS) break;
      const enough = Math.ceil((this.repetitions * SAMPLE_SECONDS * 1.2) / Math.max(this.seconds, 1e-4));
      this.repetitions = Math.min(MOST_REPETITIONS, Math.max(this.repetitions * 2, enough));
    }
  }

  /** The seconds that a repetition took. */
  private async sample(): Promise<number> {
    const start = performance.now();
    await this.prepared?.run(this.repetitions);
    return (performance.now() - start) / 1000 / this.repetitions;
  }

  /** Takes a sample; an engine that fails now is out. */
  async lap(): Promise<void> {
    if (!this.prepared) return;
    try {
      this.samples.push(await this.sample());
    } catch (error) {
      this.failure = messageOf(error);
      this.prepared.dispose();
      this.prepared = undefined;
    }
  }

  cell(ours: readonly number[]): PeerCell {
    const { engine, failure, samples } = this;
    if (failure !== undefined) return { engine, failure };
    if (samples.length === 0) return { engine, absent: true };
    const middle = quantile(samples, 0.5);
    return {
      engine,
      ready: this.ready,
      microseconds: middle * 1e6,
      spread: (quantile(samples, 0.75) - quantile(samples, 0.25)) / 2 / middle,
      ratio:
        ours.length > 0
          ? quantile(
              samples.map((seconds, index) => seconds / (ours[index] as number)),
              0.5,
            )
          : null,
    };
  }
}

/** A sample of each in turn, and again. */
async function race(racers: readonly Racer[]): Promise<void> {
  const round = racers.reduce((sum, { seconds }) => sum + seconds, 0);
  const samples = Math.min(MOST_SAMPLES, Math.max(FEWEST_SAMPLES, Math.floor(ROW_SECONDS / round)));
  for (let sample = 0; sample < samples; sample++) {
    for (const racer of racers) await racer.lap();
  }
}

function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.round(q * (sorted.length - 1))] as number;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
