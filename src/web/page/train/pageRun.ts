import { proxy } from 'comlink';
import packageJson from '../../../../package.json' with { type: 'json' };
import { parseRunLine } from '../../../common/jsonLine';
import { MetricsLog, type CurveName, type Curves } from '../../../report/metrics';
import { Eta } from '../../../common/eta';
import { sessionEnd, type SessionEnd } from '../../../report/session';
import {
  peakLearningRate,
  phasesOf,
  planPhase,
  resolveConfig,
  type Config,
  type Phase,
  type PhasePlan,
} from '../../../imae/config/config';
import { OPTIONS } from '../../../imae/config/options';
import { CONFIG, type RunPosition } from '../../../imae/train/runFiles';
import type { Figures, TrainingSession, TrainingEvent } from '../../training/trainingSession';
import type { MemoryFolder } from '../../training/memoryFolder';
import type { LegEnd, Reason, TrainingService } from '../../training/service';
import { SheetHistory } from './sheetHistory';

/** Who trains: a worker, or its like in tests. */
export interface TrainingClient {
  readonly api: {
    train(...args: Parameters<TrainingService['train']>): Promise<LegEnd>;
    requestStop(): Promise<void>;
    check(...args: Parameters<TrainingService['check']>): Promise<void>;
  };
  terminate(): void;
}

/** What a run needs of the page that it is in. */
export interface RunHost {
  /** Starts a worker. @param failed is told where the worker itself fails */
  readonly startTrainer: (failed: (message: string) => void) => TrainingClient;
  /** What it runs in: `Chrome 147`. */
  readonly platform: string;
  /** Training images. */
  readonly trainingImages: number;
  /** Is told whenever something has changed. */
  readonly changed: () => void;
}

/** How a run stands. `ending` finishes the step under way and saves. */
export type RunStatus =
  | { readonly kind: 'preparing'; readonly what: string }
  | { readonly kind: 'running' | 'paused' | 'stopped' | 'finished' }
  | { readonly kind: 'ending'; readonly intent: Intent }
  | { readonly kind: 'failed'; readonly why: Reason; readonly message: string };

/** Why a leg is to end early: to wait, for good, or to go on with other settings. */
type Intent = 'change' | 'pause' | 'stop';
/** The later does not give way to the earlier. */
const INTENTS: readonly Intent[] = ['change', 'pause', 'stop'];

/** A setting that differs from what the last checkpoint was trained with. */
interface Change {
  readonly from: string;
  readonly to: string;
}

/** A run as the page holds it: its folder, how it stands, and what it measured. A worker trains it leg by leg. */
export class PageRun {
  readonly log = new MetricsLog();
  readonly sheets = new SheetHistory();
  /** Undefined before a device was opened. */
  adapter: { readonly name: string; readonly software: boolean } | undefined;
  /** The adapter that it was trained on before, where that was another. */
  adapterBefore: string | undefined;
  /** Of the last step that was told; between legs, no GPU memory is held. */
  figures: Figures | undefined;
  /** What is to be known of its images. */
  readonly notes = new Set<string>();
  private current: RunStatus;
  /** Where it stands, or will go on. */
  private at: RunPosition;
  private pace = new Eta();
  private trainer: TrainingClient | undefined;
  /** What the next leg trains with, and how that differs from what the last checkpoint says. */
  private config: Config;
  private readonly changes = new Map<string, Change>();
  private inSession = false;
  private version = 0;
  private savedVersion = 0;

  /** @param folder new, or loaded */
  constructor(
    readonly folder: MemoryFolder,
    config: Config,
    private readonly host: RunHost,
  ) {
    this.config = config;
    for (const text of folder.metrics.split('\n')) {
      const line = parseRunLine(text);
      if (line) this.log.add(line);
    }
    const last = folder.lastCheckpoint();
    const phases = phasesOf(config);
    this.at = last ?? { phase: phases[0] as Phase, step: 0 };
    this.figures = lastFigures(this.log.phase(this.at.phase).curves);
    const session = folder.sessions().at(-1);
    if (session) this.adapter = { name: session.adapter, software: session.software };
    const isDone = last !== undefined && last.phase === phases.at(-1) && last.step >= this.plan(last.phase).steps;
    this.current = { kind: isDone ? 'finished' : 'paused' };
  }

  get standing(): RunStatus {
    return this.current;
  }

  get preset(): string {
    return this.config.preset;
  }

  get batch(): number {
    return this.config.training.batch;
  }

