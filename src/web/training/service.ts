import type { TrainTest } from '../../data/imageSet';
import { UserError } from '../../files/userError';
import { isSoftware, nameAdapter, type Engine } from '../../gpu/engine';
import { EngineError } from '../../gpu/errors';
import type { Config } from '../../imae/config';
import { rehearse } from '../../imae/phaseResources';
import { checkResumption, DivergedError, type RunResult } from '../../imae/run';
import { assertTrainable, BUILT_IN, drawBuiltIn } from '../../imae/trainingData';
import { runOptions, trainLeg, type Leg, type Surroundings, type TrainingEvent } from './leg';

/** How a leg ended. What was told before is whole in any case. */
export type LegEnd =
  | ({ readonly ended: 'finished' | 'stopped' } & RunResult)
  | { readonly ended: 'failed'; readonly why: Reason; readonly message: string };

/** What kind of failure ended a leg: a mistake or lack on the user's side, one that going on alone repeats, or one of ours. */
export type Reason = 'user' | 'diverged' | 'device-lost' | 'engine' | 'defect';

/** What the worker that trains can be asked. It trains one leg at a time. */
export interface TrainingService {
  /** Trains a leg. What it makes comes by `send`, all of it before the answer. */
  train(leg: Leg, send: (event: TrainingEvent) => void | Promise<void>): Promise<LegEnd>;
  /** Ends the leg under way with a checkpoint. */
  requestStop(): void;
  /** Looks whether a run can go on as `leg` says. @throws UserError */
  check(leg: Leg): Promise<void>;
}

/** What the service needs of where it runs. */
export interface Platform {
  /** @throws UserError where there is no GPU */
  readonly openEngine: (options: { readonly plain: boolean }) => Promise<Engine>;
  readonly drawPicture: Surroundings['drawPicture'];
  /** Prepares an event to be given away, with the bytes in it. */
  readonly giveAway?: (event: TrainingEvent) => TrainingEvent;
}

/** Trains legs of runs, one after the other, with one engine, which stays open between them and holds no buffers then. */
export class Training implements TrainingService {
  private engine: { readonly of: string; readonly engine: Engine } | undefined;
  private data: { readonly of: string; readonly sets: TrainTest } | undefined;
  private stop = false;

  constructor(private readonly platform: Platform) {}

  async train(leg: Leg, send: (event: TrainingEvent) => void | Promise<void>): Promise<LegEnd> {
    this.stop = false;
    const { drawPicture, giveAway } = this.platform;
    const tell = async (event: TrainingEvent): Promise<void> => await send(giveAway ? giveAway(event) : event);
    try {
      const { config } = leg;
      await tell({ kind: 'preparing', what: 'opening the GPU' });
      const known = this.engine;
      const engine = await this.opened(config);
      await tell({ kind: 'adapter', name: nameAdapter(engine.info), software: isSoftware(engine.info) });
      await tell({ kind: 'preparing', what: `drawing ${(BUILT_IN.trainCount + BUILT_IN.testCount).toLocaleString('en')} images` });
      const data = this.drawn(config);
      await tell({ kind: 'preparing', what: 'compiling kernels' });
      if (known?.engine !== engine) await rehearse(engine, config, data);
      const result = await trainLeg(engine, data, leg, { send: tell, drawPicture, stopRequested: () => this.stop });
      return { ended: result.stopped ? 'stopped' : 'finished', ...result };
    } catch (error) {
      this.dispose(); // whatever it was, the next leg gets a new device
      return failure(error);
    }
  }

  requestStop(): void {
    this.stop = true;
  }

  async check(leg: Leg): Promise<void> {
    await checkResumption(leg.config, this.drawn(leg.config), runOptions(leg));
  }

  /** Gives the GPU back. */
  dispose(): void {
    this.engine?.engine.dispose();
    this.engine = undefined;
  }

  private async opened({ device }: Config): Promise<Engine> {
    const known = this.engine;
    // It may have been lost while nobody used it.
    const isWell = known?.of === device.kernels && (await known.engine.settle().then(() => true, () => false));
    if (isWell) return known.engine;
    this.dispose();
    const engine = await this.platform.openEngine({ plain: device.kernels === 'plain' });
    this.engine = { of: device.kernels, engine };
    return engine;
  }

  private drawn(config: Config): TrainTest {
    const of = `${config.model.image} ${config.training.seed}`;
    if (this.data?.of !== of) this.data = { of, sets: drawBuiltIn(config) };
    assertTrainable(config, this.data.sets);
    return this.data.sets;
  }
}

function failure(error: unknown): LegEnd {
  const end = (why: Reason, message: string): LegEnd => ({ ended: 'failed', why, message });
  if (error instanceof DivergedError) return end('diverged', error.message);
  if (error instanceof UserError) return end('user', error.message);
  if (error instanceof EngineError && error.code === 'device-lost') return end('device-lost', error.what);
  if (error instanceof EngineError) return end('engine', error.message);
  return end('defect', error instanceof Error ? `${error.name}: ${error.message}` : String(error));
}
