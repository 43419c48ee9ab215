import type { MaskKind } from '../../../imae/masks';
import { element } from '../../components/dom';
import { SHOWN_MASKS, type ShownMask } from './maskOrder';

/** What is hidden, by the names that the option for it has in training. */
export class MaskSelect {
  readonly element: HTMLElement;
  private readonly select: HTMLSelectElement;

  constructor(onChange: () => void) {
    this.select = element('select', { onchange: onChange }, SHOWN_MASKS.map((kind) => element('option', { value: kind }, kind)));
    this.element = element('label', { class: 'mask-kind' }, element('span', {}, 'mask'), this.select);
  }

  get kind(): ShownMask {
    return SHOWN_MASKS.find((kind) => kind === this.select.value) ?? 'random';
  }

  /** Chooses what a model was trained with, where a page can draw it; else any patches. */
  fit(mask: MaskKind | undefined): void {
    this.select.value = SHOWN_MASKS.find((kind) => kind === mask) ?? 'random';
  }
}
