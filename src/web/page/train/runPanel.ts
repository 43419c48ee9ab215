import { counted, formatBytes, formatDuration, formatNumber, formatRate, formatSetting } from '../../../common/format';
import { shellQuoted } from '../../../common/shell';
import { UserError } from '../../../common/userError';
import type { Phase } from '../../../imae/config/config';
import { PHASE_TITLES } from '../../../imae/config/describe';
import type { RunPosition } from '../../../imae/train/runFiles';
import { command } from '../../components/command';
import { element } from '../../components/dom';
import { phaseBars } from '../../components/phaseBars';
import { softwareWarning } from '../../components/softwareWarning';
import type { KnownImages } from '../../training/givenImages';
import type { PageRun, RunStatus } from './pageRun';
import { withoutFlags } from '../withoutFlags';

/** What can be done with a run beside training it. */
export interface RunActions {
  readonly download: () => void;
  readonly look: () => void;
  readonly startAnew: () => void;
}

const TITLES: Readonly<Record<Exclude<RunStatus['kind'], 'ending'>, string>> = {
  preparing: 'Preparing',
  running: 'Training',
  paused: 'Paused',
  stopped: 'Stopped',
  finished: 'Finished',
  failed: 'Failed',
};
const ENDING = { pause: 'Pausing', stop: 'Stopping', change: 'Changing the learning rate' } as const;

const FIGURES = ['Loss', 'Learning rate', 'Images/s', 'Step', 'GPU memory', 'Adapter'] as const;
const NONE = '–';

/** How a run stands, what it measures, and what can be done with it. */
export class RunPanel {
  readonly element: HTMLElement;
  private readonly title = element('strong', { role: 'status' });
  private readonly detail = element('span', {});
  private readonly goButton = element('button', { type: 'button', onclick: () => this.goOrPause() });
  private readonly stopButton = element('button', { type: 'button', onclick: () => this.run.stop() }, 'Stop');
  private readonly lookButton: HTMLButtonElement;
  private readonly saveButton: HTMLButtonElement;
  private readonly newButton: HTMLButtonElement;
  private readonly bars: ReturnType<typeof phaseBars>;
  private readonly figures = new Map(FIGURES.map((name) => [name, element('dd', { class: 'number' }, NONE)]));
  private readonly message = element('div', { class: 'failure', role: 'alert' });
  private readonly notes = element('div', {});
  private readonly rate = element('input', { id: 'train-rate', type: 'number', step: 'any', required: true });
  private readonly rateLabel = element('label', { for: 'train-rate' });
  private readonly rateNote = element('small', {});
  private readonly rateMessage = element('p', { class: 'message bad', role: 'alert' });
  private readonly rateForm: HTMLFormElement;
  private readonly saved = element('div', { class: 'saved', role: 'status' });
  private shownMessage = '';
  private shownRate: number | undefined;

  constructor(
    private readonly run: PageRun,
    actions: RunActions,
  ) {
    this.saveButton = element('button', { type: 'button', onclick: actions.download }, 'Download run');
    this.lookButton = element('button', { type: 'button', onclick: actions.look }, 'Look at it in Unmix');
    this.newButton = element('button', { type: 'button', onclick: actions.startAnew }, 'New run');
    this.bars = phaseBars(this.progress());
    this.rateForm = element(
      'form',
      {
        class: 'rate',
        novalidate: true,
        onsubmit: (event) => {
          event.preventDefault();
          this.changeRate();
        },
      },
      this.rateLabel,
      this.rate,
      element('button', {}, 'Change'),
      this.rateNote,
      this.rateMessage,
    );
    this.element = element(
      'div',
      { class: 'card summary' },
      element(
        'div',
        { class: 'standing' },
        this.title,
        this.detail,
        element(
          'div',
          { class: 'actions' },
          this.goButton,
          this.stopButton,
          this.lookButton,
          this.saveButton,
          this.newButton,
        ),
      ),
      this.message,
      this.bars.element,
      element(
        'dl',
        { class: 'figures' },
        [...this.figures].map(([name, value]) => element('div', {}, element('dt', {}, name), value)),
      ),
      this.notes,
      this.rateForm,
      this.saved,
    );
    this.update();
  }

