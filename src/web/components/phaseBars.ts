import { element } from './dom';

/** How far a phase of a run is. */
export interface PhaseProgress {
  readonly title: string;
  /** Steps done. */
  readonly done: number;
  /** Steps it has, where that is known. */
  readonly steps?: number;
}

/** A bar for each phase of a run. */
export function phaseBars(phases: readonly PhaseProgress[]): {
  readonly element: HTMLElement;
  update(now: readonly PhaseProgress[]): void;
} {
  const rows = phases.map(({ title }) => ({
    bar: element('progress', { 'aria-label': title }),
    count: element('span', { class: 'number' }),
  }));
  const update = (now: readonly PhaseProgress[]): void => {
    for (const [i, { done, steps }] of now.entries()) {
      const row = rows[i];
      if (!row) continue;
      row.bar.max = Math.max(1, steps ?? done);
      row.bar.value = done;
      row.count.textContent =
        done.toLocaleString('en') + (steps === undefined ? ' steps' : ` of ${steps.toLocaleString('en')}`);
    }
  };
  update(phases);
  const made = element(
    'div',
    { class: 'phases' },
    rows.map(({ bar, count }, i) => element('div', {}, element('span', {}, phases[i]?.title), bar, count)),
  );
  return { element: made, update };
}
