import { counted } from '../../../common/format';
import { element } from '../../components/dom';
import { formatKernelTime } from './results';
import type { Outcome, SuiteProgress, RunKind } from './runs';

/** What can be run: how many tests and cases the filter leaves. */
export interface Counts {
  readonly tests: number;
  readonly benches: number;
}

/** What the controls are for. */
export interface RunHandlers {
  readonly filter: (text: string) => void;
  readonly run: (kind: RunKind) => void;
  readonly stop: () => void;
}

const TICK = 200;

/** The filter, the buttons that start and stop, and how far it is. */
export class RunControls {
  readonly element: HTMLElement;
  private readonly starters = {
    tests: this.starter('tests', true),
    benches: this.starter('benches', true),
    step: this.starter('step', false),
  };
  private readonly stop: HTMLButtonElement;
  private readonly bar = element('progress', { 'aria-label': 'Progress' });
  private readonly line = element('p', { class: 'line' });
  private readonly running = element('div', { class: 'running', hidden: true }, this.bar, this.line);
  /** What is said aloud: the start and the end, not every test between. */
  private readonly ended = element('p', { class: 'ended', role: 'status' });
  private pressed: HTMLElement | undefined;
  private offered: { counts: Counts; possible: boolean } = { counts: { tests: 0, benches: 0 }, possible: false };
  private shown: SuiteProgress | undefined;
  private began = 0;
  private clock: ReturnType<typeof setInterval> | undefined;

  constructor(private readonly on: RunHandlers) {
    const filter = element('input', {
      type: 'search',
      placeholder: 'all kernels',
      autocomplete: 'off',
      spellcheck: 'false',
      oninput: () => on.filter(filter.value),
    });
    this.stop = element('button', { type: 'button', hidden: true, onclick: on.stop }, 'Stop');
    this.showButtons();
    this.element = element(
      'section',
      { class: 'card controls', 'aria-label': 'Run' },
      element('label', {}, element('span', {}, 'Filter'), filter),
      element('div', { class: 'buttons' }, Object.values(this.starters), this.stop),
      this.running,
      this.ended,
    );
  }

  /** Offers runs, or none where there is no device. */
  offer(counts: Counts, possible: boolean): void {
    this.offered = { counts, possible };
    this.showButtons();
  }

  /** Shows a run; the clock counts from the first call until `end`. */
  progress(progress: SuiteProgress): void {
    const { bar } = this;
    const first = !this.shown;
    this.shown = progress;
    if (first) {
      this.began = performance.now();
      this.clock = setInterval(() => this.showLine(), TICK);
      this.ended.className = 'ended';
      this.ended.textContent = '';
      this.showButtons();
      this.stop.focus();
    }
    if (progress.count === undefined) bar.removeAttribute('value');
    else [bar.max, bar.value] = [progress.count, progress.done];
    this.showLine();
  }

  end({ state, text }: Outcome): void {
    clearInterval(this.clock);
    const focused = document.activeElement === this.stop;
    this.shown = undefined;
    this.ended.className = `ended ${{ passed: 'good', failed: 'bad', stopped: '' }[state]}`;
    this.ended.replaceChildren(
      element('span', { class: 'mark', 'aria-hidden': 'true' }, { passed: '✓', failed: '✗', stopped: '' }[state]),
      text,
    );
    this.showButtons();
    if (focused) this.pressed?.focus();
  }

  private starter(kind: RunKind, primary: boolean): HTMLButtonElement {
    const button = element('button', {
      type: 'button',
      class: primary ? 'primary' : '',
      disabled: true,
      onclick: () => {
        this.pressed = button;
        this.on.run(kind);
      },
    });
    return button;
  }

  private showButtons(): void {
    const { starters, shown } = this;
    const { counts, possible } = this.offered;
    const free = possible && !shown;
    starters.tests.textContent = `Run ${counted(counts.tests, 'test')}`;
    starters.benches.textContent = `Time ${counted(counts.benches, 'case')}`;
    starters.step.textContent = 'Time a training step';
    starters.tests.disabled = !free || counts.tests === 0;
    starters.benches.disabled = !free || counts.benches === 0;
    starters.step.disabled = !free;
    this.stop.hidden = !shown;
    this.running.hidden = !shown;
  }

  private showLine(): void {
    if (!this.shown) return;
    const { done, count, name } = this.shown;
    const time = formatKernelTime(performance.now() - this.began);
    const parts = [count === undefined ? '' : `${done} of ${count}`, time, name];
    this.line.textContent = parts.filter((part) => part !== '').join(' · ');
  }
}
