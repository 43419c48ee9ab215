import type { ViewerTask } from '../../../imae/inspect/viewer';
import { element } from '../../components/dom';
import { fileButton } from '../../components/files';
import { MODEL_ENDINGS } from '../currentModel';
import { withoutFlags } from '../withoutFlags';
import type { OpenedModel } from '../viewingApi';

const HINT =
  'a checkpoint (.safetensors) that was trained here or in Node, or a published MAE or i-MAE with its decoder (.pth); or drop its file anywhere on this page';

/** Which model is looked at, on what it runs, and a button to open another. */
export class ModelPanel {
  readonly element: HTMLElement;
  private readonly line = element('p', {}, 'No model is open yet.');
  private readonly assumed = element('p', { class: 'note', hidden: true });

  constructor(onFile: (file: File) => void) {
    this.element = element(
      'section',
      {},
      element('h2', {}, 'Model'),
      this.line,
      this.assumed,
      element(
        'div',
        { class: 'row' },
        fileButton('Open a model…', MODEL_ENDINGS.join(','), onFile),
        element('span', { class: 'note' }, HINT),
      ),
    );
  }

  show(opened: OpenedModel): void {
    const adapter = element('span', { class: opened.software ? 'software' : '' }, opened.adapter);
    this.line.replaceChildren(element('strong', {}, opened.name), `: ${aboutModel(opened)}. It runs on `, adapter, '.');
    const { assumed = [] } = opened.facts;
    this.assumed.hidden = assumed.length === 0;
    this.assumed.textContent = `Its file does not say, and so it is assumed: ${withoutFlags(assumed.join('; '))}.`;
  }
}

const TASKS: Readonly<Record<ViewerTask, string>> = {
  both: 'i-MAE with two branches',
  subordinate: 'i-MAE of the subordinate alone: it paints only the image of less weight',
  mixture: 'a vanilla MAE: it never learned to take mixtures apart, it completes them',
};

/** What kind of model is open, in a line. */
function aboutModel({ facts, task }: Pick<OpenedModel, 'facts' | 'task'>): string {
  const { size, step } = facts;
  const steps = step === undefined ? '' : `, ${step.toLocaleString('en')} steps`;
  return `${TASKS[task]}; ${size.image} × ${size.image} pixels in ${(size.image / size.patch) ** 2} patches${steps}`;
}
