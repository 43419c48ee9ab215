import type { AttentionLayer, AttentionMap } from '../../../imae/inspect/inspector';
import { counted } from '../../../common/format';
import { element } from '../../components/dom';
import {
  describeMap,
  fitsAtAGlance,
  headMaps,
  meanOverHeads,
  formatAttention,
  colourScale,
  strength,
  type HeadMap,
  type ColourScale,
} from './attention';
import type { MapPainter } from './mapPainter';

/** So many maps stand in one row, however narrow the page. */
const ONE_ROW = 6;

/** What is drawn, and on what. */
export interface ShownMaps {
  /** Of each layer that the maps were laid out for. */
  readonly maps: readonly AttentionMap[];
  readonly painter: MapPainter;
  /** Patches a side. */
  readonly grid: number;
  /** The place that attends; none: the class token. */
  readonly chosen: number | undefined;
}

/**
 * One small map for each layer and head. Of a large model first one for each layer, the mean over its heads; pressing it
 * opens them.
 */
export class AttentionMaps {
  readonly element = element('div', { class: 'maps' });
  private layers: readonly AttentionLayer[] = [];
  private shown: ShownMaps | undefined;
  private open: number | undefined;
  private draw: (shown: ShownMaps) => void = () => undefined;

  /** @param layers of one part of a model */
  layOut(layers: readonly AttentionLayer[]): void {
    this.layers = layers;
    this.shown = undefined;
    this.open = undefined;
    this.draw = fitsAtAGlance(layers) ? this.layOutAll() : this.layOutMeans();
  }

  show(shown: ShownMaps): void {
    this.shown = shown;
    this.draw(shown);
  }

  private layOutAll(): (shown: ShownMaps) => void {
    const legend = scaleLegend();
    const layers = this.layers.map(({ block, heads }) => headFigures(block, heads));
    this.element.replaceChildren(
      ...this.layers.map(({ block }, i) => row(`Layer ${block + 1}`, layers[i] ?? [])),
      legend.element,
    );
    return (shown) => {
      const maps = shown.maps.map(headMaps);
      const scale = colourScale(maps.flat());
      for (const [layer, figures] of layers.entries()) drawAll(figures, maps[layer] ?? [], scale, shown);
      legend.show(scale);
    };
  }

  private layOutMeans(): (shown: ShownMaps) => void {
    const legend = scaleLegend();
    const below = element('div', { class: 'maps', id: 'heads-of-layer' });
    const figures = this.layers.map(({ block, heads }, layer) => {
      const figure = mapFigure(
        `Layer ${block + 1}`,
        `Layer ${block + 1}, mean over its ${counted(heads, 'head')}`,
        () => toggle(layer),
      );
      figure.labelled.setAttribute('aria-expanded', 'false');
      figure.labelled.setAttribute('aria-controls', below.id);
      return figure;
    });
    let drawHeads: ((shown: ShownMaps) => void) | undefined;
    const toggle = (pressed: number): void => {
      this.open = this.open === pressed ? undefined : pressed;
      for (const [layer, { labelled }] of figures.entries())
        labelled.setAttribute('aria-expanded', String(layer === this.open));
      drawHeads = this.layOutHeads(below);
      if (this.shown) drawHeads?.(this.shown);
    };
    const means = row('Mean over heads', figures);
    means.firstElementChild?.append(element('span', { class: 'note' }, ' Press a layer for its heads.'));
    this.element.replaceChildren(means, legend.element, below);
    return (shown) => {
      const maps = shown.maps.map(meanOverHeads);
      const scale = colourScale(maps);
      drawAll(figures, maps, scale, shown);
      legend.show(scale);
      drawHeads?.(shown);
    };
  }

  /** The heads of the layer that is open, if one is. */
  private layOutHeads(below: HTMLElement): ((shown: ShownMaps) => void) | undefined {
    below.replaceChildren();
    const { open } = this;
    const layer = open === undefined ? undefined : this.layers[open];
    if (open === undefined || !layer) return undefined;
    const legend = scaleLegend();
    const figures = headFigures(layer.block, layer.heads);
    below.append(row(`Heads of layer ${layer.block + 1}`, figures), legend.element);
    return (shown) => {
      const attention = shown.maps[open];
      const maps = attention ? headMaps(attention) : [];
      const scale = colourScale(maps);
      drawAll(figures, maps, scale, shown);
      legend.show(scale);
    };
  }
}

interface MapFigure {
  readonly element: HTMLElement;
  /** What carries the map's name for those who do not see it. */
  readonly labelled: HTMLElement;
  readonly name: string;
  readonly canvas: HTMLCanvasElement;
  readonly bar: HTMLElement;
  readonly share: HTMLElement;
}

function headFigures(block: number, heads: number): MapFigure[] {
  return Array.from({ length: heads }, (_, head) =>
    mapFigure(`head ${head + 1}`, `Layer ${block + 1}, head ${head + 1}`),
  );
}

/** @param pressed makes the map a button */
function mapFigure(title: string, name: string, pressed?: () => void): MapFigure {
  const canvas = element('canvas', { width: 1, height: 1 });
  const bar = element('i');
  const share = element('span', { class: 'number' });
  const content = [
    canvas,
    element('span', { class: 'caption' }, element('b', {}, title), share),
    element('span', { class: 'class-share', 'aria-hidden': 'true' }, bar),
  ];
  if (pressed) {
    const button = element('button', { type: 'button', class: 'map', 'aria-label': name, onclick: pressed }, content);
    return { element: button, labelled: button, name, canvas, bar, share };
  }
  canvas.setAttribute('role', 'img');
  return { element: element('div', { class: 'map' }, content), labelled: canvas, name, canvas, bar, share };
}

function row(title: string, figures: readonly MapFigure[]): HTMLElement {
  const maps = element(
    'div',
    { class: 'heads' },
    figures.map((each) => each.element),
  );
  if (figures.length <= ONE_ROW) maps.style.setProperty('--columns', String(figures.length));
  return element('section', { class: 'layer' }, element('h4', {}, title), maps);
}

function drawAll(
  figures: readonly MapFigure[],
  maps: readonly HeadMap[],
  scale: ColourScale,
  { painter, grid, chosen }: ShownMaps,
): void {
  for (const [index, { canvas, labelled, name, bar, share }] of figures.entries()) {
    const map = maps[index];
    if (!map) continue;
    painter.paintWeights(canvas, map, scale.top, chosen);
    labelled.setAttribute('aria-label', `${name}: ${describeMap(map, grid)}`);
    share.textContent = `cls ${formatAttention(map.toClass)}`;
    bar.style.width = `${100 * map.toClass}%`;
  }
}

/** What the colours of maps mean. */
function scaleLegend(): { readonly element: HTMLElement; show(scale: ColourScale): void } {
  const even = element('i', { class: 'even' });
  const top = element('span', { class: 'number' });
  const evenText = element('span', { class: 'number' });
  return {
    element: element(
      'p',
      { class: 'scale note' },
      element('span', { class: 'number' }, '0'),
      element('span', { class: 'ramp', 'aria-hidden': 'true' }, even),
      top,
      evenText,
    ),
    show: (scale) => {
      top.textContent = formatAttention(scale.top);
      evenText.textContent = `Notch: ${formatAttention(scale.even)}, if all got the same. cls: share of the class token.`;
      even.style.left = `${100 * Math.min(1, strength(scale.even, scale.top))}%`;
    },
  };
}