  /** The phase under way. */
  get phase(): Phase {
    return this.at.phase;
  }

  /** The phases and how far each is. */
  get phases(): readonly { readonly id: Phase; readonly done: number; readonly plan: PhasePlan }[] {
    const all = phasesOf(this.config);
    const now = all.indexOf(this.at.phase);
    return all.map((id, index) => {
      const plan = this.plan(id);
      return { id, plan, done: index < now ? plan.steps : index > now ? 0 : this.at.step };
    });
  }

  /** The peak learning rate of the phase under way. */
  get learningRate(): number {
    return peakLearningRate(this.config, this.at.phase);
  }

  /** Seconds to the end of the phase under way. */
  get secondsLeft(): number | undefined {
    return this.pace.secondsLeft(this.plan(this.at.phase).steps);
  }

  /** Whether settings were changed that no step was trained with yet. */
  get isChanged(): boolean {
    return this.changes.size > 0;
  }

  /** Whether a worker is at it. */
  get isUnderWay(): boolean {
    return ['preparing', 'running', 'ending'].includes(this.current.kind);
  }

  /** Whether there is something that was not saved. */
  get isUnsaved(): boolean {
    return this.version !== this.savedVersion;
  }

  /** Counts what was made: what is there now can be said to be saved. */
  get made(): number {
    return this.version;
  }

  /** @param made what `made` was when the folder's files were taken */
  saved(made: number): void {
    this.savedVersion = made;
    this.host.changed();
  }

  /** Begins, or goes on from the last checkpoint. */
  go(): void {
    if (this.isUnderWay) return;
    void this.train();
  }

  pause(): void {
    this.end('pause');
  }

  /** Ends the run; what it has made stays. */
  stop(): void {
    if (this.isUnderWay) {
      this.end('stop');
      return;
    }
    this.release();
    this.stand({ kind: 'stopped' });
  }

  /**
   * Gives the phase under way another peak learning rate, from the next step on.
   *
   * @throws UserError where it is not allowed
   */
  changeLearningRate(peak: number): void {
    const section = this.at.phase === 'imae' ? 'optimizer' : 'teacher';
    const next = resolveConfig([
      { source: CONFIG, values: this.config },
      { source: 'the page', values: { [section]: { learningRate: { lr: peak } } } },
    ]);
    if (peak === this.learningRate) return;
    const setting = `${section}.learningRate`;
    const shown = ({ optimizer, teacher }: Config): string =>
      section === 'optimizer'
        ? OPTIONS.optimizer.learningRate.kind.show(optimizer.learningRate)
        : OPTIONS.teacher.learningRate.kind.show(teacher.learningRate);
    this.changes.set(setting, { from: this.changes.get(setting)?.from ?? shown(this.config), to: shown(next) });
    this.config = next;
    if (this.isUnderWay) this.end('change');
    else this.host.changed();
  }

  /** Ends the worker at once; for a run that is thrown away. */
  dispose(): void {
    this.release();
  }

  private end(intent: Intent): void {
    if (!this.isUnderWay) return;
    if (this.current.kind === 'ending' && INTENTS.indexOf(intent) < INTENTS.indexOf(this.current.intent)) return;
    this.stand({ kind: 'ending', intent });
    void this.trainer?.api.requestStop();
  }

  private async train(): Promise<void> {
    const { folder, config } = this;
    const changes = new Map(this.changes);
    const resume = folder.lastCheckpoint();
    const teacher = folder.finished('teacher');
    const leg: TrainingSession = {
      config,
      ...(resume ? { resume } : {}),
      ...(teacher ? { teacher: teacher.model } : {}),
      ...(changes.size > 0 ? { changed: [...changes.keys()] } : {}),
    };
    if (!resume) folder.writeConfig(config); // with the first checkpoint under it otherwise, so that they always agree
    folder.goOn();
    this.adapterBefore = undefined;
    this.inSession = false;
    this.stand({ kind: 'preparing', what: 'starting' });
    const failed = (message: string): LegEnd => ({ ended: 'failed', why: 'defect', message });
    const trainer = (this.trainer ??= this.host.startTrainer((message) => {
      if (this.trainer === trainer) this.ended(failed(message));
    }));
    const hear = (event: TrainingEvent): void => {
      if (this.trainer === trainer) this.hear(event, config, changes);
    };
    const end = await trainer.api
      .train(leg, proxy(hear))
      .catch((error: unknown) => failed(error instanceof Error ? error.message : String(error)));
    if (this.trainer === trainer) this.ended(end);
  }

