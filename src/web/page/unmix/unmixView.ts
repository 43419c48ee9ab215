import type { ModelSize } from '../../../imae/config/config';
import { IMAGENET } from '../../../imae/model/normalisation';
import { complementaryCount } from '../../../imae/mask/complementaryMasks';
import { element } from '../../components/dom';
import { OF_A_MODEL } from '../currentModel';
import type { PageContext, View } from '../view';
import { isShipped } from '../viewing';
import { withoutFlags } from '../withoutFlags';
import type { OpenedModel, RestoredImage, UnmixingQuestion } from '../viewingApi';
import { FIRST_MIX, ownImage, pairOf, type ImageSource } from '../mixture/images';
import { LatestOnly } from '../../components/latestOnly';
import { maskOrder } from '../mixture/maskOrder';
import { MaskSelect } from '../mixture/maskSelect';
import { ModelPanel } from '../mixture/modelPanel';
import { Notice, type Remedy } from '../../components/notice';
import { blend } from '../mixture/paint';
import { takeFiles } from '../../components/files';
import { picker, type Slot } from './picker';
import { Scores } from './scores';
import { alphaSlider, MaskSlider } from '../mixture/sliders';
import { ReconstructionStrip, type ReconstructionStripLook } from './reconstructionStrip';
import './unmix.css';
import { aboutPictures } from './verdictText';

/** Of the shipped model: the first pictures are there before it is. */
const SHIPPED_SIZE = { image: 32, channels: 3, patch: 8 };
/** An answer that takes longer, in milliseconds, is announced. */
const PATIENCE = 400;

const DISMISS: Remedy = { title: 'Dismiss', pressed: () => undefined };

interface Asked {
  readonly question: UnmixingQuestion;
  readonly of: OpenedModel;
}

/** Two images are blended and taken apart again, while α and the mask ratio are dragged. */
export function unmixView(context: PageContext): View {
  return new UnmixView(context);
}

class UnmixView implements View {
  readonly element: HTMLElement;
  private readonly strip: ReconstructionStrip;
  private readonly status = element('p', { class: 'status', role: 'status' });
  private readonly notice = new Notice();
  private readonly scores = new Scores();
  private readonly model = new ModelPanel((file) => void this.take(file, this.slot));
  private readonly alphaSlider = alphaSlider(0.01, (alpha) => {
    this.alpha = alpha;
    this.update();
  });
  private readonly maskSlider = new MaskSlider(() => this.update());
  private readonly maskSelect = new MaskSelect(() => this.update());
  private unmixing = this.newQueue();

  private pair: number = FIRST_MIX.pair;
  private images = pairOf(FIRST_MIX.pair);
  private slot: Slot = 0;
  private alpha: number = FIRST_MIX.alpha;
  private order: number = FIRST_MIX.order;
  private look: ReconstructionStripLook = 'composite';
  private opened: OpenedModel | undefined;
  private failed = false;
  private isInSight = false;

  constructor(private readonly context: PageContext) {
    const button = (text: string, pressed: () => void): HTMLElement =>
      element('button', { type: 'button', onclick: pressed }, text);
    this.strip = new ReconstructionStrip({
      status: this.status,
      pairControls: [
        button('Another pair', () => this.setImages(pairOf(++this.pair))),
        button('Swap', () => this.setImages([this.images[1], this.images[0]])),
      ],
      mixtureControls: [this.alphaSlider.element],
      maskControls: [
        this.maskSlider.element,
        this.maskSelect.element,
        button('Other patches', () => {
          this.order++;
          this.update();
        }),
      ],
      onLook: (look) => {
        this.look = look;
        this.describePictures();
      },
    });
    this.element = element(
      'div',
      { class: 'unmix' },
      element('h1', {}, 'Two images in one, and apart again'),
      element(
        'p',
        { class: 'lead' },
        'i-MAE is a masked autoencoder that is shown a blend of two images with some patches hidden, and paints both images again. ' +
          'Drag α, the weight of the first image, and see how little of it is enough.',
      ),
      this.notice.element,
      this.strip.element,
      this.scores.element,
      picker({
        onSlot: (slot) => (this.slot = slot),
        onImage: (source) => this.setImage(this.slot, source),
        onFile: (file) => void this.take(file, this.slot),
      }),
      this.model.element,
    );
    const slotOf = (target: Element | null): HTMLElement | null => target?.closest<HTMLElement>('[data-slot]') ?? null;
    takeFiles(
      this.element,
      (file, target) => {
        const place = slotOf(target);
        void this.take(file, place ? (Number(place.dataset['slot']) as Slot) : this.slot);
      },
      (target) => {
        for (const place of this.element.querySelectorAll('.over')) place.classList.remove('over');
        slotOf(target)?.classList.add('over');
      },
    );
    this.adapt(FIRST_MIX.ratio);
    context.model.follow(() => {
      if (this.isInSight) void this.open();
    });
  }

  shown(): void {
    this.isInSight = true;
    void this.open();
  }

  hidden(): void {
    this.isInSight = false;
  }

