import { element } from './dom';

/** A slider through moments of training, with a button at each end that goes one on. */
export interface StepSlider {
  readonly element: HTMLElement;
  /** Shows which moments there are, and at which of them it stands. @param steps steps done at each */
  show(steps: readonly number[], index: number): void;
}

/** @param onMove is told the moment that somebody moved to */
export function stepSlider(onMove: (index: number) => void): StepSlider {
  let at = 0;
  const slider = element('input', {
    type: 'range',
    min: 0,
    step: 1,
    'aria-label': 'Steps of training',
    oninput: () => onMove(Number(slider.value)),
  });
  const output = element('output', { class: 'step' });
  const button = (by: number, sign: string, name: string): HTMLButtonElement =>
    element('button', { type: 'button', 'aria-label': name, title: name, onclick: () => onMove(at + by) }, sign);
  const earlier = button(-1, '‹', 'Earlier');
  const later = button(1, '›', 'Later');
  const move = [earlier, slider, later];
  return {
    element: element('div', { class: 'slider' }, move, output),
    show: (steps, index) => {
      at = index;
      const last = steps.length - 1;
      const text = `${(steps[index] ?? 0).toLocaleString('en')} steps`;
      slider.max = String(last);
      slider.value = String(index);
      slider.setAttribute('aria-valuetext', text);
      output.textContent = `after ${text}`;
      earlier.disabled = index <= 0;
      later.disabled = index >= last;
      for (const each of move) each.hidden = last < 1;
    },
  };
}
