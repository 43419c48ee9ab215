/** Jobs that are begun before the first of them is waited for: while the GPU works, the host prepares the next. */
export const AHEAD = 2;

/** A job that is under way. */
interface Begun<T> {
  readonly result: Promise<T>;
  isDone: boolean;
}

/**
 * Does jobs with few of them under way at once, and gives what they came to in their order.
 *
 * @param begin starts the job of a number, counted from 0, and returns what it will come to; undefined where there is no
 *   further one
 * @param use is given each result, soon after it is there
 * @returns jobs that were done
 * @throws what `begin`, a result or `use` throws; jobs that are under way are waited for
 */
export async function pipeline<T>(
  begin: (index: number) => Promise<{ readonly result: Promise<T> } | undefined>,
  use: (result: T, index: number) => void,
): Promise<number> {
  const underWay: Begun<T>[] = [];
  let done = 0;
  const useFirst = async (): Promise<void> => {
    use(await (underWay[0] as Begun<T>).result, done++);
    underWay.shift();
  };
  try {
    for (;;) {
      const job = await begin(done + underWay.length);
      if (!job) break;
      const begun: Begun<T> = { result: job.result, isDone: false };
      const end = (): void => void (begun.isDone = true); // a failure is thrown in its turn
      job.result.then(end, end);
      underWay.push(begun);
      await Promise.resolve(); // so that what is there already counts as done
      while (underWay[0]?.isDone || underWay.length > AHEAD) await useFirst();
    }
    while (underWay.length > 0) await useFirst();
  } finally {
    await Promise.allSettled(underWay.map(({ result }) => result));
  }
  return done;
}
