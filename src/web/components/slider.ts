import { element } from './dom';

export interface Slider {
  readonly element: HTMLElement;
  /** Sets where it stands, without calling back. */
  set(value: number): void;
  /** Gives it another number of steps. */
  setMost(most: number): void;
}

/** A slider with its name before it and its value, in words, behind. */
export function slider(settings: {
  readonly label: string;
  /** Its label in full, for those who do not see what it stands by. */
  readonly name: string;
  readonly least: number;
  readonly most: number;
  readonly step: number;
  /** What a value means: short, and in full. */
  readonly text: (value: number) => string;
  readonly fullText: (value: number) => string;
  readonly onInput: (value: number) => void;
}): Slider {
  const output = element('output', {});
  const input = element('input', {
    type: 'range',
    min: settings.least,
    max: settings.most,
    step: settings.step,
    'aria-label': settings.name,
    oninput: () => {
      describe();
      settings.onInput(Number(input.value));
    },
  });
  const describe = (): void => {
    output.textContent = settings.text(Number(input.value));
    input.setAttribute('aria-valuetext', settings.fullText(Number(input.value)));
  };
  return {
    element: element('label', { class: 'knob' }, element('span', {}, settings.label), output, input),
    set: (value) => {
      input.value = String(value);
      describe();
    },
    setMost: (most) => (input.max = String(most)),
  };
}
