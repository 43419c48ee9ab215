import { expect, it } from 'vitest';
import { LatestOnly } from './latestOnly';

/** Answers when told to. */
function slow(): {
  ask: (question: number) => Promise<string>;
  asked: number[];
  finish: (fails?: boolean) => Promise<void>;
} {
  const asked: number[] = [];
  let settle: (fails: boolean) => void = () => undefined;
  return {
    asked,
    ask: (question) => {
      asked.push(question);
      return new Promise((resolve, reject) => {
        settle = (fails) => (fails ? reject(new Error(`no ${question}`)) : resolve(`yes ${question}`));
      });
    },
    finish: async (fails = false) => {
      settle(fails);
      await new Promise((resolve) => setTimeout(resolve));
    },
  };
}

it('asks one at a time, and of those that come meanwhile the latest', async () => {
  const { ask, asked, finish } = slow();
  const heard: string[] = [];
  const latest = new LatestOnly(ask, {
    answer: (answer, question) => heard.push(`${question}: ${answer}`),
    failure: (error, question) => heard.push(`${question}: ${String(error)}`),
  });
  latest.put(1);
  latest.put(2);
  latest.put(3);
  expect(asked).toEqual([1]);
  await finish();
  expect(asked).toEqual([1, 3]);
  latest.put(4);
  await finish(true);
  expect(asked).toEqual([1, 3, 4]);
  await finish();
  expect(heard).toEqual(['1: yes 1', '3: Error: no 3', '4: yes 4']);
  latest.put(5);
  await finish();
  expect(heard.at(-1)).toBe('5: yes 5');
});
