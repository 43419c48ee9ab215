import { FREE_MASKS, freeMaskOf, type FreeMask } from '../../../imae/mask/maskOrders';
import type { MaskKind } from '../../../imae/mask/masks';
import { element } from '../../components/dom';

/** What is hidden, by the names that the option for it has in training. */
export class MaskSelect {
  readonly element: HTMLElement;
  private readonly select: HTMLSelectElement;

  constructor(onChange: () => void) {
    this.select = element(
      'select',
      { onchange: onChange },
      FREE_MASKS.map((kind) => element('option', { value: kind }, kind)),
    );
    this.element = element('label', { class: 'mask-kind' }, element('span', {}, 'mask'), this.select);
  }

  get kind(): FreeMask {
    return FREE_MASKS.find((kind) => kind === this.select.value) ?? 'random';
  }

  /** Chooses what a model was trained with, where a page can draw it; else any patches. */
  fit(mask: MaskKind | undefined): void {
    this.select.value = freeMaskOf(mask);
  }
}
