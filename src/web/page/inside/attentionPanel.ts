import type { AttentionLayer, AttentionMap, InspectedPart } from '../../../imae/inspect/inspector';
import type { ViewerTask } from '../../../imae/inspect/viewer';
import { choiceField } from '../../components/choice';
import { element } from '../../components/dom';
import { partTitles } from './attention';
import { AttentionMaps } from './attentionMaps';
import type { MapPainter } from './mapPainter';
import { placeName } from './places';

/** A model's layers, and what a token attends to in each of them. */
export interface ShownAttention {
  readonly layers: readonly AttentionLayer[];
  /** Of each layer; undefined where it has no such token. */
  readonly maps: readonly (AttentionMap | undefined)[];
  readonly painter: MapPainter;
  readonly grid: number;
  /** The place that attends; none: the class token. */
  readonly chosen: number | undefined;
  readonly isHidden: boolean;
}

/** What a chosen patch attends to in a part of the model that can be chosen. */
export class AttentionPanel {
  readonly element: HTMLElement;
  private readonly parts = element('div');
  private readonly token = element('p', { class: 'token', role: 'status' });
  private readonly missing = element('div', { class: 'missing', hidden: true });
  private readonly maps = new AttentionMaps();
  private task: ViewerTask = 'both';
  private part: InspectedPart = 'encoder';
  /** The part that maps are laid out for, and of which layers. */
  private laidOut: { readonly part: InspectedPart; readonly layers: string } | undefined;
  private shown: ShownAttention | undefined;

  /** @param onClassToken is called where the user wants the class token in place of a patch that has none */
  constructor(private readonly onClassToken: () => void) {
    this.element = element(
      'section',
      { class: 'attention' },
      element('div', { class: 'head' }, element('h2', {}, 'What it attends to'), this.parts),
      this.token,
      element('div', { class: 'place' }, this.missing, this.maps.element),
    );
  }

  setTask(task: ViewerTask): void {
    this.task = task;
    this.choosePart('encoder');
  }

  show(shown: ShownAttention): void {
    this.shown = shown;
    const { painter, grid, chosen, isHidden } = shown;
    const { layers, maps } = ofPart(shown, this.part);
    const name = chosen === undefined ? 'The class token' : capital(placeName(chosen, grid, isHidden));
    const isMissing = maps.length < layers.length;
    this.missing.hidden = !isMissing;
    this.maps.element.classList.toggle('absent', isMissing); // it keeps its place, so that nothing below moves
    if (isMissing) {
      this.token.textContent = `${name}: the encoder has no token of it.`;
      this.missing.replaceChildren(
        element(
          'p',
          { class: 'note' },
          'It sees the visible patches only, and the class token. In the decoder each hidden patch is a mask token, which attends as every other does.',
        ),
        element('button', { type: 'button', onclick: this.onClassToken }, 'The class token'),
        element('button', { type: 'button', onclick: () => this.choosePart('subordinate') }, 'The decoder'),
      );
      return;
    }
    this.token.textContent = `${name} attends to:`;
    const wanted = { part: this.part, layers: JSON.stringify(layers) };
    if (this.laidOut?.part !== wanted.part || this.laidOut.layers !== wanted.layers) {
      this.laidOut = wanted;
      this.maps.layOut(layers);
    }
    this.maps.show({ maps, painter, grid, chosen });
  }

  private choosePart(part: InspectedPart): void {
    this.part = part;
    this.parts.replaceChildren(
      choiceField({
        label: 'Part of the model',
        options: partTitles(this.task),
        chosen: part,
        onChoose: (chosen) => {
          this.part = chosen;
          if (this.shown) this.show(this.shown);
        },
      }),
    );
    if (this.shown) this.show(this.shown);
  }
}

function ofPart(
  { layers, maps }: ShownAttention,
  part: InspectedPart,
): { layers: AttentionLayer[]; maps: AttentionMap[] } {
  return {
    layers: layers.filter((layer) => layer.part === part),
    maps: maps.flatMap((map, index) => (map && layers[index]?.part === part ? [map] : [])),
  };
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
