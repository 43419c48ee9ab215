import { expect, test } from 'vitest';
import { readSessions, type SessionEnd } from './session';
import { TEST_SESSION } from '../testing/testSession';

const start = TEST_SESSION;
const end: SessionEnd = { time: '2026-11-21T12:05:00.000Z', ended: 'stopped', phase: 'imae', step: 40 };

const text = (...lines: readonly unknown[]): string => lines.map((line) => `${JSON.stringify(line)}\n`).join('');

test('an end belongs to the session before it', () => {
  const second = { ...start, phase: 'imae', step: 40 };
  expect(readSessions(text(start, end, second))).toEqual([{ ...start, end }, second]);
});

test('a session that was killed has no end, and takes none from the next', () => {
  expect(readSessions(text(start, { ...start, step: 10 }, end))).toEqual([start, { ...start, step: 10, end }]);
});

test('a page has typed no command', () => {
  const { command, ...page } = {
    ...start,
    platform: 'Chrome 147',
    changes: ['optimizer.learningRate from 1 lr to 2 lr'],
  };
  expect(command).toBeDefined();
  expect(readSessions(text(page, end))).toEqual([{ ...page, end }]);
});

test('what cannot be read is left out', () => {
  expect(readSessions(`${text(end, 7, null, { time: 'now' }, start)}{"time":"2026-11`)).toEqual([start]);
  expect(readSessions('')).toEqual([]);
});
