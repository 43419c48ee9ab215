import type { Remote } from 'comlink';
import type { KernelsApi } from '../../workers/kernels';
import { startWorker } from '../remote';

/** What the result of a task rejects with once it was stopped. */
export class Stopped extends Error {}

export interface KernelTask<T> {
  readonly result: Promise<T>;
  /** Ends it at once, whatever it is at. */
  stop(): void;
}

/** Does `work` in a worker of its own, which ends with it and gives back all its memory. */
export function inWorker<T>(work: (api: Remote<KernelsApi>) => Promise<T>): KernelTask<T> {
  let stop = (): void => undefined;
  const result = new Promise<T>((resolve, reject) => {
    const worker = startWorker<KernelsApi>('kernels', (message) => end(() => reject(new Error(message))));
    const end = (settle: () => void): void => {
      worker.terminate();
      settle();
    };
    stop = () => end(() => reject(new Stopped('It was stopped.')));
    work(worker.api).then(
      (value) => end(() => resolve(value)),
      (error: unknown) => end(() => reject(error instanceof Error ? error : new Error(String(error)))),
    );
  });
  return { result, stop };
}
