import { counted } from '../../../common/format';
import type { Config } from '../../../imae/config/config';
import { runName } from '../../../imae/train/runFiles';
import { describeBrowser } from '../../browserName';
import { ask } from '../../components/ask';
import { element } from '../../components/dom';
import { download } from '../../components/download';
import '../../components/run.css';
import { MemoryFolder, parseJson, type Files } from '../../training/memoryFolder';
import { asksForImages, assertForPage, trainingSize, withLiveLogging } from '../../training/pageConfig';
import type { GivenImages, KnownImages } from '../../training/givenImages';
import type { TrainingService } from '../../training/service';
import type { RunFilesService } from '../../workers/runFiles';
import { startWorker } from '../remote';
import type { PageContext, View } from '../view';
import { imagePickers } from './filePicker';
import { LivePanels } from './livePanels';
import type { ReadyImages } from './imagesField';
import { NewRun } from './newRun';
import { givenByDrop, readFolder, type Given } from './openRun';
import { PageRun } from './pageRun';
import { RunCharts } from './runCharts';
import { RunPanel } from './runPanel';
import './train.css';
import { withoutFlags } from '../withoutFlags';
import { withWorker } from './withWorker';

/** The view that trains: a form for a new run, or the run there is. */
export function trainView(context: PageContext): View {
  const view = new TrainView(context);
  return { element: view.element, shown: () => view.refresh() };
}

class TrainView {
  readonly element: HTMLElement;
  private readonly newRun = new NewRun(
    (give) => this.opening(give),
    (config, images) => this.begin(config, images),
  );
  private readonly message = element('p', { class: 'card message bad', role: 'alert', hidden: true });
  private readonly busy = element('p', { class: 'note', role: 'status' });
  /** A run that waits for its images to be given. */
  private waiting: { readonly folder: MemoryFolder; readonly config: Config } | undefined;
  private readonly waitingPlace = element('section', {
    class: 'card open',
    'aria-label': 'Images of a run',
    hidden: true,
  });
  private readonly runPlace = element('div', { class: 'run' });
  private run: PageRun | undefined;
  private shown:
    | {
        readonly panel: RunPanel;
        readonly panels: LivePanels;
        readonly panelsPart: HTMLElement;
        readonly charts: RunCharts;
      }
    | undefined;
  private due = false;
  private wasFinished = false;

  constructor(private readonly context: PageContext) {
    this.element = element(
      'div',
      { class: 'train' },
      element('h1', {}, 'Train i-MAE'),
      this.busy,
      this.message,
      this.waitingPlace,
      this.newRun.element,
      this.runPlace,
    );
    void this.newRun.showAdapter();
    // Beside the view, too: a browser would leave the page for a file that is dropped there.
    addEventListener('dragover', (event) => this.dragOver(event, true));
    addEventListener('dragleave', (event) => this.dragOver(event, event.relatedTarget !== null));
    addEventListener('drop', (event) => this.drop(event));
    addEventListener('beforeunload', (event) => {
      if (this.run && (this.run.isUnderWay || this.run.isUnsaved)) event.preventDefault();
    });
  }

  /** Shows how things stand, before the next frame. */
  refresh(): void {
    if (this.due) return;
    this.due = true;
    // None comes while nobody looks.
    requestAnimationFrame(() => {
      this.due = false;
      this.draw();
    });
  }

  private draw(): void {
    const { run, shown } = this;
    if (!run || !shown || this.element.hidden) return;
    shown.panel.update();
    shown.panelsPart.hidden = !shown.panels.update(run.sheets.all);
    shown.charts.update();
  }

  private begin(config: Config, images: ReadyImages | undefined): void {
    const run = this.makeRun(new MemoryFolder(runName(new Date(), config.preset)), config, images);
    this.show(run, images);
    run.go();
  }

  private makeRun(folder: MemoryFolder, config: Config, images: ReadyImages | undefined): PageRun {
    const run: PageRun = new PageRun(folder, config, {
      startTrainer: (failed) => {
        const worker = startWorker<TrainingService>('training', failed);
        // What is wrong with them is said where they are wanted.
        if (images) worker.api.use(images.given).catch(() => undefined);
        return worker;
      },
      platform: describeBrowser(navigator.userAgent),
      trainingImages: trainingSize(config, images?.known).count,
      changed: () => this.changed(run),
    });
    return run;
  }

