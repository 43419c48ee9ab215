import type { Figure, FigurePage, FigureSection } from '../../report/figures';
import { command } from '../components/command';
import '../components/document.css';
import { element, type Child } from '../components/dom';
import { softwareWarning } from '../components/softwareWarning';
import '../components/styles.css';
import { themeSwitch } from '../components/theme';
import { bars } from './bars';
import './figures.css';
import { lines } from './lines';
import { matrix } from './matrix';

/** What captions begin with: tables are counted by themselves, as in papers. */
const COUNTED_AS: Readonly<Record<Figure['kind'], 'Figure' | 'Table'>> = {
  lines: 'Figure',
  bars: 'Figure',
  matrix: 'Figure',
  picture: 'Figure',
  table: 'Table',
};

/** A part of the page that can be linked to. */
function part(id: string, title: string, ...content: readonly (Child | readonly Child[])[]): HTMLElement {
  return element(
    'section',
    { id, class: 'part', 'aria-labelledby': `${id}-title` },
    element('h2', { id: `${id}-title` }, title),
    ...content,
  );
}

/** A figure with its caption under it. */
function figureOf(figure: Figure, number: number): HTMLElement {
  return element(
    'figure',
    { class: `figure ${figure.kind}` },
    drawing(figure, number),
    element(
      'figcaption',
      {},
      element('strong', {}, `${COUNTED_AS[figure.kind]} ${number}. ${sentence(figure.title)} `),
      figure.caption,
    ),
  );
}

function drawing(figure: Figure, number: number): HTMLElement {
  switch (figure.kind) {
    case 'lines':
      return lines(figure, `figure ${number}`);
    case 'bars':
      return bars(figure);
    case 'matrix':
      return matrix(figure);
    case 'table':
      return table(figure);
    case 'picture':
      return element('img', {
        class: 'card',
        src: figure.image,
        width: figure.width,
        height: figure.height,
        alt: figure.title,
      });
  }
}

function table({ title, columns, rows }: Extract<Figure, { kind: 'table' }>): HTMLElement {
  const cell = (text: string, at: number): HTMLElement => {
    const aligned = columns[at]?.numeric ? { class: 'number' } : {};
    return at === 0 ? element('th', { scope: 'row', ...aligned }, text) : element('td', aligned, text);
  };
  return element(
    'div',
    { class: 'card scrolled', tabindex: 0, role: 'group', 'aria-label': title },
    element(
      'table',
      {},
      element(
        'thead',
        {},
        element(
          'tr',
          {},
          columns.map((column) =>
            element('th', { scope: 'col', ...(column.numeric ? { class: 'number' } : {}) }, column.title),
          ),
        ),
      ),
      element(
        'tbody',
        {},
        rows.map((row) => element('tr', {}, row.map(cell))),
      ),
    ),
  );
}

/** A title closed by a full stop, where it has no end of its own. */
function sentence(title: string): string {
  return /[.?!]$/.test(title) ? title : `${title}.`;
}

function sections(all: readonly FigureSection[]): HTMLElement[] {
  const counts = { Figure: 0, Table: 0 };
  return all.map(({ id, title, lead, figures }) =>
    part(
      id,
      title,
      lead === undefined ? undefined : element('p', { class: 'lead' }, lead),
      element(
        'div',
        { class: 'figures' },
        figures.map((figure) => figureOf(figure, ++counts[COUNTED_AS[figure.kind]])),
      ),
    ),
  );
}

function settings(all: FigurePage['settings']): HTMLElement {
  return element(
    'dl',
    { class: 'card facts' },
    all.map(({ name, value }) => element('div', {}, element('dt', {}, name), element('dd', {}, value))),
  );
}

function page(data: FigurePage): void {
  const { title, lead, made, adapter, software } = data;
  const parts = [
    ...sections(data.sections),
    part('settings', 'Configuration', settings([...data.settings, { name: 'adapter', value: adapter }])),
    part('repeat', 'How to repeat it', command(data.command)),
  ];
  document.title = `${title} – palimpsest`;
  document.body.append(
    element('a', { class: 'skip', href: '#main' }, 'To the content'),
    element(
      'header',
      { class: 'top' },
      element('div', { class: 'bar' }, element('span', { class: 'brand' }, 'palimpsest'), themeSwitch()),
      element('h1', {}, title),
      element(
        'p',
        { class: 'note' },
        new Date(made).toLocaleString('en-GB', { dateStyle: 'medium', timeStyle: 'short' }),
      ),
    ),
    element(
      'main',
      { id: 'main' },
      lead.map((text) => element('p', { class: 'lead' }, text)),
      software ? softwareWarning(adapter) : undefined,
      element(
        'nav',
        { 'aria-label': 'Parts of the page' },
        parts.map(({ id }, at) => element('a', { href: `#${id}` }, partTitle(parts, at))),
      ),
      ...parts,
    ),
    element('footer', {}, 'Made by palimpsest. This page holds all its data and asks for nothing from elsewhere.'),
  );
}

function partTitle(parts: readonly HTMLElement[], at: number): string {
  return parts[at]?.querySelector('h2')?.textContent ?? '';
}

page(JSON.parse(document.getElementById('data')?.textContent ?? '') as FigurePage);