  /** Shows how the run stands now. */
  update(): void {
    const { run } = this;
    const { standing } = run;
    const { kind } = standing;
    const isOver = kind === 'finished' || kind === 'stopped';
    setText(this.title, standing.kind === 'ending' ? ENDING[standing.intent] : TITLES[standing.kind]);
    setText(this.detail, this.describe(standing));
    this.element.className = `card summary ${kind === 'paused' ? 'stopped' : kind}`;
    this.goButton.hidden = isOver;
    this.goButton.disabled = kind === 'ending';
    setText(this.goButton, run.isUnderWay ? 'Pause' : this.goTitle());
    this.goButton.classList.toggle('primary', kind === 'paused' || kind === 'failed');
    this.stopButton.hidden = isOver || kind === 'failed';
    this.stopButton.disabled = standing.kind === 'ending' && standing.intent === 'stop';
    this.lookButton.hidden = run.folder.finished('imae') === undefined;
    this.lookButton.classList.toggle('primary', isOver);
    this.saveButton.hidden = run.made === 0 && run.folder.lastCheckpoint() === undefined;
    this.newButton.hidden = run.isUnderWay || kind === 'paused';
    this.bars.update(this.progress());
    this.showFigures();
    this.showRate(isOver);
    this.showMessage(standing);
  }

  /** Gives the keyboard to what is most likely pressed next. */
  focus(): void {
    [this.goButton, this.lookButton, this.newButton].find((button) => !button.hidden)?.focus();
  }

  /** Says that the run was saved, and how to go on with it in Node. @param images those that were given */
  showSaved(name: string, images: KnownImages | undefined): void {
    if (images?.side === undefined && images) {
      this.saved.replaceChildren(
        element(
          'p',
          {},
          `Saved as ${name}.zip. This page goes on with it, in this browser: others, and Node, decode image files to other pixels.`,
        ),
      );
      return;
    }
    const data = images ? ' --data PATH' : '';
    this.saved.replaceChildren(
      element(
        'p',
        {},
        `Saved as ${name}.zip. Unpack it, and Node goes on with it, bit for bit on the same adapter and driver:`,
      ),
      command(`node train.js --resume ${shellQuoted(name)}${data}`),
    );
  }

  private goOrPause(): void {
    if (this.run.isUnderWay) this.run.pause();
    else this.run.go();
  }

  private goTitle(): string {
    return this.run.standing.kind === 'failed' && !this.run.folder.lastCheckpoint() ? 'Try again' : 'Continue';
  }

  private progress(): Parameters<RunPanel['bars']['update']>[0] {
    return this.run.phases.map(({ id, done, plan }) => ({ title: PHASE_TITLES[id], done, steps: plan.steps }));
  }

  private describe(standing: RunStatus): string {
    const { run } = this;
    const at = run.phases.find(({ id }) => id === run.phase);
    const place = `${PHASE_TITLES[run.phase]}, step ${(at?.done ?? 0).toLocaleString('en')}`;
    switch (standing.kind) {
      case 'preparing':
        return `${standing.what} …`;
      case 'running': {
        const left = run.secondsLeft;
        const time = left !== undefined && left > 0 ? `, ${formatDuration(Math.ceil(left))} left in this phase` : '';
        return place + time;
      }
      case 'ending':
        return 'after this step, saving …';
      case 'finished':
        return 'all steps done';
      case 'failed':
        return `at ${place}`;
      default:
        return `at ${place}, kept in this page`;
    }
  }

