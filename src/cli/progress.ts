import { SingleBar } from 'cli-progress';
import { formatDuration, formatNumber, formatRate, formatShare } from '../common/format';
import { Eta } from '../common/eta';
import { hanging } from '../common/textWrap';

/** What a progress display shows of a step. */
export interface StepFigures {
  readonly loss: number;
  readonly imagesPerSecond: number;
  /** Of a streamed set: the share of the time that the GPU waited for images. */
  readonly waiting?: number;
}

/** Shows how a run comes along. */
export interface Progress {
  /**
   * A phase begins; the one before it, if any, is closed with a line.
   *
   * @param total steps of the phase
   * @param start steps done already, of a resumed run
   * @param unit what is counted where it is no steps; lines then come at every tenth
   */
  phase(name: string, total: number, start?: number, unit?: string): void;
  /** `step` steps of the phase are done. */
  step(step: number, figures?: StepFigures): void;
  /** A text that stays, behind a label. */
  note(label: string, text: string): void;
  /** The run ends, well or not: the display is put away. */
  stop(): void;
}

export interface ProgressOptions {
  /** Steps between plain lines, where there is no terminal. */
  readonly logEvery: number;
  /** Default: the standard output. */
  readonly stream?: NodeJS.WriteStream;
}

/** Labels and what comes behind them stand in columns. */
function lead(label: string): string {
  return `${label.padEnd(8)}  `;
}

/** A bar on a terminal, plain lines elsewhere. */
export function createProgress(options: ProgressOptions): Progress {
  const { logEvery, stream = process.stdout } = options;
  return stream.isTTY ? new BarProgress(stream) : new LineProgress(stream, logEvery);
}

/** Shows how far work is that tells of its parts: batches, or steps. */
export function showParts(progress: Progress, title: string): (done: number, total: number) => void {
  let begun = false;
  return (done, total) => {
    if (!begun) progress.phase(title, total, 0, 'parts');
    begun = true;
    progress.step(done);
  };
}

/** Where a phase stands. */
class PhaseState {
  private readonly began = performance.now();
  private readonly pace = new Eta();
  step: number;
  figures: StepFigures | undefined;

  constructor(
    readonly name: string,
    readonly total: number,
    private readonly start: number,
    private readonly unit: string | undefined,
  ) {
    this.step = start;
  }

  /** Steps between plain lines, where steps of training have `logEvery`. */
  every(logEvery: number): number {
    return this.unit === undefined ? logEvery : Math.ceil(this.total / 10);
  }

  update(step: number, figures: StepFigures | undefined): void {
    this.step = step;
    this.figures = figures;
    this.pace.update(step);
  }

  describeFigures(): string {
    const { figures } = this;
    if (!figures) return '';
    const waiting = figures.waiting === undefined ? '' : `  ${formatShare(figures.waiting)} waiting for images`;
    return `loss ${formatNumber(figures.loss)}  ${formatRate(figures.imagesPerSecond)} images/s${waiting}`;
  }

  describeTimeLeft(): string {
    const left = this.pace.secondsLeft(this.total);
    return left === undefined || this.step >= this.total ? '' : `  ${formatDuration(Math.ceil(left))} left`;
  }

  describeEnd(): string {
    const seconds = (performance.now() - this.began) / 1000;
    const figures = this.describeFigures();
    const resumed = this.start > 0 ? ` (from step ${this.start})` : '';
    const outcome =
      this.step >= this.total
        ? `${this.total} ${this.unit ?? 'steps'}`
        : this.unit === undefined
          ? `stopped at step ${this.step} of ${this.total}`
          : `stopped after ${this.step} of ${this.total} ${this.unit}`;
    return `${outcome}${resumed} in ${formatDuration(seconds)}${figures && `  ${figures}`}`;
  }
}

class LineProgress implements Progress {
  private current: PhaseState | undefined;

  constructor(
    private readonly stream: NodeJS.WriteStream,
    private readonly logEvery: number,
  ) {}

  phase(name: string, total: number, start = 0, unit?: string): void {
    this.stop();
    this.current = new PhaseState(name, total, start, unit);
  }

  step(step: number, figures?: StepFigures): void {
    const { current } = this;
    if (!current) return;
    current.update(step, figures);
    if (step % current.every(this.logEvery) !== 0 && step < current.total) return;
    const done = String(step).padStart(String(current.total).length);
    this.note(
      current.name,
      `${done}/${current.total}  ${current.describeFigures()}${current.describeTimeLeft()}`.trimEnd(),
    );
  }

  note(label: string, text: string): void {
    this.stream.write(`${lead(label)}${text}\n`);
  }

  stop(): void {
    if (this.current) this.note(this.current.name, this.current.describeEnd());
    this.current = undefined;
  }
}

class BarProgress implements Progress {
  private current: PhaseState | undefined;
  private bar: SingleBar | undefined;

  constructor(private readonly stream: NodeJS.WriteStream) {}

  phase(name: string, total: number, start = 0, unit?: string): void {
    this.stop();
    this.current = new PhaseState(name, total, start, unit);
    this.showBar();
  }

  step(step: number, figures?: StepFigures): void {
    this.current?.update(step, figures);
    this.bar?.update(step);
  }

  note(label: string, text: string): void {
    // A bar of its own after each line: one that outlives a scrolling terminal would put its cursor back into the text.
    this.bar?.stop();
    this.stream.write(`${hanging(lead(label), text, this.stream.columns || Infinity).join('\n')}\n`);
    if (this.current) this.showBar();
  }

  stop(): void {
    const { current } = this;
    this.current = undefined;
    if (current) this.note(current.name, current.describeEnd());
    this.bar = undefined;
  }

  private showBar(): void {
    const { current, stream } = this;
    if (!current) return;
    this.bar = new SingleBar({
      stream,
      format: () => barLine(current, stream.columns),
      clearOnComplete: true,
      forceRedraw: true,
      gracefulExit: false,
      linewrap: true,
    });
    this.bar.start(current.total, current.step);
  }
}

const LONGEST_BAR = 30;
const SHORTEST_BAR = 5;

/** The bar of a phase with its figures; on a narrow terminal first the bar goes, then the figures, last the time left. */
function barLine(phase: PhaseState, columns = 80): string {
  const done = `${String(phase.step).padStart(String(phase.total).length)}/${phase.total}`;
  const left = phase.describeTimeLeft();
  const texts = [`${done}  ${phase.describeFigures()}${left}`, `${done}${left}`];
  const text = texts.find((each) => lead(phase.name).length + each.length < columns) ?? done;
  const room = Math.min(LONGEST_BAR, columns - 1 - `${lead(phase.name)}  ${text}`.length);
  const filled = Math.floor((room * Math.min(phase.step, phase.total)) / Math.max(1, phase.total));
  const bar = room < SHORTEST_BAR ? '' : `${'█'.repeat(filled)}${'░'.repeat(room - filled)}  `;
  return `${lead(phase.name)}${bar}${text}`.slice(0, columns - 1);
}
