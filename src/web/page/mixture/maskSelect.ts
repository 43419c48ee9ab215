import type { MaskKind } from '../../../imae/masks';
import { element } from '../../components/dom';
import { SHOWN_MASKS, type ShownMask } from './maskOrder';

const TITLES: Readonly<Record<ShownMask, string>> = {
  random: 'any patches (random)',
  block: 'blocks (block)',
  grid: 'all but a grid (grid)',
  variance: 'rather the busy ones (variance)',
};

/** What the mask hides. */
export class MaskSelect {
  readonly element: HTMLElement;
  private readonly select: HTMLSelectElement;

  constructor(onChange: () => void) {
    this.select = element('select', { onchange: onChange }, SHOWN_MASKS.map((kind) => element('option', { value: kind }, TITLES[kind])));
    this.element = element('label', { class: 'mask-kind' }, element('span', {}, 'hides'), this.select);
  }

  get kind(): ShownMask {
    return SHOWN_MASKS.find((kind) => kind === this.select.value) ?? 'random';
  }

  /** Chooses what a model was trained with, where a page can draw it; else any patches. */
  fit(mask: MaskKind | undefined): void {
    this.select.value = SHOWN_MASKS.find((kind) => kind === mask) ?? 'random';
  }
}
