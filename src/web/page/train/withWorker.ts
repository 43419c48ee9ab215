import { startWorker, type RemoteWorker } from '../remote';

/**
 * Starts a worker for one piece of work.
 *
 * @throws what the work throws, and where the worker itself fails
 */
export async function withWorker<Api, T>(script: string, work: (worker: RemoteWorker<Api>) => Promise<T>): Promise<T> {
  let fail: (message: string) => void = () => undefined;
  const failure = new Promise<never>((_, reject) => {
    fail = (message) => reject(new Error(message));
  });
  const worker = startWorker<Api>(script, (message) => fail(message));
  try {
    return await Promise.race([work(worker), failure]);
  } finally {
    worker.terminate();
  }
}
