import { element } from './dom';

/** Asks a question in front of the page. Answers undefined where it was put away (Escape). */
export async function ask<T extends string>(settings: {
  readonly title: string;
  readonly text: string;
  /** The first is the safe one. */
  readonly answers: readonly { readonly value: T; readonly title: string }[];
}): Promise<T | undefined> {
  const { title, text, answers } = settings;
  const dialog = element(
    'dialog',
    { class: 'card ask', 'aria-labelledby': 'ask-title' },
    element('h2', { id: 'ask-title' }, title),
    element('p', {}, text),
    element(
      'form',
      { method: 'dialog', class: 'actions' },
      answers.map(({ value, title: name }, index) =>
        element('button', { value, class: index === 0 ? 'primary' : '' }, name),
      ),
    ),
  );
  document.body.append(dialog);
  dialog.showModal();
  await new Promise((resolve) => dialog.addEventListener('close', resolve, { once: true }));
  dialog.remove();
  return answers.find(({ value }) => value === dialog.returnValue)?.value;
}
