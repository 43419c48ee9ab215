import { element } from '../../components/dom';
import type { OpenedModel } from '../viewingApi';
import { fileButton } from './picker';
import { aboutModel } from './words';

const HINT = 'a checkpoint (.safetensors) that was trained here or in Node; or drop its file anywhere on this page';

/** Which model is looked at, on what it runs, and a button to open another. */
export class ModelPanel {
  readonly element: HTMLElement;
  private readonly line = element('p', {}, 'No model is open yet.');

  constructor(onFile: (file: File) => void) {
    this.element = element(
      'section',
      {},
      element('h2', {}, 'Model'),
      this.line,
      element('div', { class: 'row' }, fileButton('Open a model…', '.safetensors', onFile), element('span', { class: 'note' }, HINT)),
    );
  }

  show(opened: OpenedModel): void {
    const adapter = element('span', { class: opened.software ? 'software' : '' }, opened.adapter);
    this.line.replaceChildren(element('strong', {}, opened.name), `: ${aboutModel(opened)}. It runs on `, adapter, '.');
  }
}