  private get size(): Size {
    return this.opened?.facts.size ?? SHIPPED_SIZE;
  }

  private get patches(): number {
    return (this.size.image / this.size.patch) ** 2;
  }

  private setImages(images: [ImageSource, ImageSource]): void {
    this.images = images;
    this.update();
  }

  private setImage(slot: Slot, source: ImageSource): void {
    this.setImages(slot === 0 ? [source, this.images[1]] : [this.images[0], source]);
  }

  /** Takes a file for what its name says: a model, or an image. */
  private async take(file: File, slot: Slot): Promise<void> {
    this.notice.hide();
    try {
      if (OF_A_MODEL.test(file.name)) {
        this.status.textContent = `Opening ${file.name} …`;
        await this.context.viewing.give({ name: file.name, content: file });
      } else {
        this.setImage(slot, await ownImage(file));
      }
    } catch (error) {
      this.complain(error, DISMISS);
    }
  }

  /** Opens the page's model; pictures of it follow. */
  private async open(): Promise<void> {
    if (!this.opened) this.status.textContent = 'Opening the model …';
    try {
      const opened = await this.context.viewing.open();
      if (opened !== this.opened) {
        this.opened = opened;
        this.adapt(opened.facts.maskRatio ?? FIRST_MIX.ratio);
      }
    } catch (error) {
      // A model that cannot be opened leaves the one before in its place.
      if (this.opened) this.complain(error, DISMISS);
      else this.fail(error);
    }
  }

  /** Fits everything to the model. @param ratio that it was trained at */
  private adapt(ratio: number): void {
    const { opened } = this;
    this.maskSlider.fit(this.patches, ratio);
    this.maskSelect.fit(opened?.facts.mask);
    this.alphaSlider.set(this.alpha);
    this.strip.clear();
    this.scores.clear();
    if (opened) {
      this.unmixing = this.newQueue(); // what the old one waits for may never come: Inside may have ended the worker
      this.status.textContent = '';
      this.strip.setTask(opened.task);
      this.model.show(opened);
    }
    this.update();
    performance.mark('unmix: inputs');
  }

  /** Draws what needs no model, and asks the model for the rest. */
  private update(): void {
    const { alpha, images, opened, patches, size } = this;
    try {
      const bytes = [images[0].bytes(size), images[1].bytes(size)] as const;
      const mixture = blend(...bytes, alpha);
      const { keep } = this.maskSlider;
      const normalisation = opened?.facts.normalisation ?? IMAGENET;
      const order = maskOrder(this.maskSelect.kind, this.order, { size, mixture, normalisation, keep });
      const hidden = Array.from({ length: patches }, () => false);
      for (const place of order.subarray(keep)) hidden[place] = true;
      const titles = [images[0].title, images[1].title] as const;
      this.strip.show({ size, images: bytes, titles, mixture, alpha, hidden });
      this.describePictures();
      if (!opened || this.failed) return;
      this.unmixing.put({
        question: { model: opened.id, images: bytes, alpha, order, keep, builtIn: this.builtIn },
        of: opened,
      });
    } catch (error) {
      this.complain(error, DISMISS);
    }
  }

  private get builtIn(): boolean {
    return this.images.every((image) => image.builtIn);
  }

  private describePictures(): void {
    const { opened, look } = this;
    this.strip.setNote(
      aboutPictures({
        looks: complementaryCount(this.patches, this.maskSlider.keep),
        raw: look === 'raw',
        normPix: opened?.facts.normPix === true,
        strange: opened !== undefined && isShipped(opened) && !this.builtIn,
      }),
    );
  }

  private newQueue(): LatestOnly<Asked, RestoredImage[]> {
    return new LatestOnly(({ question }) => this.ask(question), {
      answer: (restored, asked) => this.show(restored, asked),
      failure: (error) => this.fail(error),
    });
  }

  private async ask(question: UnmixingQuestion): Promise<RestoredImage[]> {
    const slow = setTimeout(() => (this.status.textContent = 'The GPU is getting ready for this …'), PATIENCE);
    try {
      return await this.context.viewing.ask((api) => api.takeApart(question));
    } finally {
      clearTimeout(slow);
    }
  }

  private show(restored: readonly RestoredImage[], { question, of }: Asked): void {
    // Another model may have been opened meanwhile.
    if (of !== this.opened || restored.length === 0) return;
    this.status.textContent = '';
    this.strip.showRestored(restored);
    this.scores.show(restored, question.alpha);
    performance.mark('unmix: reconstructions');
  }

  /** Nothing more is asked of a GPU that failed, until the user wants it. */
  private fail(error: unknown): void {
    this.failed = true;
    this.complain(error, {
      title: 'Try again',
      pressed: () => {
        this.failed = false;
        this.opened = undefined; // it went with its worker
        this.context.viewing.stop();
        void this.open();
      },
    });
  }

  private complain(error: unknown, remedy: Remedy): void {
    this.status.textContent = '';
    this.notice.show(withoutFlags(error instanceof Error ? error.message : String(error)), remedy);
  }
}

type Size = Pick<ModelSize, 'image' | 'channels' | 'patch'>;