  private showFigures(): void {
    const { run, figures } = this;
    const { figures: now, adapter } = run;
    const show = (name: (typeof FIGURES)[number], text: string): void => {
      const place = figures.get(name);
      if (place) setText(place, text);
    };
    show('Loss', now ? formatNumber(now.loss) : NONE);
    show('Learning rate', now ? formatSetting(now.lr) : NONE);
    show('Images/s', now ? formatRate(now.imagesPerSecond) : NONE);
    show('Step', now ? stepTime(run.batch / now.imagesPerSecond) : NONE);
    show('GPU memory', now ? formatBytes(now.liveBytes) : NONE);
    show('Adapter', adapter ? `${adapter.software ? 'SOFTWARE: ' : ''}${adapter.name}` : NONE);
    const { broken } = run.folder;
    const about = [...run.notes, ...(broken.length > 0 ? [describeBroken(broken)] : [])];
    const notes = [adapter?.software ? 'software' : '', run.adapterBefore ?? '', ...about].join();
    if (notes === this.notes.dataset['of']) return;
    this.notes.dataset['of'] = notes;
    this.notes.replaceChildren(
      ...(adapter?.software ? [softwareWarning(adapter.name)] : []),
      ...about.map((text) => element('p', { class: 'note' }, text)),
      ...(run.adapterBefore === undefined
        ? []
        : [
            element(
              'p',
              { class: 'note' },
              `It was trained on ${run.adapterBefore} before: on another adapter or driver a run goes on, but not bit for bit.`,
            ),
          ]),
    );
  }

  private showRate(isOver: boolean): void {
    const { run } = this;
    this.rateForm.hidden = isOver;
    setText(this.rateLabel, `Peak learning rate of ${titleOf(run.phase)}`);
    setText(
      this.rateNote,
      run.isChanged && !run.isUnderWay ? 'changed: holds from Continue on' : 'from the next step on',
    );
    if (run.learningRate === this.shownRate) return;
    this.shownRate = run.learningRate;
    this.rate.value = String(Number(run.learningRate.toPrecision(6)));
  }

  private changeRate(): void {
    try {
      this.run.changeLearningRate(this.rate.valueAsNumber);
      this.rateMessage.textContent = '';
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      this.rateMessage.textContent = error.message;
    }
  }

  private showMessage(standing: RunStatus): void {
    const lines = standing.kind === 'failed' ? failureText(standing, this.run.folder.lastCheckpoint()) : [];
    if (lines.join() === this.shownMessage) return;
    this.shownMessage = lines.join();
    this.message.replaceChildren(
      ...lines.map((line, index) => element('p', { class: index === 0 ? 'message' : '' }, line)),
    );
  }
}

/** Broken files that are named; of more, the number. */
const NAMED = 3;

function describeBroken(lines: readonly string[]): string {
  const more = lines.length > NAMED ? `; and ${lines.length - NAMED} more` : '';
  return `${counted(lines.length, 'image file')} could not be decoded, and others of the class are in their place (broken-images.txt of the run lists them): ${lines.slice(0, NAMED).join('; ')}${more}.`;
}

/** What happened, and what to do. */
function failureText(
  { why, message }: Extract<RunStatus, { kind: 'failed' }>,
  last: RunPosition | undefined,
): string[] {
  const place = last && `${PHASE_TITLES[last.phase]}, step ${last.step.toLocaleString('en')}`;
  const kept =
    place === undefined
      ? 'Nothing was saved yet: it would begin anew.'
      : `Everything up to the checkpoint of ${place} is kept, and can be downloaded.`;
  const advice = {
    user: kept,
    diverged: `${kept} Or lower the learning rate below, and continue from there.`,
    'device-lost': `${kept} Continue goes on from there on a new device. Where it happens again, other programs may take the GPU's memory, or a step takes too long for it.`,
    engine: `${kept} Continue tries again from there.`,
    defect: `${kept} Continue tries again from there. Where it happens again, it is a defect of this program.`,
  }[why];
  return [withoutFlags(message), advice];
}

function titleOf(phase: Phase): string {
  return phase === 'teacher' ? 'the teacher' : PHASE_TITLES[phase];
}

function stepTime(seconds: number): string {
  if (seconds < 1) return `${Number((seconds * 1000).toPrecision(3))} ms`;
  return seconds < 60 ? `${seconds.toPrecision(3)} s` : formatDuration(seconds);
}

/** Leaves alone what would not change, so that nothing is read out twice. */
function setText(place: HTMLElement, text: string): void {
  if (place.textContent !== text) place.textContent = text;
}
