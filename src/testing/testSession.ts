import type { SessionStart } from '../report/session';

/** A session's beginning, for tests. */
export const TEST_SESSION: SessionStart = {
  time: '2026-11-21T12:00:00.000Z',
  command: 'node train.js',
  phase: 'teacher',
  step: 0,
  adapter: 'a GPU',
  software: false,
  platform: 'Node 20.20.2',
  palimpsest: '0.1.0',
};
