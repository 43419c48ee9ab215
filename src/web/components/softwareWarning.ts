import { element } from './dom';

/** Says loudly that an adapter is none. */
export function softwareWarning(adapter: string): HTMLElement {
  return element(
    'p',
    { class: 'card warning' },
    element('strong', {}, 'Software adapter, not a GPU. '),
    `${adapter} emulates a GPU on the CPU: how fast it was is no result of this project.`,
  );
}
