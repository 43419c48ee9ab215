import { wrap, type Remote } from 'comlink';

export interface RemoteWorker<Api> {
  readonly api: Remote<Api>;
  /** Ends the worker and with it all that it holds; calls under way are never answered. */
  terminate(): void;
}

/**
 * Starts one of the page's workers, a script beside the page's own.
 *
 * @param failed is told where the worker itself fails: its script did not load, or an error that nobody caught
 */
export function startWorker<Api>(script: string, failed: (message: string) => void): RemoteWorker<Api> {
  const worker = new Worker(new URL(`./${script}.js`, import.meta.url), { type: 'module', name: script });
  worker.addEventListener('error', (event) => {
    failed(
      event.message ||
        `${script}.js could not be loaded: the server of this page does not answer. Start it again at the same address, then try once more; a page that is loaded anew loses its run.`,
    );
  });
  return { api: wrap<Api>(worker), terminate: () => worker.terminate() };
}
