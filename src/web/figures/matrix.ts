import type { MatrixFigure } from '../../report/figures';
import { element, svg } from '../components/dom';
import { formatValue } from './lines';
import { colourAt, isLight, scaleOf, type Scale } from './scale';

/* In CSS pixels. */
const LARGEST_CELL = 52;
const CELL_WITH_NUMBER = 30;
const LETTER = 6.6;
const LABEL_HEIGHT = 13;
const GAP = 6;
const TITLE = 20;
const MOST_LABEL = 130;
/** Where the place's width is not known yet. */
const FIRST_WIDTH = 600;
const COLOUR_STEPS = 32;

/** Values as colours, with their numbers where there is room for them, and the scale of the colours under them. */
export function matrix(figure: MatrixFigure): HTMLElement {
  const values = figure.values.flat().filter((value) => value !== null);
  const scale = scaleOf(figure.value, values, { round: false });
  const place = element('div', { class: 'plate' });
  let drawnFor = 0;
  const draw = (width: number): void => {
    if (width === drawnFor) return;
    drawnFor = width;
    place.replaceChildren(drawMatrix(figure, scale, width));
  };
  draw(FIRST_WIDTH);
  new ResizeObserver(() => {
    if (place.clientWidth > 0) draw(place.clientWidth);
  }).observe(place);
  return element(
    'div',
    { class: 'card matrix' },
    element(
      'div',
      { class: 'heading' },
      element('h4', {}, figure.title),
      element('span', { class: 'unit' }, figure.value.title),
    ),
    place,
    colourBar(scale),
  );
}

function drawMatrix({ rows, columns, values, title, value }: MatrixFigure, scale: Scale, width: number): SVGElement {
  const widest = (labels: readonly string[]): number =>
    Math.min(MOST_LABEL, LETTER * Math.max(0, ...labels.map((label) => label.length)));
  const left = TITLE + widest(rows.labels) + GAP;
  const cell = Math.max(1, Math.min(LARGEST_CELL, (width - left - 1) / Math.max(1, columns.labels.length)));
  const upright = widest(columns.labels) > cell - 2;
  const top = TITLE + (upright ? widest(columns.labels) : LABEL_HEIGHT) + GAP;
  const [across, down] = [left + cell * columns.labels.length, top + cell * rows.labels.length];
  const text = (words: string, x: number, y: number, more: Readonly<Record<string, string>> = {}): SVGElement =>
    svg('text', { x, y, ...more }, document.createTextNode(words));
  const turned = (words: string, x: number, y: number, anchor: string, kind = 'label'): SVGElement =>
    text(words, 0, 0, { class: kind, 'text-anchor': anchor, transform: `translate(${x} ${y}) rotate(-90)` });
  const every = Math.ceil((LABEL_HEIGHT + 1) / cell);
  const centre = (index: number): number => (index + 0.5) * cell;
  const showNumbers = cell >= CELL_WITH_NUMBER;
  return svg(
    'svg',
    {
      width: Math.ceil(across + 1),
      height: Math.ceil(down + 1),
      viewBox: `0 0 ${Math.ceil(across + 1)} ${Math.ceil(down + 1)}`,
      role: 'img',
      'aria-label': `${title}: ${value.title}`,
    },
    text(columns.title, left + (across - left) / 2, 12, { class: 'title', 'text-anchor': 'middle' }),
    turned(rows.title, 12, top + (down - top) / 2, 'middle', 'title'),
    ...columns.labels.flatMap((label, at) =>
      (upright && at % every !== 0) || label === ''
        ? []
        : [
            upright
              ? turned(shortened(label), left + centre(at) + 4, top - GAP, 'start')
              : text(label, left + centre(at), top - GAP, { class: 'label', 'text-anchor': 'middle' }),
          ],
    ),
    ...rows.labels.flatMap((label, at) =>
      at % every === 0
        ? [text(shortened(label), left - GAP, top + centre(at) + 4, { class: 'label', 'text-anchor': 'end' })]
        : [],
    ),
    ...values.flatMap((row, y) =>
      row.flatMap((shown, x) => {
        const said = `${rows.labels[y] ?? ''}, ${columns.labels[x] ?? ''}: ${shown === null ? 'none' : formatValue(shown)}`;
        const share = shown === null ? 0 : scale.at(shown);
        const box = svg(
          'rect',
          {
            x: left + x * cell,
            y: top + y * cell,
            width: cell + 0.3, // no seams between neighbours
            height: cell + 0.3,
            ...(shown === null ? { class: 'none' } : { fill: `rgb(${colourAt(share).join(' ')})` }),
          },
          svg('title', {}, document.createTextNode(said)),
        );
        if (shown === null || !showNumbers) return [box];
        const number = text(shortNumber(shown), left + x * cell + cell / 2, top + y * cell + cell / 2 + 4, {
          class: isLight(share) ? 'number dark' : 'number light',
          'text-anchor': 'middle',
        });
        return [box, number];
      }),
    ),
  );
}

/** A number of at most four characters or so, for a cell. */
function shortNumber(value: number): string {
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e4) return String(value);
  if (size < 10) return value.toFixed(2).replace(/^(-?)0\./, '$1.');
  return size < 1e4 ? value.toFixed(0) : value.toExponential(0).replace('e+', 'e');
}

function shortened(label: string): string {
  const most = Math.floor(MOST_LABEL / LETTER);
  return label.length <= most ? label : `${label.slice(0, most - 1)}…`;
}

function colourBar({ low, high }: Scale): HTMLElement {
  const stops = Array.from({ length: COLOUR_STEPS + 1 }, (_, at) => `rgb(${colourAt(at / COLOUR_STEPS).join(' ')})`);
  return element(
    'div',
    { class: 'colours' },
    element('span', {}, formatValue(low)),
    element('span', { class: 'ramp', style: `background: linear-gradient(90deg, ${stops.join(', ')})` }),
    element('span', {}, formatValue(high)),
  );
}
