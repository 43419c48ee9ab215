import { UNWATCHED, type LoadWatcher } from '../../data/sources/fileSet';
import { UserError } from '../../common/userError';
import type { Engine } from '../../engine/engine';
import { isSoftware, nameAdapter } from '../../gpu/adapter';
import { EngineError } from '../../gpu/errors';
import type { Config } from '../../imae/config/config';
import { rehearse } from '../../imae/train/phaseResources';
import { checkResumption, DivergedError } from '../../imae/train/run';
import type { RunResult } from '../../imae/train/runStore';
import { assertTrainable, BUILT_IN, drawBuiltIn } from '../../imae/train/trainingData';
import type { BrowserDecoders } from './decoders';
import { findImages, type GivenImages, type KnownImages } from './givenImages';
import {
  runOptions,
  trainSession,
  type TrainingSession,
  type Surroundings,
  type TrainingEvent,
} from './trainingSession';
import { asksForImages } from './pageConfig';
import { loadImages, lookAt, type LoadedImages } from './trainingImages';

/** How a leg ended. What was told before is whole in any case. */
export type LegEnd =
  | ({ readonly ended: 'finished' | 'stopped' } & RunResult)
  | { readonly ended: 'failed'; readonly why: Reason; readonly message: string };

/** What kind of failure ended a leg: a mistake or lack on the user's side, one that going on alone repeats, or one of ours. */
export type Reason = 'user' | 'diverged' | 'device-lost' | 'engine' | 'defect';

/** What the worker that trains can be asked. It trains one leg at a time. */
export interface TrainingService {
  /** Trains a leg. What it makes comes by `send`, all of it before the answer. */
  train(leg: TrainingSession, send: (event: TrainingEvent) => void | Promise<void>): Promise<LegEnd>;
  /** Ends the leg under way with a checkpoint. */
  requestStop(): void;
  /** Takes the images on which runs are trained from now on that ask for some. @throws UserError where there are none among the files */
  use(images: GivenImages): Promise<KnownImages>;
  /** Looks whether a run can go on as `leg` says. @throws UserError */
  check(leg: TrainingSession): Promise<void>;
}

/** What the service needs of where it runs. */
export interface Platform {
  /** @throws UserError where there is no GPU */
  readonly openEngine: (options: { readonly plain: boolean }) => Promise<Engine>;
  readonly drawPicture: Surroundings['drawPicture'];
  readonly openDecoders: (workers: number | 'auto') => BrowserDecoders;
  /** Prepares an event to be given away, with the bytes in it. */
  readonly transferBuffers?: (event: TrainingEvent) => TrainingEvent;
}

/** Trains legs of runs, one after the other, with one engine, which stays open between them and holds no buffers then. */
export class Training implements TrainingService {
  private engine: { readonly of: string; readonly engine: Engine } | undefined;
  private found: ReturnType<typeof findImages> | undefined;
  private data: { readonly of: string; readonly sets: LoadedImages; readonly close: () => void } | undefined;
  private stop = false;

  constructor(private readonly platform: Platform) {}

  async train(leg: TrainingSession, send: (event: TrainingEvent) => void | Promise<void>): Promise<LegEnd> {
    this.stop = false;
    const { drawPicture, transferBuffers } = this.platform;
    const tell = async (event: TrainingEvent): Promise<void> =>
      await send(transferBuffers ? transferBuffers(event) : event);
    try {
      const { config } = leg;
      await tell({ kind: 'preparing', what: 'opening the GPU' });
      const known = this.engine;
      const engine = await this.opened(config);
      await tell({ kind: 'adapter', name: nameAdapter(engine.info), software: isSoftware(engine.info) });
      const data = await this.loaded(config, true, watching(tell));
      const { broken } = data;
      const tellBroken = ({ path, why }: { readonly path: string; readonly why: string }): void =>
        void tell({ kind: 'broken', path, why });
      broken?.all.forEach(tellBroken);
      if (broken) broken.listener = tellBroken;
      await tell({ kind: 'preparing', what: 'compiling kernels' });
      if (known?.engine !== engine) await rehearse(engine, config, data);
      const result = await trainSession(engine, data, leg, { send: tell, drawPicture, stopRequested: () => this.stop });
      return { ended: result.stopped ? 'stopped' : 'finished', ...result };
    } catch (error) {
      this.dispose(); // whatever it was, the next leg gets a new device
      return failure(error);
    }
  }

