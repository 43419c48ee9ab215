import { element } from '../../components/dom';
import type { OpenedModel } from '../viewingApi';
import { isShipped } from '../viewing';
import { fileButton } from './picker';
import { aboutModel } from './words';

/** Which model is looked at, on what it runs, and a button to open another. */
export class ModelPanel {
  readonly element: HTMLElement;
  private readonly line = element('p', {}, 'No model is open yet.');
  private readonly hint = element('p', { class: 'note' });

  constructor(onFile: (file: File) => void) {
    this.element = element(
      'section',
      {},
      element('h2', {}, 'Model'),
      this.line,
      element('div', { class: 'row' }, fileButton('Open a model…', '.safetensors', onFile), this.hint),
    );
  }

  /** @param builtIn whether both images are of the built-in set */
  show(opened: OpenedModel | undefined, builtIn: boolean): void {
    this.hint.textContent =
      opened && isShipped(opened) && !builtIn
        ? 'This model has only ever seen drawn shapes like those above. Of any other picture it makes shapes.'
        : 'A checkpoint that was trained here or in Node; or drop its file anywhere on this page.';
    if (!opened) return;
    const adapter = element('span', { class: opened.software ? 'software' : '' }, opened.adapter);
    this.line.replaceChildren(element('strong', {}, opened.name), `: ${aboutModel(opened)}. It runs on `, adapter, '.');
  }
}
