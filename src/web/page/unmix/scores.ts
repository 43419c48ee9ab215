import { element, svg } from '../../components/dom';
import type { RestoredImage } from '../viewingApi';
import { BASELINE_WORDS, capital, shareOf, unbeaten, verdictOf } from './verdictText';

type Restored = Pick<RestoredImage, 'of' | 'errors'>;

/** How well a mixture was taken apart: in a sentence, and in bars for each reconstruction. */
export class Scores {
  readonly element: HTMLElement;
  private readonly sentence = element('p', { class: 'outcome', 'aria-live': 'polite' });
  private readonly cards = element('div', { class: 'cards' });

  constructor() {
    this.element = element('div', {}, this.sentence, this.cards);
  }

  /**
   * @param restored the subordinate's first
   * @param alpha weight of image 1
   */
  show(restored: readonly Restored[], alpha: number): void {
    const { outcome, title, text } = verdictOf(restored, alpha);
    const mark = { good: '✓ ', bad: '✗ ', none: '' }[outcome];
    // What has not changed is not to be read out again.
    if (this.sentence.textContent !== `${mark}${title} ${text}`) {
      const marked = element('span', { class: outcome, 'aria-hidden': 'true' }, mark);
      this.sentence.replaceChildren(marked, element('strong', { class: outcome }, title), ` ${text}`);
    }
    const inOrder = [...restored].sort((a, b) => Number(a.of) - Number(b.of));
    this.cards.replaceChildren(...inOrder.map((each) => card(each, branchOf(each, restored))));
  }

  clear(): void {
    this.sentence.replaceChildren();
    this.cards.replaceChildren();
  }
}

/** The colour of what painted it. */
function branchOf(one: Restored, all: readonly Restored[]): string {
  if (one.of === 'mixture') return '--mixture';
  return all.indexOf(one) === 0 ? '--subordinate' : '--dominant';
}

function card({ of, errors }: Restored, colour: string): HTMLElement {
  const { share, of: whole } = shareOf(errors);
  const name = of === 'mixture' ? 'the mixture' : `image ${of + 1}`;
  // A share above one says it of the mixture.
  const nearer = unbeaten(errors).flatMap((baseline) => (baseline.id === 'mixture' ? [] : [baseline.nearer]));
  return element(
    'section',
    { class: 'card', style: `--branch: var(${colour})` },
    element('h3', {}, `${capital(name)} again`),
    element('p', { class: 'share' }, element('b', {}, share), ` ${[whole, ...nearer].join('; ')}`),
    bars({ of, errors }, name, colour),
  );
}

/** The errors of a reconstruction beside those of what it must beat; none where there is nothing to compare. */
function bars({ errors }: Restored, name: string, colour: string): HTMLElement | undefined {
  const beside = BASELINE_WORDS.flatMap(({ id, title, colour: ofBaseline }) => {
    const error = errors[id];
    return error === undefined ? [] : [{ title: title(name), error, colour: ofBaseline }];
  });
  if (beside.length === 0) return undefined;
  const rows = [{ title: `reconstruction to ${name}`, error: errors.own, colour }, ...beside];
  const largest = Math.max(...rows.map(({ error }) => error), 1e-9);
  return element(
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
          element('td', {}, bar(row.error / largest, row.colour)),
          element('td', { class: 'number' }, row.error.toFixed(3)),
        ),
      ),
    ),
  );
}

function bar(part: number, colour: string): SVGElement {
  const size = { x: 0, y: 2, width: `${(100 * part).toFixed(2)}%`, height: 8, rx: 2 };
  return svg(
    'svg',
    { width: '100%', height: 12, 'aria-hidden': 'true' },
    svg('rect', { ...size, style: `fill: var(${colour})` }),
  );
}