  requestStop(): void {
    this.stop = true;
  }

  async check(leg: TrainingSession): Promise<void> {
    await checkResumption(leg.config, await this.loaded(leg.config, false, UNWATCHED), runOptions(leg));
  }

  async use(images: GivenImages): Promise<KnownImages> {
    this.found = findImages(images);
    this.found.catch(() => undefined); // thrown where it is waited for
    return await lookAt(await this.found);
  }

  /** Gives the GPU back. */
  dispose(): void {
    this.engine?.engine.dispose();
    this.engine = undefined;
  }

  private async opened({ device }: Config): Promise<Engine> {
    const known = this.engine;
    // It may have been lost while nobody used it.
    const isWell =
      known?.of === device.kernels &&
      (await known.engine.settle().then(
        () => true,
        () => false,
      ));
    if (isWell) return known.engine;
    this.dispose();
    const engine = await this.platform.openEngine({ plain: device.kernels === 'plain' });
    this.engine = { of: device.kernels, engine };
    return engine;
  }

  /** @param toTrain see `loadImages` */
  private async loaded(config: Config, toTrain: boolean, watcher: LoadWatcher): Promise<LoadedImages> {
    const { model, training, data } = config;
    const of = JSON.stringify(asksForImages(config) ? [model.image, data, toTrain] : [model.image, training.seed]);
    if (this.data?.of !== of) {
      this.data?.close();
      this.data = undefined;
      this.data = {
        of,
        ...(asksForImages(config) ? await this.given(config, toTrain, watcher) : this.drawn(config, watcher)),
      };
    }
    assertTrainable(config, this.data.sets);
    return this.data.sets;
  }

  private drawn(config: Config, watcher: LoadWatcher): { readonly sets: LoadedImages; readonly close: () => void } {
    watcher.begin('drawings', BUILT_IN.trainCount + BUILT_IN.testCount);
    return { sets: drawBuiltIn(config), close: () => undefined };
  }

  private async given(
    config: Config,
    toTrain: boolean,
    watcher: LoadWatcher,
  ): Promise<{ readonly sets: LoadedImages; readonly close: () => void }> {
    if (!this.found)
      throw new UserError(
        `The images of this run (${config.data.set ?? 'none'}) were not given. Drop their folder on the page.`,
      );
    let decoders: BrowserDecoders | undefined;
    const open = (): BrowserDecoders => (decoders = this.platform.openDecoders(config.data.workers));
    const close = (): void => decoders?.close();
    try {
      return { sets: await loadImages(await this.found, config, open, watcher, toTrain), close };
    } catch (error) {
      close();
      throw error;
    }
  }
}

/** Milliseconds between two reports of how far the loading is. */
const INTERVAL = 200;

function watching(tell: (event: TrainingEvent) => Promise<void>): LoadWatcher {
  let [what, count, told] = ['', 0, 0];
  const say = (text: string): void => void tell({ kind: 'preparing', what: text });
  return {
    note: (text) => void tell({ kind: 'note', text }),
    begin: (title, images) => {
      [what, count] = [title, images];
      say(`making ready ${count.toLocaleString('en')} ${what}`);
    },
    done: (images) => {
      const now = performance.now();
      if (now - told < INTERVAL) return;
      told = now;
      say(`decoding ${what}: ${images.toLocaleString('en')} of ${count.toLocaleString('en')}`);
    },
  };
}

function failure(error: unknown): LegEnd {
  const end = (why: Reason, message: string): LegEnd => ({ ended: 'failed', why, message });
  if (error instanceof DivergedError) return end('diverged', error.message);
  if (error instanceof UserError) return end('user', error.message);
  if (error instanceof EngineError && error.code === 'device-lost') return end('device-lost', error.what);
  if (error instanceof EngineError) return end('engine', error.message);
  return end('defect', error instanceof Error ? `${error.name}: ${error.message}` : String(error));
}
