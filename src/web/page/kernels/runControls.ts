import { counted } from '../../../common/format';
import { element } from '../../components/dom';
import { formatKernelTime } from './results';
import type { Outcome, SuiteProgress, RunKind } from './runs';

/** What can be run: how many tests and cases the filter leaves. */
export interface Counts {
  readonly tests: number;
  readonly benches: number;
}

export interface RunControls {
  readonly element: HTMLElement;
  /** Offers runs, or none where there is no device. */
  offer(counts: Counts, possible: boolean): void;
  /** Shows a run; the clock counts from the first call until `end`. */
  progress(progress: SuiteProgress): void;
  end(outcome: Outcome): void;
}

const TICK = 200;

/** The filter, the buttons that start and stop, and how far it is. */
export function runControls(on: {
  readonly filter: (text: string) => void;
  readonly run: (kind: RunKind) => void;
  readonly stop: () => void;
}): RunControls {
  const filter = element('input', {
    type: 'search',
    placeholder: 'all kernels',
    autocomplete: 'off',
    spellcheck: 'false',
    oninput: () => on.filter(filter.value),
  });
  let pressed: HTMLElement | undefined;
  const starter = (kind: RunKind, primary: boolean): HTMLButtonElement => {
    const button = element('button', {
      type: 'button',
      class: primary ? 'primary' : '',
      disabled: true,
      onclick: () => {
        pressed = button;
        on.run(kind);
      },
    });
    return button;
  };
  const starters = { tests: starter('tests', true), benches: starter('benches', true), step: starter('step', false) };
  const stop = element('button', { type: 'button', hidden: true, onclick: on.stop }, 'Stop');
  const bar = element('progress', { 'aria-label': 'Progress' });
  const line = element('p', { class: 'line' });
  const running = element('div', { class: 'running', hidden: true }, bar, line);
  // What is said aloud: the start and the end, not every test between.
  const ended = element('p', { class: 'ended', role: 'status' });

  let offered: { counts: Counts; possible: boolean } = { counts: { tests: 0, benches: 0 }, possible: false };
  let shown: SuiteProgress | undefined;
  let began = 0;
  let clock: ReturnType<typeof setInterval> | undefined;

  const showButtons = (): void => {
    const { counts, possible } = offered;
    const free = possible && !shown;
    starters.tests.textContent = `Run ${counted(counts.tests, 'test')}`;
    starters.benches.textContent = `Time ${counted(counts.benches, 'case')}`;
    starters.step.textContent = 'Time a training step';
    starters.tests.disabled = !free || counts.tests === 0;
    starters.benches.disabled = !free || counts.benches === 0;
    starters.step.disabled = !free;
    stop.hidden = !shown;
    running.hidden = !shown;
  };

  const showLine = (): void => {
    if (!shown) return;
    const { done, count, name } = shown;
    const parts = [count === undefined ? '' : `${done} of ${count}`, formatKernelTime(performance.now() - began), name];
    line.textContent = parts.filter((part) => part !== '').join(' · ');
  };

  showButtons();
  return {
    element: element(
      'section',
      { class: 'card controls', 'aria-label': 'Run' },
      element('label', {}, element('span', {}, 'Filter'), filter),
      element('div', { class: 'buttons' }, Object.values(starters), stop),
      running,
      ended,
    ),
    offer: (counts, possible) => {
      offered = { counts, possible };
      showButtons();
    },
    progress: (progress) => {
      const first = !shown;
      shown = progress;
      if (first) {
        began = performance.now();
        clock = setInterval(showLine, TICK);
        ended.className = 'ended';
        ended.textContent = '';
        showButtons();
        stop.focus();
      }
      if (progress.count === undefined) bar.removeAttribute('value');
      else [bar.max, bar.value] = [progress.count, progress.done];
      showLine();
    },
    end: ({ state, text }) => {
      clearInterval(clock);
      const focused = document.activeElement === stop;
      shown = undefined;
      ended.className = `ended ${{ passed: 'good', failed: 'bad', stopped: '' }[state]}`;
      ended.replaceChildren(
        element('span', { class: 'mark', 'aria-hidden': 'true' }, { passed: '✓', failed: '✗', stopped: '' }[state]),
        text,
      );
      showButtons();
      if (focused) pressed?.focus();
    },
  };
}
