import { describe, expect, it } from 'vitest';
import { pipeline } from './pipeline';

const later = <T>(value: T, milliseconds = 1): Promise<T> =>
  new Promise((resolve) => setTimeout(() => resolve(value), milliseconds));

describe('a pipeline', () => {
  it('gives what jobs came to in their order, few of them ahead', async () => {
    const used: number[] = [];
    let mostAhead = 0;
    const done = await pipeline(
      async (index) => {
        mostAhead = Math.max(mostAhead, index - used.length);
        // The later ones end first.
        return Promise.resolve(index === 9 ? undefined : { result: later(index * index, 12 - index) });
      },
      (value, index) => {
        expect(value).toBe(index * index);
        used.push(index);
      },
    );
    expect(done).toBe(9);
    expect(used).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    expect(mostAhead).toBe(2);
  });

  it('gives a result as soon as the next job is begun, where it is there', async () => {
    const events: string[] = [];
    await pipeline(
      async (index) => {
        events.push(`begin ${index}`);
        await later(undefined, 2);
        return index === 3 ? undefined : { result: Promise.resolve(index) };
      },
      (value) => events.push(`use ${value}`),
    );
    expect(events.slice(0, 4)).toEqual(['begin 0', 'use 0', 'begin 1', 'use 1']);
  });

  it('does nothing where there is no job', async () => {
    expect(
      await pipeline(
        () => Promise.resolve(undefined),
        () => expect.unreachable(),
      ),
    ).toBe(0);
  });

  it('waits for jobs under way before it throws what failed', async () => {
    let ended = 0;
    const run = pipeline(
      (index) =>
        index === 1
          ? Promise.reject(new Error('no more'))
          : Promise.resolve({ result: later(index, 5).finally(() => ended++) }),
      () => undefined,
    );
    await expect(run).rejects.toThrow('no more');
    expect(ended).toBe(1);
    const failing = pipeline(
      (index) => Promise.resolve(index === 5 ? undefined : { result: Promise.reject(new Error(`job ${index}`)) }),
      () => undefined,
    );
    await expect(failing).rejects.toThrow('job 0');
  });
});