  private hear(event: TrainingEvent, config: Config, changes: ReadonlyMap<string, Change>): void {
    const { folder } = this;
    switch (event.kind) {
      case 'preparing':
        if (this.current.kind === 'preparing') this.current = { kind: 'preparing', what: event.what };
        break;
      case 'note':
        this.notes.add(event.text);
        break;
      case 'broken':
        folder.noteBroken(event.path, event.why);
        this.version++;
        break;
      case 'adapter': {
        const before = folder.sessions().at(-1)?.adapter;
        this.adapterBefore = before === event.name ? undefined : before;
        this.adapter = { name: event.name, software: event.software };
        break;
      }
      case 'phase':
        this.at = { phase: event.phase, step: event.start };
        this.pace = new Eta();
        if (!this.inSession) this.beginSession(changes);
        this.inSession = true;
        if (this.current.kind === 'preparing') this.current = { kind: 'running' };
        break;
      case 'progress':
        for (const line of event.lines) {
          folder.appendMetrics(line);
          this.log.add(line);
          this.version++;
        }
        if (event.figures) {
          this.figures = event.figures;
          this.at = { ...this.at, step: event.figures.step };
          this.pace.update(event.figures.step);
        }
        break;
      case 'checkpoint':
        folder.writeCheckpoint(event, event.model, event.state);
        folder.writeConfig(config);
        for (const [setting, change] of changes)
          if (this.changes.get(setting)?.to === change.to) this.changes.delete(setting);
        this.version++;
        break;
      case 'panels': {
        const [phase = '', step = ''] = event.name.split('-');
        this.sheets.add({ phase, step: Number(step), sheet: event.sheet });
        break;
      }
      case 'picture':
        folder.writePicture(event.name, event.png);
        this.version++;
        break;
    }
    this.host.changed();
  }

  private beginSession(changes: ReadonlyMap<string, Change>): void {
    const { phase, step } = this.at;
    this.folder.appendSession({
      time: new Date().toISOString(),
      phase,
      step,
      adapter: this.adapter?.name ?? '',
      software: this.adapter?.software ?? false,
      platform: this.host.platform,
      palimpsest: packageJson.version,
      trainingImages: this.host.trainingImages,
      ...(changes.size > 0
        ? { changes: [...changes].map(([setting, { from, to }]) => `${setting} ${to} in the place of ${from}`) }
        : {}),
    });
    this.version++;
  }

  private ended(end: LegEnd): void {
    const word = (ended: SessionEnd['ended'], message?: string): void => {
      if (!this.inSession) return;
      this.folder.appendSession(sessionEnd(this.at, ended, message));
      this.inSession = false;
      this.version++;
    };
    if (this.figures) this.figures = { ...this.figures, liveBytes: 0 };
    this.pace = new Eta();
    if (end.ended === 'failed') {
      word('failed', end.message);
      this.release();
      this.stand({ kind: 'failed', why: end.why, message: end.message });
      return;
    }
    const intent = this.current.kind === 'ending' ? this.current.intent : undefined;
    if (end.stopped) this.at = end.stopped;
    else this.at = { ...this.at, step: this.plan(this.at.phase).steps };
    word(end.ended);
    if (end.ended === 'finished' || intent === 'stop') this.release();
    if (end.ended === 'finished') this.stand({ kind: 'finished' });
    else if (intent === 'stop') this.stand({ kind: 'stopped' });
    else if (intent === 'change') void this.train();
    else this.stand({ kind: 'paused' });
  }

  private release(): void {
    const { trainer } = this;
    this.trainer = undefined;
    trainer?.terminate();
  }

  private stand(standing: RunStatus): void {
    this.current = standing;
    this.host.changed();
  }

  private plan(phase: Phase): PhasePlan {
    return planPhase(this.config, phase, this.host.trainingImages);
  }
}

/** What a run measured last, by its log. */
function lastFigures({ steps, values }: Curves): Figures | undefined {
  const last = (name: CurveName): number | undefined => values[name]?.at(-1) ?? undefined;
  const [step, loss, lr, imagesPerSecond] = [steps.at(-1), last('loss'), last('lr'), last('imagesPerSecond')];
  if (step === undefined || loss === undefined || lr === undefined || imagesPerSecond === undefined) return undefined;
  return { step: step + 1, loss, lr, imagesPerSecond, liveBytes: 0 };
}
