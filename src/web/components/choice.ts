import { element } from './dom';

let groups = 0;

/** One of a few: radio buttons side by side, which arrow keys move through. */
export function choiceField<T extends string>(settings: {
  /** What is chosen, for those who do not see it. */
  readonly label: string;
  readonly options: readonly { readonly value: T; readonly title: string }[];
  readonly chosen: T;
  readonly onChoose: (value: T) => void;
}): HTMLElement {
  const name = `choice-${groups++}`;
  return element(
    'fieldset',
    { class: 'choice' },
    element('legend', { class: 'unseen' }, settings.label),
    settings.options.map(({ value, title }) =>
      element(
        'label',
        {},
        element('input', {
          type: 'radio',
          name,
          value,
          checked: value === settings.chosen,
          onchange: () => settings.onChoose(value),
        }),
        element('span', {}, title),
      ),
    ),
  );
}
