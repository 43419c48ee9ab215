import type { Remote } from 'comlink';
import type { CurrentModel, ModelInHand } from './currentModel';
import { startWorker, type RemoteWorker } from './remote';
import type { OpenedModel, ViewingApi } from './viewingApi';

/** What the page calls its own model. */
const SHIPPED_NAME = 'the model shipped with this page';

interface Running {
  readonly worker: RemoteWorker<ViewingApi>;
  /** Rejected when the worker itself fails, which would never answer. */
  readonly broken: Promise<never>;
}

interface Opening {
  readonly model: ModelInHand;
  readonly opened: Promise<OpenedModel>;
}

/** The worker behind Unmix and Inside. It starts when a view first asks, and has one model open: the page's. */
export class Viewing {
  private running: Running | undefined;
  private wanted: ModelInHand | undefined;
  private shipped: Promise<ModelInHand> | undefined;
  private opening: Opening | undefined;

  constructor(private readonly model: CurrentModel) {
    model.follow((latest) => (this.wanted = latest));
  }

  /** Starts the worker, if it does not run yet: that opens the GPU. */
  start(): void {
    this.running ??= startRunning();
  }

  /** Opens the page's model, if it is not open yet; the one shipped with the page where there is none. */
  async open(): Promise<OpenedModel> {
    this.start();
    return await this.opened(this.wanted ?? (await this.findShipped()));
  }

  /**
   * Opens a model that the user gave, and makes it the page's.
   *
   * @throws Error where it cannot be opened; the one before then stays
   */
  async give(model: ModelInHand): Promise<void> {
    const before = this.opening;
    try {
      await this.opened(model);
    } catch (error) {
      if (this.opening?.model === model) this.opening = before;
      throw error;
    }
    this.model.set(model);
  }

  /** Asks the worker, which has a model open. */
  async ask<T>(question: (api: Remote<ViewingApi>) => Promise<T>): Promise<T> {
    this.start();
    const { worker, broken } = this.running as Running;
    return await Promise.race([question(worker.api), broken]);
  }

  /** Ends the worker and what it holds of the GPU; the next question starts another. */
  stop(): void {
    this.running?.worker.terminate();
    this.running = undefined;
    this.opening = undefined;
  }

  /** @returns the shipped model, or what came meanwhile */
  private async findShipped(): Promise<ModelInHand> {
    this.shipped ??= fetchShipped();
    try {
      const shipped = await this.shipped;
      if (!this.wanted) this.model.set(shipped);
      return this.wanted ?? shipped;
    } catch (error) {
      this.shipped = undefined; // to be tried again
      throw error;
    }
  }

  private opened(model: ModelInHand): Promise<OpenedModel> {
    if (this.opening?.model === model) return this.opening.opened;
    // Whatever is still being opened comes first: the last is the one that stays.
    const before = this.opening?.opened.then(
      () => undefined,
      () => undefined,
    );
    const opened = (before ?? Promise.resolve()).then(() => this.ask((api) => api.open(model)));
    this.opening = { model, opened };
    return opened;
  }
}

export function isShipped({ name }: Pick<ModelInHand, 'name'>): boolean {
  return name === SHIPPED_NAME;
}

function startRunning(): Running {
  let fail: (error: Error) => void = () => undefined;
  const broken = new Promise<never>((_, reject) => (fail = reject));
  broken.catch(() => undefined); // thrown to who asks
  return { worker: startWorker<ViewingApi>('viewing', (message) => fail(new Error(message))), broken };
}

async function fetchShipped(): Promise<ModelInHand> {
  const response = await fetch(new URL('./demo.safetensors', import.meta.url)).catch(() => undefined);
  if (!response?.ok) {
    const why = response ? `the server says ${response.status}` : 'there is no connection';
    throw new Error(
      `demo.safetensors, the model that ships with this page, could not be loaded: ${why}. Try again, or open a model of your own.`,
    );
  }
  return { name: SHIPPED_NAME, content: new Uint8Array(await response.arrayBuffer()) };
}