  /** Brings a run into sight in the place of the form. */
  private show(run: PageRun, images: ReadyImages | undefined): void {
    this.run?.dispose();
    this.run = run;
    this.wasFinished = run.standing.kind === 'finished';
    this.say('');
    this.waitFor(undefined);
    const panel = new RunPanel(run, {
      download: () => void this.save(run, images),
      look: () => this.lookAt(run),
      startAnew: () => void this.startAnew(),
    });
    const panels = new LivePanels(run.folder.lastPicture());
    const charts = new RunCharts(run);
    const panelsPart = element(
      'section',
      { 'aria-labelledby': 'train-panels', hidden: true },
      element('h2', { id: 'train-panels' }, 'Held-out images'),
      panels.element,
    );
    this.shown = { panel, panels, panelsPart, charts };
    this.runPlace.replaceChildren(
      panel.element,
      element('div', { class: 'columns' }, element('div', {}, panelsPart, charts.score), charts.curves),
    );
    this.newRun.element.hidden = true;
    panel.focus();
    this.refresh();
  }

  private changed(run: PageRun): void {
    if (run !== this.run) return;
    if (run.standing.kind === 'finished' && !this.wasFinished) {
      this.wasFinished = true;
      this.handOver(run);
    }
    this.refresh();
  }

  /** Gives the model to the views that look at one. @returns whether there is one */
  private handOver({ folder }: PageRun): boolean {
    const last = folder.finished('imae');
    if (!last) return false;
    // A copy: whoever takes it may give it away, and the folder needs its own.
    this.context.model.set({ name: `imae-${last.step} of ${folder.name}`, content: last.model.bytes.slice() });
    return true;
  }

  private lookAt(run: PageRun): void {
    if (this.handOver(run)) this.context.show('unmix');
  }

  private async save(run: PageRun, images: ReadyImages | undefined): Promise<void> {
    const { folder, made } = run;
    const name = folder.name;
    this.say('');
    this.busy.textContent = `Packing ${name} …`;
    try {
      const zip = await withWorker<RunFilesService, Uint8Array>(
        'runFiles',
        async ({ api }) => await api.zip(name, folder.files()),
      );
      download(`${name}.zip`, zip, 'application/zip');
      run.saved(made);
      if (run === this.run) this.shown?.panel.showSaved(name, images?.known);
    } catch (error) {
      this.say(`The run could not be packed: ${error instanceof Error ? error.message : String(error)}`);
    } finally {
      this.busy.textContent = '';
    }
  }

  private async startAnew(): Promise<void> {
    if (await this.mayThrowAway()) this.throwAway();
  }

  private throwAway(): void {
    this.run?.dispose();
    this.run = undefined;
    this.shown = undefined;
    this.runPlace.replaceChildren();
    this.newRun.element.hidden = false;
    this.newRun.form.focus();
    this.say('');
  }

  /** Asks before a run is thrown away that was not saved. */
  private async mayThrowAway(): Promise<boolean> {
    const { run } = this;
    if (!run || !(run.isUnderWay || run.isUnsaved)) return true;
    const answer = await ask({
      title: 'Throw this run away?',
      text: run.isUnderWay
        ? 'It is still being trained, and what it has made was not downloaded.'
        : 'What it has made since it was last downloaded would be lost.',
      answers: [
        { value: 'keep', title: 'Keep it' },
        { value: 'throw', title: 'Throw it away' },
      ],
    });
    return answer === 'throw';
  }

  /** Opens what somebody gave; where it cannot be opened, a message says why and nothing else changes. */
  private readonly opening = async (give: () => Given | undefined | Promise<Given>): Promise<void> => {
    this.say('');
    try {
      const given = await give();
      if (!given) return;
      if (given.kind === 'config') await this.openConfig(given.file);
      else if (given.kind === 'images') await this.openImages(given);
      else await this.openRun(given);
    } catch (error) {
      this.say(error instanceof Error ? error.message : String(error));
    } finally {
      this.busy.textContent = '';
    }
  };

