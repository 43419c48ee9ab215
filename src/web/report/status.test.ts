import { describe, expect, it } from 'vitest';
import { NO_METRICS } from '../../report/metrics';
import type { ReportData, ReportPhase } from '../../report/report';
import type { Session, SessionEnd } from '../../report/session';
import { TEST_SESSION } from '../../testing/testSession';
import { statusOf } from './status';

const WRITTEN = '2026-11-21T12:10:00.000Z';
const at = (seconds: number): number => Date.parse(WRITTEN) + seconds * 1000;

const phase = (id: string, done: number, more: Partial<ReportPhase> = {}): ReportPhase => ({
  ...NO_METRICS,
  id,
  title: id,
  done,
  steps: 1000,
  batch: 32,
  panels: [],
  panelCount: 0,
  ...more,
});

const session = (end?: Pick<SessionEnd, 'ended' | 'message'>): Session => ({
  ...TEST_SESSION,
  ...(end ? { end: { time: '2026-11-21T12:01:30.000Z', phase: 'imae', step: 400, ...end } } : {}),
});

const data = (phases: readonly ReportPhase[], sessions: readonly Session[]): ReportData => ({
  name: 'x',
  path: 'runs/x',
  preset: 'demo',
  about: '',
  dataSet: 'shapes',
  written: WRITTEN,
  phases,
  settings: [],
  configFile: '{}',
  sessions,
});

const half = [phase('teacher', 1000), phase('imae', 400)];
const whole = [phase('teacher', 1000), phase('imae', 1000)];

describe('statusOf', () => {
  it('tells where a run is and how long its phase will take', () => {
    const imagesPerSecond = [2, 320, 320, 320, 320];
    const curves = { steps: [0, 10, 20, 30, 40], values: { imagesPerSecond }, lines: 5 };
    const status = statusOf(data([phase('teacher', 1000), phase('imae', 400, { curves })], [session()]), at(5));
    expect(status).toMatchObject({ kind: 'running', resumable: false });
    expect(status.detail).toBe('imae, step 400 of 1,000, about 1:00 left in this phase');
  });

  it('says that nothing is logged yet, and does without a number of steps', () => {
    const unknown = { ...phase('teacher', 0) };
    delete (unknown as { steps?: number }).steps;
    expect(statusOf(data([unknown], [session()]), at(0)).detail).toBe('nothing is logged yet');
    expect(statusOf(data([{ ...unknown, done: 7 }], [session()]), at(0)).detail).toBe('teacher, step 7');
  });

  it('suspects that a run was killed which was not heard of for minutes', () => {
    expect(statusOf(data(half, [session()]), at(100)).kind).toBe('running');
    expect(statusOf(data(half, [session()]), at(200))).toMatchObject({ kind: 'silent', resumable: true });
  });

  it('waits longer where a step takes longer', () => {
    const curves = { steps: [0], values: { imagesPerSecond: [0.1] }, lines: 1 };
    const slow = [phase('imae', 1, { curves })];
    expect(statusOf(data(slow, [session()]), at(1000)).kind).toBe('running');
    expect(statusOf(data(slow, [session()]), at(2000)).kind).toBe('silent');
  });

  it.each([
    ['finished', whole, false],
    ['stopped', half, true],
    ['failed', half, true],
  ] as const)('%s is what the last session says', (ended, phases, resumable) => {
    expect(statusOf(data(phases, [session({ ended })]), at(1e6))).toMatchObject({ kind: ended, resumable });
  });

  it('says why a run failed', () => {
    const { message } = statusOf(data(half, [session({ ended: 'failed', message: 'loss is NaN' })]), at(0));
    expect(message).toBe('loss is NaN');
  });

  it('a run goes on after it was stopped', () => {
    expect(statusOf(data(half, [session({ ended: 'stopped' }), session()]), at(5)).kind).toBe('running');
  });

  it('adds up the time of all sessions', () => {
    const sessions = [session({ ended: 'stopped' }), session({ ended: 'finished' })];
    expect(statusOf(data(whole, sessions), at(0)).detail).toBe('all steps done in 3:00');
    expect(statusOf(data(whole, [session(), session({ ended: 'finished' })]), at(0)).detail).toBe('all steps done');
  });

  it('without sessions, says what the steps tell', () => {
    expect(statusOf(data(whole, []), at(1e6)).kind).toBe('finished');
    expect(statusOf(data(half, []), at(5)).kind).toBe('running');
    expect(statusOf(data(half, []), at(1e6)).kind).toBe('unknown');
  });
});
