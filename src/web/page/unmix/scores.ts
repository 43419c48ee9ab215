import { element, svg } from '../../components/dom';
import type { RestoredImage } from '../viewingApi';
import { BASELINES, capital, shareOf, unbeaten, verdictOf } from './words';

type Restored = Pick<RestoredImage, 'of' | 'errors'>;

/** How well a mixture was taken apart: in a sentence, and in bars for each reconstruction. @param alpha weight of image 1 */
export function scores(restored: readonly Restored[], alpha: number): HTMLElement {
  const { good, title, text } = verdictOf(restored, alpha);
  const completes = restored[0]?.of === 'mixture';
  return element(
    'div',
    { class: 'scores' },
    element(
      'p',
      { class: 'outcome' },
      completes ? undefined : element('span', { class: good ? 'good' : 'bad', 'aria-hidden': 'true' }, good ? '✓ ' : '✗ '),
      element('strong', { class: completes ? '' : good ? 'good' : 'bad' }, title),
      ' ',
      text,
    ),
    element('div', { class: 'cards' }, [...restored].sort((a, b) => Number(a.of) - Number(b.of)).map((each) => card(each, branchOf(each, restored)))),
  );
}

/** The subordinate's reconstruction comes first. */
function branchOf(one: Restored, all: readonly Restored[]): string {
  if (one.of === 'mixture') return '--mixture';
  return all.indexOf(one) === 0 ? '--subordinate' : '--dominant';
}

function card({ of, errors }: Restored, colour: string): HTMLElement {
  const { share, of: whole } = shareOf(errors);
  const name = of === 'mixture' ? 'the mixture' : `image ${of + 1}`;
  // A share above one says it of the mixture.
  const nearer = unbeaten(errors).flatMap((baseline) => (baseline.id === 'mixture' ? [] : [baseline.nearer]));
  const rows = [
    { title: `reconstruction to ${name}`, error: errors.own, colour },
    ...BASELINES.flatMap(({ id, title, colour: ofBaseline }) => {
      const error = errors[id];
      return error === undefined ? [] : [{ title: title(name), error, colour: ofBaseline }];
    }),
  ];
  const largest = Math.max(...rows.map(({ error }) => error), 1e-9);
  return element(
    'section',
    { class: 'card', 'data-of': of, style: `--branch: var(${colour})` },
    element('h3', {}, `${capital(name)} again`),
    element('p', { class: 'share' }, element('b', {}, share), ` ${[whole, ...nearer].join('; ')}`),
    element(
      'table',
      {},
      element('caption', { class: 'unseen' }, `Mean squared errors of ${name} again, in normalised pixels`),
      element(
        'tbody',
        {},
        rows.map((row) =>
          element(
            'tr',
            {},
            element('th', { scope: 'row' }, row.title),
            element('td', { class: 'bar' }, bar(row.error / largest, row.colour)),
            element('td', { class: 'number' }, row.error.toFixed(3)),
          ),
        ),
      ),
    ),
  );
}

function bar(part: number, colour: string): SVGElement {
  const size = { x: 0, y: 2, width: `${(100 * part).toFixed(2)}%`, height: 8, rx: 2 };
  return svg('svg', { width: '100%', height: 12, 'aria-hidden': 'true' }, svg('rect', { ...size, style: `fill: var(${colour})` }));
}
