import { choiceField } from '../../components/choice';
import { colourOf, onThemeChange } from '../../components/theme';
import { element } from '../../components/dom';
import type { ViewerTask } from '../../../imae/inspect/viewer';
import type { RestoredImage } from '../viewingApi';
import { errorScale, FARTHEST, paintDistances } from './errorScale';
import type { ImageSize } from '../mixture/images';
import { tile, toImageData, type Tile } from '../mixture/paint';
import { formatPercent } from '../mixture/sliders';
import { capital } from './verdictText';

/** How a reconstruction is shown. */
export type ReconstructionStripLook = 'composite' | 'raw';

/** What can be shown without a model: the pair, its mixture, and what of it is hidden. */
export interface Shown {
  readonly size: ImageSize & { readonly patch: number };
  readonly images: readonly [Uint8Array, Uint8Array];
  readonly titles: readonly [string, string];
  readonly mixture: Uint8ClampedArray;
  readonly alpha: number;
  /** [L] */
  readonly hidden: readonly boolean[];
}

/** The pictures from left to right: two images, their mixture, what the model sees, what it makes of it, and its errors. */
export class ReconstructionStrip {
  readonly element: HTMLElement;
  private readonly inputs: readonly [Tile, Tile];
  private readonly roles = [element('span', { class: 'role' }), element('span', { class: 'role' })] as const;
  private readonly mixture: Tile;
  private readonly seen: Tile;
  private readonly restored: readonly Tile[];
  private readonly errors: readonly Tile[];
  private readonly restoredTitle = element('h2', {}, 'taken apart');
  private readonly note = element('p', { class: 'note' });
  private latest: readonly RestoredImage[] = [];
  private look: ReconstructionStripLook = 'composite';

  constructor(settings: {
    /** What stands under the pair, the mixture and what the model sees. */
    readonly pairControls: readonly HTMLElement[];
    readonly mixtureControls: readonly HTMLElement[];
    readonly maskControls: readonly HTMLElement[];
    readonly onLook: (look: ReconstructionStripLook) => void;
    /** Says why reconstructions are not there yet. */
    readonly status: HTMLElement;
  }) {
    this.inputs = [tile('Image 1', this.roles[0]), tile('Image 2', this.roles[1])];
    for (const [slot, { element: input }] of this.inputs.entries()) input.dataset['slot'] = String(slot);
    this.mixture = tile('Mixture', ...settings.mixtureControls);
    this.seen = tile('What the model sees', ...settings.maskControls);
    this.restored = [tile('Image 1 again'), tile('Image 2 again')];
    this.errors = [tile('Errors of image 1'), tile('Errors of image 2')];
    this.element = element(
      'section',
      { class: 'strip', 'data-task': 'both', 'aria-label': 'From two images to one and back' },
      stage(
        'inputs',
        'Two images',
        ...this.inputs.map(({ element: each }) => each),
        element('div', { class: 'row' }, settings.pairControls),
      ),
      stage('middle', 'blended', this.mixture.element),
      stage('middle', 'and partly hidden', this.seen.element),
      stage(
        'restored',
        this.restoredTitle,
        settings.status,
        ...this.restored.map(({ element: each }) => each),
        choiceField({
          label: 'Reconstructions',
          options: [
            { value: 'composite', title: 'Composite' },
            { value: 'raw', title: 'Raw' },
          ],
          chosen: 'composite',
          onChoose: (look) => {
            this.look = look;
            this.paint();
            settings.onLook(this.look);
          },
        }),
      ),
      stage('errors', 'and where it is wrong', ...this.errors.map(({ element: each }) => each), legend()),
      this.note,
    );
    onThemeChange(() => this.paint());
  }

  /** What kind of model is looked at decides which pictures there are. */
  setTask(task: ViewerTask): void {
    this.element.dataset['task'] = task;
    this.restoredTitle.textContent = task === 'mixture' ? 'completed' : 'taken apart';
  }

  setNote(text: string): void {
    this.note.textContent = text;
  }

  show({ size, images, titles, mixture, alpha, hidden }: Shown): void {
    for (const slot of [0, 1] as const) {
      const isSubordinate = slot === 0 ? alpha <= 0.5 : alpha > 0.5;
      const weight = formatPercent(slot === 0 ? alpha : 1 - alpha);
      const role = this.roles[slot];
      role.dataset['branch'] = isSubordinate ? 'subordinate' : 'dominant';
      role.textContent = `${isSubordinate ? 'subordinate' : 'dominant'} ${weight}`;
      this.inputs[slot].show(toImageData(images[slot], size), `Image ${slot + 1}: ${titles[slot]}`);
    }
    const picture = toImageData(mixture, size);
    this.mixture.show(picture, `Mixture of ${formatPercent(alpha)} image 1 and ${formatPercent(1 - alpha)} image 2`);
    const count = hidden.filter(Boolean).length;
    this.seen.showHatched(picture, size.patch, hidden, `The mixture with ${count} of ${hidden.length} patches hidden`);
  }

  /** @param restored the subordinate's first */
  showRestored(restored: readonly RestoredImage[]): void {
    this.latest = restored;
    this.paint();
  }

  /** Takes back what another model said. */
  clear(): void {
    this.latest = [];
    for (const each of [...this.restored, ...this.errors]) each.clear();
  }

  private paint(): void {
    const scale = errorScale(colourOf('--error-none'), colourOf('--error-most'));
    for (const each of this.latest) {
      // What there is only one of has the upper place.
      const place = this.latest.length > 1 && each.of !== 'mixture' ? each.of : 0;
      const name = each.of === 'mixture' ? 'the mixture' : `image ${each.of + 1}`;
      const [restored, errors] = [this.restored[place] as Tile, this.errors[place] as Tile];
      const picture = each[this.look];
      const side = Math.round(Math.sqrt(picture.distances.length));
      restored.setTitle(`${capital(name)} again`);
      restored.show(
        new ImageData(picture.rgba, side, side),
        `${capital(name)} as the model paints it again, ${this.look}`,
      );
      errors.setTitle(`Errors of ${name}`);
      const largest = formatPercent(picture.distances.reduce((most, each) => Math.max(most, each), 0));
      errors.show(paintDistances(picture.distances, scale), `Errors of ${name}: at most ${largest} of black to white`);
    }
  }
}

function stage(kind: string, title: string | HTMLElement, ...content: readonly HTMLElement[]): HTMLElement {
  return element(
    'div',
    { class: `stage ${kind}` },
    typeof title === 'string' ? element('h2', {}, title) : title,
    content,
  );
}

function legend(): HTMLElement {
  const most = formatPercent(FARTHEST);
  return element(
    'p',
    { class: 'legend-errors' },
    element('span', {}, '0'),
    element('span', { class: 'ramp', 'aria-hidden': 'true' }),
    element('span', {}, `${most} of black to white, or more`),
  );
}
