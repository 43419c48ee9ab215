import { LATENT_ALPHAS, type Inspection } from '../../../imae/inspect/inspector';
import type { ViewerTask } from '../../../imae/inspect/viewer';
import { chart, type Chart } from '../../components/chart';
import type { ChartLine } from '../../components/chartSettings';
import { element } from '../../components/dom';
import { colourOf } from '../../components/theme';
import { aboutBranches, IMAGE_COLOURS, latentTitle, shareColour } from './latents';
import type { MapPainter } from './mapPainter';
import { placeName } from './places';

/** Shares are written into patches where there are so few a side. */
const WRITTEN = 6;

const LINE_WIDTH = 2.25;
const REFERENCE = { dash: [1.5, 4], width: 1, reference: true } as const;

/** Where the latent of a mixture lies between those of its two images: over α, and place by place. */
export class LatentPanel {
  readonly element: HTMLElement;
  private readonly charts = element('div', { class: 'charts' });
  private readonly reading = element('p', { class: 'lead' });
  private readonly map = element('canvas', { width: 1, height: 1, role: 'img' });
  private readonly places = element(
    'figure',
    { class: 'card shares' },
    element('figcaption', {}, element('h4', {}, 'Encoder, patch by patch')),
    this.map,
    element(
      'div',
      {},
      element(
        'p',
        { class: 'scale note' },
        element('span', { class: 'number' }, '¼'),
        element('span', { class: 'ramp', 'aria-hidden': 'true' }),
        element('span', { class: 'number' }, '¾'),
      ),
      element(
        'p',
        { class: 'note' },
        'How far the latent of each visible patch has come on the way from image 2’s, 0, to image 1’s, 1. Above ½ it is nearer to image 1.',
      ),
    ),
  );
  private task: ViewerTask = 'both';
  private distances: Chart[] = [];
  private laidOut = '';

  constructor() {
    this.element = element(
      'section',
      { class: 'latents' },
      element('h2', {}, 'Where the mixture’s latent lies'),
      element(
        'p',
        { class: 'note' },
        'How far the mixture’s latent is from that of each image alone, through the same layers, with the same patches hidden; 1 is as far as ' +
          'these two are from each other. Dotted: a latent that is blended as the pixels are. Above the dots it is farther from that image than a blend is.',
      ),
      this.reading,
      this.charts,
    );
  }

  setTask(task: ViewerTask): void {
    this.task = task;
  }

  show({ latents, shares }: Inspection, alpha: number, painter: MapPainter, grid: number): void {
    const laidOut = `${this.task} ${latents.map(({ of }) => of).join(' ')}`;
    if (laidOut !== this.laidOut) {
      this.laidOut = laidOut;
      this.distances = latents.map(({ of }) => distanceChart(latentTitle(of, this.task), this.noteOf(of)));
      const [encoder, ...branches] = this.distances.map((each) => each.element);
      this.charts.replaceChildren(...(encoder ? [encoder] : []), this.places, ...branches);
    }
    for (const [index, { to1, to2 }] of latents.entries()) {
      this.distances[index]?.update({ x: LATENT_ALPHAS, lines: linesOf(to1.map(known), to2.map(known)) });
      this.distances[index]?.mark(alpha);
    }
    this.reading.textContent = aboutBranches(latents, this.task, alpha);
    this.paintShares(shares, painter, grid);
  }

  private noteOf(of: Inspection['latents'][number]['of']): string | undefined {
    if (this.task === 'mixture') return undefined;
    if (of === 'subordinate')
      return 'Apart means: low on image 1’s line below α = 0.5, where image 1 is the subordinate, and low on image 2’s above.';
    if (of === 'dominant')
      return 'Apart means: low on image 2’s line below α = 0.5, where image 2 is the dominant, and low on image 1’s above.';
    return undefined;
  }

  private paintShares(shares: Float64Array, painter: MapPainter, grid: number): void {
    painter.paintColours(this.map, (place) => {
      const share = shares[place] ?? NaN;
      if (Number.isNaN(share)) return undefined;
      const { image, strength } = shareColour(share);
      return {
        colour: colourOf(IMAGE_COLOURS[image]),
        strength,
        ...(grid <= WRITTEN ? { text: share.toFixed(2) } : {}),
      };
    });
    const named = [...shares.entries()].filter(([, share]) => !Number.isNaN(share));
    const nearer = named.filter(([, share]) => share > 0.5).map(([place]) => placeName(place, grid));
    this.map.setAttribute(
      'aria-label',
      `Of ${named.length} visible patches, ${nearer.length} have a latent nearer to image 1’s than to image 2’s${nearer.length ? `: ${nearer.join('; ')}` : ''}`,
    );
  }
}

function distanceChart(title: string, note: string | undefined): Chart {
  const none = LATENT_ALPHAS.map(() => null);
  return chart({
    title,
    unit: 'distance',
    note,
    x: LATENT_ALPHAS,
    xTitle: 'α, weight of image 1',
    lines: linesOf(none, none),
    format: (value) => value.toFixed(2),
    span: [0, 1],
    group: 'inside',
  });
}

/** The distances, and behind them those of a latent that is blended as the pixels are. */
function linesOf(to1: readonly (number | null)[], to2: readonly (number | null)[]): ChartLine[] {
  const [first, second] = IMAGE_COLOURS;
  return [
    { title: 'blended, to image 1', values: LATENT_ALPHAS.map((alpha) => 1 - alpha), colour: first, ...REFERENCE },
    { title: 'blended, to image 2', values: LATENT_ALPHAS, colour: second, ...REFERENCE },
    { title: 'to image 1', values: to1, colour: first, width: LINE_WIDTH },
    { title: 'to image 2', values: to2, colour: second, width: LINE_WIDTH, dash: [7, 4] },
  ];
}

/** NaN where both images are the same to the model. */
function known(distance: number): number | null {
  return Number.isNaN(distance) ? null : distance;
}
