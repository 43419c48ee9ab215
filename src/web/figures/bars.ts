import type { BarsFigure } from '../../report/figures';
import { element, svg } from '../components/dom';
import { formatValue } from './lines';
import { scaleOf, type Scale } from './scale';

const HEIGHT = 22;

/** A bar a row, from zero, with its interval as a whisker, its value beside it and one axis under all. */
export function bars({ title, value, bars: drawn }: BarsFigure): HTMLElement {
  const known = drawn.flatMap((bar) => [bar.value, bar.low ?? bar.value, bar.high ?? bar.value]);
  const scale = scaleOf(value, value.logarithmic ? known : [0, ...known]);
  return element(
    'div',
    { class: 'card bars' },
    element('div', { class: 'heading' }, element('h4', {}, title), element('span', { class: 'unit' }, value.title)),
    element(
      'table',
      {},
      element('caption', { class: 'unseen' }, `${title}: ${value.title}`),
      element(
        'tbody',
        {},
        drawn.map((bar) =>
          element(
            'tr',
            bar.reference ? { class: 'reference' } : {},
            element('th', { scope: 'row' }, bar.title),
            element('td', { class: 'bar' }, drawBar(bar, scale)),
            element('td', { class: 'number' }, formatValue(bar.value)),
          ),
        ),
        element(
          'tr',
          { class: 'axis', 'aria-hidden': 'true' },
          element('td'),
          element('td', { class: 'bar' }, axis(scale)),
          element('td'),
        ),
      ),
    ),
  );
}

function drawBar({ value, low, high }: BarsFigure['bars'][number], scale: Scale): SVGElement {
  const zero = Math.max(0, Math.min(1, scale.low > 0 ? 0 : scale.at(0)));
  const end = scale.at(value);
  const parts = [
    ...scale.ticks.map((tick) =>
      svg('line', { class: 'grid', x1: percent(scale.at(tick)), x2: percent(scale.at(tick)), y1: 0, y2: HEIGHT }),
    ),
    svg('rect', { x: percent(Math.min(zero, end)), width: percent(Math.abs(end - zero)), y: 4, height: HEIGHT - 8 }),
  ];
  if (low !== undefined && high !== undefined) {
    const [from, to, middle] = [percent(scale.at(low)), percent(scale.at(high)), HEIGHT / 2];
    parts.push(
      svg('line', { class: 'whisker', x1: from, x2: to, y1: middle, y2: middle }),
      svg('line', { class: 'whisker', x1: from, x2: from, y1: middle - 4, y2: middle + 4 }),
      svg('line', { class: 'whisker', x1: to, x2: to, y1: middle - 4, y2: middle + 4 }),
    );
  }
  parts.push(svg('line', { class: 'zero', x1: percent(zero), x2: percent(zero), y1: 0, y2: HEIGHT }));
  return svg('svg', { width: '100%', height: HEIGHT, 'aria-hidden': 'true' }, ...parts);
}

function axis(scale: Scale): HTMLElement {
  return element(
    'div',
    { class: 'ticks' },
    scale.ticks.map((tick) => element('span', { style: `left: ${percent(scale.at(tick))}` }, formatTick(tick))),
  );
}

function formatTick(tick: number): string {
  return tick !== 0 && (Math.abs(tick) < 1e-3 || Math.abs(tick) >= 1e5)
    ? tick.toExponential().replace('e+', 'e')
    : String(tick);
}

function percent(share: number): string {
  return `${(100 * share).toFixed(3)}%`;
}
