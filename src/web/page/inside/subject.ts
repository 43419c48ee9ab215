import type { ModelSize } from '../../../imae/config/config';
import type { ModelFacts } from '../../../imae/checkpoint/modelFile';
import { IMAGENET, type Normalisation } from '../../../imae/model/normalisation';
import type { Blend, ViewerTask } from '../../../imae/inspect/viewer';
import { element } from '../../components/dom';
import { FIRST_MIX, pairOf } from '../mixture/images';
import { maskOrder } from '../mixture/maskOrder';
import { MaskSelect } from '../mixture/maskSelect';
import { blend, tile, toImageData } from '../mixture/paint';
import { alphaSlider, MaskSlider, formatPercent } from '../mixture/sliders';
import { imageOfBranch } from './latents';
import { PatchGrid } from './patchGrid';
import { nearestToCentre } from './places';

/** A mixture to be looked into. */
export interface SubjectMixture {
  readonly blend: Blend;
  readonly picture: ImageData;
  /** [L] */
  readonly hidden: readonly boolean[];
  /** Patches a side. */
  readonly grid: number;
}

/** What is looked into: a pair of held-out images, how they are blended and hidden, and which patch is chosen. */
export class Subject {
  readonly element: HTMLElement;
  private readonly roles = [element('span', { class: 'role' }), element('span', { class: 'role' })] as const;
  private readonly tiles = [tile('Image 1', this.roles[0]), tile('Image 2', this.roles[1])] as const;
  private readonly patches: PatchGrid;
  private readonly classToken: HTMLButtonElement;
  // Where latents are compared.
  private readonly alphaSlider = alphaSlider(0.05, (alpha) => {
    this.alpha = alpha;
    this.change();
  });
  private readonly maskSlider = new MaskSlider(() => this.change());
  private readonly maskSelect = new MaskSelect(() => this.change());

  private size: Pick<ModelSize, 'image' | 'channels' | 'patch'> = { image: 1, channels: 3, patch: 1 };
  private normalisation: Normalisation = IMAGENET;
  private task: ViewerTask = 'both';
  private pair: number = FIRST_MIX.pair;
  private turn: number = FIRST_MIX.order;
  private alpha: number = FIRST_MIX.alpha;
  private chosen: number | undefined;

  constructor(
    private readonly told: {
      readonly onMixture: (mixture: SubjectMixture, chosen: number | undefined) => void;
      /** @param chosen a place; none: the class token */
      readonly onChoose: (chosen: number | undefined) => void;
    },
  ) {
    this.patches = new PatchGrid((place) => this.choose(place));
    this.classToken = element(
      'button',
      { type: 'button', class: 'quiet', onclick: () => this.choose(undefined) },
      'Class token',
    );
    const button = (text: string, pressed: () => void): HTMLElement =>
      element('button', { type: 'button', onclick: pressed }, text);
    this.element = element(
      'section',
      { class: 'subject', 'aria-label': 'The mixture that is looked into' },
      element(
        'div',
        { class: 'pair' },
        this.tiles.map((each) => each.element),
      ),
      this.alphaSlider.element,
      this.patches.element,
      this.classToken,
      this.maskSlider.element,
      this.maskSelect.element,
      element(
        'div',
        { class: 'row' },
        button('Another pair', () => {
          this.pair++;
          this.change();
        }),
        button('Other patches', () => {
          this.turn++;
          this.change();
        }),
      ),
    );
  }

  /** Fits everything to a model. */
  setModel(facts: ModelFacts, task: ViewerTask): void {
    this.size = facts.size;
    this.normalisation = facts.normalisation;
    this.task = task;
    this.maskSlider.fit(this.length, facts.maskRatio ?? FIRST_MIX.ratio);
    this.maskSelect.fit(facts.mask);
    this.alphaSlider.set(this.alpha);
    this.patches.layOut(this.grid);
    this.chosen = nearestToCentre(this.mixed().order.subarray(0, this.maskSlider.keep), this.grid);
    this.markChosen();
    this.change();
  }

  /** @param chosen none: the class token */
  choose(chosen: number | undefined): void {
    this.chosen = chosen;
    this.markChosen();
    this.told.onChoose(chosen);
  }

  private get grid(): number {
    return this.size.image / this.size.patch;
  }

  private get length(): number {
    return this.grid ** 2;
  }

  /** The pair at the model's size, blended, and the patches in the order of the mask. */
  private mixed(): { images: readonly [Uint8Array, Uint8Array]; mixture: Uint8ClampedArray; order: Uint32Array } {
    const { alpha, normalisation, size } = this;
    const [one, two] = pairOf(this.pair);
    const images = [one.bytes(size), two.bytes(size)] as const;
    const mixture = blend(...images, alpha);
    const order = maskOrder(this.maskSelect.kind, this.turn, {
      size,
      mixture,
      normalisation,
      keep: this.maskSlider.keep,
    });
    return { images, mixture, order };
  }

  private markChosen(): void {
    this.patches.setChosen(this.chosen);
    this.classToken.setAttribute('aria-pressed', String(this.chosen === undefined));
  }

  private change(): void {
    const { alpha, length, size } = this;
    const pair = pairOf(this.pair);
    const { images, mixture, order } = this.mixed();
    const { keep } = this.maskSlider;
    const hidden = Array.from({ length }, () => false);
    for (const place of order.subarray(keep)) hidden[place] = true;
    for (const [slot, shown] of this.tiles.entries()) {
      const source = pair[slot as 0 | 1];
      shown.show(toImageData(images[slot as 0 | 1], size), `Image ${slot + 1}: ${source.title}`);
      this.describeRole(slot as 0 | 1);
    }
    const picture = toImageData(mixture, size);
    this.patches.show(picture, hidden);
    this.told.onMixture({ blend: { images, alpha, order, keep }, picture, hidden, grid: this.grid }, this.chosen);
  }

  private describeRole(slot: 0 | 1): void {
    const role = this.roles[slot];
    const branch =
      this.alpha === 0.5 ? undefined : imageOfBranch('subordinate', this.alpha) === slot ? 'subordinate' : 'dominant';
    const weight = formatPercent(slot === 0 ? this.alpha : 1 - this.alpha).replace(' ', '\u00a0');
    role.textContent = this.task === 'mixture' || !branch ? weight : `${branch} ${weight}`;
  }
}
