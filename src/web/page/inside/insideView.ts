import type { AttentionMap, Inspection } from '../../../imae/inspect/inspector';
import type { Blend } from '../../../imae/inspect/viewer';
import { element } from '../../components/dom';
import { onThemeChange } from '../../components/theme';
import { LatestOnly } from '../../components/latestOnly';
import { ModelPanel } from '../mixture/modelPanel';
import { Notice, type Remedy } from '../../components/notice';
import { takeFiles } from '../../components/files';
import type { PageContext, View } from '../view';
import { withoutFlags } from '../withoutFlags';
import type { OpenedModel } from '../viewingApi';
import { AttentionPanel } from './attentionPanel';
import './inside.css';
import { LatentPanel } from './latentPanel';
import { MapPainter } from './mapPainter';
import { Subject, type SubjectMixture } from './subject';

/** An answer that takes longer, in milliseconds, is announced. */
const PATIENCE = 400;

const DISMISS: Remedy = { title: 'Dismiss', pressed: () => undefined };

/** A mixture to be looked into, and the place whose attention is shown; none: the class token. */
interface Question {
  readonly of: OpenedModel;
  readonly mixture: SubjectMixture;
  readonly chosen: number | undefined;
}

interface Answer {
  readonly inspection: Inspection;
  readonly maps: readonly (AttentionMap | undefined)[];
}

/** What a model does inside with a mixture: what its patches attend to, and where its latent lies. */
export function insideView(context: PageContext): View {
  return new InsideView(context);
}

class InsideView implements View {
  readonly element: HTMLElement;
  private readonly notice = new Notice();
  private readonly status = element('p', { class: 'status note', role: 'status' });
  private readonly model = new ModelPanel((file) => void this.take(file));
  private readonly subject: Subject;
  private readonly attention: AttentionPanel;
  private readonly latents = new LatentPanel();
  private readonly body: HTMLElement;
  private readonly results: HTMLElement;
  private asking = this.newQueue();

  private opened: OpenedModel | undefined;
  private mixture: SubjectMixture | undefined;
  /** What the worker has inspected last. */
  private inspected: { readonly blend: Blend; readonly inspection: Inspection } | undefined;
  private latest: { readonly answer: Answer; readonly question: Question } | undefined;
  private failed = false;
  private isInSight = false;

  constructor(private readonly context: PageContext) {
    this.subject = new Subject({
      onMixture: (mixture, chosen) => {
        this.mixture = mixture;
        this.put(chosen);
      },
      onChoose: (chosen) => this.put(chosen),
    });
    this.attention = new AttentionPanel(() => this.subject.choose(undefined));
    this.results = element('div', { class: 'results', hidden: true }, this.attention.element, this.latents.element);
    this.body = element('div', { class: 'body', hidden: true }, this.subject.element, this.results);
    this.element = element(
      'div',
      { class: 'inside' },
      element('h1', {}, 'What the model does with a mixture'),
      element(
        'p',
        { class: 'lead' },
        'Choose a patch and see where each layer looks from there. Drag α, the weight of the first image, and see where the latent goes.',
      ),
      this.notice.element,
      this.status,
      this.body,
      this.model.element,
    );
    takeFiles(
      this.element,
      (file) => void this.take(file),
      () => undefined,
    );
    context.model.follow(() => {
      if (this.isInSight) void this.open();
    });
    onThemeChange(() => this.draw());
  }

  shown(): void {
    this.isInSight = true;
    void this.open();
  }

  hidden(): void {
    this.isInSight = false;
  }

  private async take(file: File): Promise<void> {
    this.notice.hide();
    this.status.textContent = `Opening ${file.name} …`;
    try {
      await this.context.viewing.give({ name: file.name, content: file });
    } catch (error) {
      this.complain(error, DISMISS);
    }
  }

  /** Opens the page's model; what it does inside follows. */
  private async open(): Promise<void> {
    if (!this.opened) this.status.textContent = 'Opening the model …';
    try {
      const opened = await this.context.viewing.open();
      if (opened !== this.opened) this.adapt(opened);
    } catch (error) {
      // A model that cannot be opened leaves the one before in its place.
      if (this.opened) this.complain(error, DISMISS);
      else this.fail(error);
    }
  }

  /** Fits everything to a model. */
  private adapt(opened: OpenedModel): void {
    this.opened = opened;
    this.asking = this.newQueue(); // what the old one waits for may never come
    this.inspected = undefined;
    this.latest = undefined;
    this.status.textContent = '';
    this.model.show(opened);
    this.attention.setTask(opened.task);
    this.latents.setTask(opened.task);
    this.body.hidden = false;
    this.results.hidden = true;
    this.subject.setModel(opened.facts, opened.task);
  }

  private newQueue(): LatestOnly<Question, Answer | undefined> {
    return new LatestOnly((question) => this.ask(question), {
      answer: (answer, question) => this.show(answer, question),
      failure: (error, { of }) => {
        if (of === this.opened) this.fail(error);
      },
    });
  }

  private put(chosen: number | undefined): void {
    const { opened, mixture } = this;
    if (opened && mixture && !this.failed) this.asking.put({ of: opened, mixture, chosen });
  }

  /** Of one mixture only the attention is asked again. Nothing where another model is open by now. */
  private async ask({ of, mixture: { blend }, chosen }: Question): Promise<Answer | undefined> {
    const { viewing } = this.context;
    const slow = setTimeout(() => {
      this.status.textContent = 'The GPU is getting ready for this …';
      this.results.setAttribute('aria-busy', 'true');
    }, PATIENCE);
    try {
      const known = this.inspected?.blend === blend ? this.inspected.inspection : undefined;
      this.inspected = undefined;
      const inspection = known ?? (await viewing.ask((api) => api.inspect({ ...blend, model: of.id })));
      const maps = await viewing.ask((api) => api.attentionOf(of.id, chosen));
      if (!inspection || maps.length === 0 || of !== this.opened) return undefined;
      this.inspected = { blend, inspection };
      return { inspection, maps };
    } finally {
      clearTimeout(slow);
      this.results.removeAttribute('aria-busy');
    }
  }

  private show(answer: Answer | undefined, question: Question): void {
    if (!answer || question.of !== this.opened) return;
    this.status.textContent = '';
    this.latest = { answer, question };
    this.results.hidden = false;
    this.draw();
  }

  private draw(): void {
    if (!this.latest) return;
    const { answer, question } = this.latest;
    const { inspection, maps } = answer;
    const { chosen, mixture } = question;
    const { picture, grid, hidden, blend } = mixture;
    const painter = new MapPainter(picture, grid, hidden);
    const isHidden = chosen !== undefined && hidden[chosen] === true;
    this.attention.show({ layers: inspection.layers, maps, painter, grid, chosen, isHidden });
    this.latents.show(inspection, blend.alpha, painter, grid);
  }

  /** Nothing more is asked of a GPU that failed, until the user wants it. */
  private fail(error: unknown): void {
    this.failed = true;
    this.complain(error, {
      title: 'Try again',
      pressed: () => {
        this.failed = false;
        this.opened = undefined;
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
