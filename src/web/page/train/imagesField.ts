import { counted } from '../../../common/format';
import { element } from '../../components/dom';
import type { GivenImages, KnownImages } from '../../training/givenImages';

/** Images that somebody gave, and what is known of them. */
export interface ReadyImages {
  readonly given: GivenImages;
  readonly known: KnownImages;
}

type Choice = 'shapes' | 'given' | 'wanted';

/** Which images a new run is trained on: the built-in drawings, or those that were given. */
export class ImagesField {
  readonly element: HTMLElement;
  private ready: ReadyImages | undefined;
  private readonly select = element('select', {
    id: 'train-images',
    onchange: () => this.changed(),
    'aria-describedby': 'train-images-hint',
  });
  private readonly about = element('small', { id: 'train-images-hint' });

  /** @param pickers buttons that open images */
  constructor(
    pickers: readonly HTMLElement[],
    private readonly changed: () => void,
  ) {
    this.offer('shapes', 'built-in drawings');
    this.element = element(
      'div',
      { class: 'images' },
      element('div', { class: 'field' }, element('label', { for: 'train-images' }, 'Images'), this.select, this.about),
      element('div', { class: 'actions' }, [...pickers]),
    );
    this.describe();
  }

  /** What a run's `data.set` is to be; undefined where a file names images that were not given. */
  get set(): string | undefined {
    if (this.select.value === 'wanted') return undefined;
    return this.images?.given.name ?? 'shapes';
  }

  /** The images that were given and are chosen. */
  get images(): ReadyImages | undefined {
    return this.select.value === 'given' ? this.ready : undefined;
  }

  /** Takes images that were given, in the place of all others. */
  give(ready: ReadyImages): void {
    this.ready = ready;
    this.offer('given', ready.given.name);
    this.choose('given');
  }

  /** Chooses what a file asks for: given images stand for all that have other names, since a page knows no paths. */
  ask(set: string | null): void {
    this.offer('wanted', undefined);
    if (set === 'shapes') this.choose('shapes');
    else if (this.ready) this.choose('given');
    else {
      this.offer('wanted', `${set ?? 'images'}, to be given`);
      this.choose('wanted');
    }
  }

  describe(): void {
    const { known } = this.images ?? {};
    this.about.textContent = known
      ? [
          `${counted(known.count, 'training image')} in ${known.classes} ${known.classes === 1 ? 'class' : 'classes'}${known.side === undefined ? '' : `, ${known.side} × ${known.side}`}`,
          ...known.notes,
        ].join('; ')
      : 'Or your own: drop a folder anywhere here, with a folder of JPEG, PNG or WebP files for each class (train and val, or held out by itself), ' +
        'Tiny-ImageNet’s, or CIFAR-10 or CIFAR-100 as files or .tar.gz. They stay in this browser. Unpack .zip files first.';
  }

  private choose(choice: Choice): void {
    this.select.value = choice;
  }

  /** Offers a choice under another title; without one, no more. */
  private offer(choice: Choice, title: string | undefined): void {
    this.select.querySelector(`[value=${choice}]`)?.remove();
    if (title !== undefined) this.select.append(element('option', { value: choice }, title));
  }
}