  private async openConfig(file: File): Promise<void> {
    const values = parseJson(await file.text(), file.name);
    if (!(await this.mayThrowAway())) return;
    this.newRun.form.open(file.name, values);
    this.throwAway();
  }

  private async openRun(given: Extract<Given, { kind: 'zip' | 'folder' }>): Promise<void> {
    const name = given.kind === 'zip' ? given.file.name : given.name;
    this.busy.textContent = `Looking at ${name} …`;
    const files: Files =
      given.kind === 'folder'
        ? await readFolder(given.files)
        : await withWorker<RunFilesService, Files>('runFiles', async ({ api }) => await api.unzip(given.file, name));
    const folder = MemoryFolder.from(name.replace(/\.zip$/i, ''), files);
    const config = folder.readConfig();
    assertForPage(config, folder.name);
    if (!asksForImages(config)) await this.goOnWith(folder, config, undefined);
    else this.waitFor({ folder, config });
  }

  /** Takes images that were given for the run that waits for some, or for a new one. */
  private async openImages(given: GivenImages): Promise<void> {
    this.busy.textContent = `Looking at ${given.name} …`;
    const known = await withWorker<TrainingService, KnownImages>('training', async ({ api }) => await api.use(given));
    const images = { given, known };
    if (this.waiting) {
      await this.goOnWith(this.waiting.folder, this.waiting.config, images);
      return;
    }
    this.busy.textContent = '';
    if (!(await this.mayThrowAway())) return;
    this.newRun.form.give(images);
    this.throwAway();
  }

  /** @throws UserError where the run cannot go on, or not with these images */
  private async goOnWith(folder: MemoryFolder, config: Config, images: ReadyImages | undefined): Promise<void> {
    this.busy.textContent = `Looking at ${folder.name} …`;
    const resume = folder.lastCheckpoint();
    await withWorker<TrainingService, unknown>('training', async ({ api }) => {
      if (images) await api.use(images.given);
      await api.check({ config, ...(resume ? { resume } : {}) });
    });
    this.busy.textContent = '';
    const { count } = trainingSize(config, images?.known);
    if (await this.mayThrowAway()) this.show(this.makeRun(folder, withLiveLogging(config, count), images), images);
  }

  /** Asks for the images of a run, or no more. */
  private waitFor(waiting: { readonly folder: MemoryFolder; readonly config: Config } | undefined): void {
    this.waiting = waiting;
    this.waitingPlace.hidden = !waiting;
    if (!waiting) return;
    const { folder, config } = waiting;
    this.waitingPlace.replaceChildren(
      element('h2', {}, `${folder.name} wants its images`),
      element(
        'p',
        {},
        `It is trained on ${config.data.set ?? 'images of a disk'}, which a page cannot find by itself. Drop that folder or archive here, or open it:`,
      ),
      element(
        'div',
        { class: 'actions' },
        imagePickers(this.opening),
        element('button', { type: 'button', onclick: () => this.waitFor(undefined) }, 'Not now'),
      ),
    );
    this.waitingPlace.scrollIntoView({ block: 'nearest' });
  }

  private dragOver(event: DragEvent, isOver: boolean): void {
    if (this.element.hidden || !event.dataTransfer?.types.includes('Files')) return;
    event.preventDefault();
    this.element.classList.toggle('dropping', isOver);
  }

  private drop(event: DragEvent): void {
    this.dragOver(event, false);
    const items = event.dataTransfer?.items;
    if (!items || this.element.hidden) return;
    void this.opening(() =>
      givenByDrop(
        items,
        (folder, files) => (this.busy.textContent = `Reading the folder ${folder}: ${counted(files, 'file')} …`),
      ),
    );
  }

  /** A message about what was tried; an empty one takes it away. */
  private say(text: string): void {
    this.message.textContent = withoutFlags(text);
    this.message.hidden = text === '';
    if (text !== '') this.message.scrollIntoView({ block: 'nearest' }); // the buttons lie far below on a small screen
  }
}
