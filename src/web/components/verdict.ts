import type { BranchErrors, ScorePoint } from '../../report/metrics';
import { element, svg } from './dom';

/** The branches of i-MAE: what each is called and its colour everywhere in the page. */
export const BRANCHES = [
  { id: 'subordinate', title: 'Subordinate', about: 'the image with less weight', colour: '--subordinate' },
  { id: 'dominant', title: 'Dominant', about: 'the image with more weight', colour: '--dominant' },
] as const;

/** What a prediction must be better than: apart by colour and by dashes. */
export const BASELINES = [
  { id: 'other', title: 'to the other image', colour: '--other', dash: [9, 4] },
  { id: 'mean', title: 'of the mean image', colour: '--mean', dash: [2, 3] },
  { id: 'mixture', title: 'of the mixture', colour: '--mixture', dash: [9, 3, 2, 3] },
] as const;

/** The score above which a branch's error is below all three baselines. */
export function neededScore({ other, mean, mixture }: BranchErrors): number {
  return 1 - Math.min(other, mean, mixture) / mean;
}

/** Whether the newest score says that mixtures are taken apart, and by how much, in one sentence and a drawing. */
export function verdict(score: ScorePoint): HTMLElement {
  const branches = BRANCHES.flatMap((branch) => {
    const errors = score[branch.id];
    return errors ? [{ ...branch, errors }] : [];
  });
  const failures = branches.flatMap(({ title, errors }) =>
    BASELINES.filter(({ id }) => errors.own >= errors[id]).map((baseline) => against(title, errors, baseline)),
  );
  const margins = branches.map(({ title, errors }) => {
    const nearest = BASELINES.reduce((found, baseline) => (errors[baseline.id] < errors[found.id] ? baseline : found));
    return against(title, errors, nearest);
  });
  const sentence = score.takenApart
    ? `The error of ${branches.length > 1 ? 'each' : 'the'} prediction is below all three baselines. Closest: ${margins.join('; ')}.`
    : `The error of a prediction must be below all three baselines, and is not: ${failures.join('; ')}.`;
  return element(
    'div',
    { class: 'verdict' },
    element(
      'p',
      { class: `outcome ${score.takenApart ? 'good' : 'bad'}` },
      element('span', { class: 'mark', 'aria-hidden': 'true' }, score.takenApart ? '✓' : '✗'),
      element('strong', {}, score.takenApart ? 'Taken apart' : 'Not taken apart'),
      element('span', { class: 'when' }, `after ${score.step.toLocaleString('en')} steps of i-MAE`),
    ),
    element('p', { class: 'lead' }, sentence),
    element(
      'div',
      { class: 'pair' },
      branches.map(({ errors, ...branch }) => branchCard(branch, errors)),
    ),
  );
}

/** What the score measures, for whoever opens it. */
export function aboutScore(): HTMLElement {
  return element(
    'details',
    {},
    element('summary', {}, 'What is measured'),
    element(
      'p',
      {},
      'On held-out pairs, α spread from 0.1 to 0.45, over the patches that the model did not see: the mean squared error of ' +
        'each prediction to its own image, beside three others. The prediction to the other image of the pair; the mean image of ' +
        'the training set to the own image; and the mixture itself, those very patches unhidden, to the own image. Mixtures ' +
        'count as taken apart where every prediction is below all three. The score is 1 − error ÷ error of the mean image: ' +
        '1 is perfect, 0 is no better than the mean image.',
    ),
  );
}

function against(title: string, errors: BranchErrors, baseline: (typeof BASELINES)[number]): string {
  return `${title.toLowerCase()} ${show(errors.own)} against ${show(errors[baseline.id])} ${baseline.title}`;
}

function branchCard(branch: (typeof BRANCHES)[number], errors: BranchErrors): HTMLElement {
  const largest = Math.max(errors.own, ...BASELINES.map(({ id }) => errors[id]));
  const row = (title: string, value: number, colour: string, ...mark: readonly HTMLElement[]): HTMLElement =>
    element(
      'tr',
      {},
      element('th', { scope: 'row' }, title),
      element('td', { class: 'bar' }, bar(value, errors.own, largest, colour)),
      element('td', { class: 'number' }, show(value)),
      element('td', { class: 'beaten' }, mark),
    );
  return element(
    'section',
    { class: 'card branch', style: `--branch: var(${branch.colour})` },
    element(
      'header',
      {},
      element('h3', {}, branch.title, ' ', element('small', {}, branch.about)),
      element(
        'p',
        { class: 'score' },
        'score ',
        element('b', {}, errors.score.toFixed(2)),
        `; above ${neededScore(errors).toFixed(2)} beats all three`,
      ),
    ),
    element(
      'table',
      { class: 'errors' },
      element('caption', { class: 'unseen' }, `Mean squared errors of the ${branch.id} branch, in normalised pixels`),
      element(
        'tbody',
        {},
        row('to its own image', errors.own, branch.colour),
        BASELINES.map(({ id, title, colour }) => {
          const beaten = errors.own < errors[id];
          const mark = element(
            'span',
            { class: beaten ? 'good' : 'bad' },
            beaten ? '✓' : '✗',
            element('span', {}, beaten ? ' beaten' : ' not beaten'),
          );
          return row(title, errors[id], colour, mark);
        }),
      ),
    ),
  );
}

/** A bar of an error, with a line where the branch's own error ends. */
function bar(value: number, own: number, largest: number, colour: string): SVGElement {
  const percent = (part: number): string => `${((100 * part) / largest).toFixed(2)}%`;
  return svg(
    'svg',
    { width: '100%', height: 14, 'aria-hidden': 'true' },
    svg('rect', { x: 0, y: 2, width: percent(value), height: 10, rx: 2, style: `fill: var(${colour})` }),
    svg('line', { x1: percent(own), x2: percent(own), y1: 0, y2: 14, class: 'own' }),
  );
}

function show(value: number): string {
  return value.toFixed(3);
}
