import { expect, test } from 'vitest';
import { MetricsLog, NO_METRICS, readMetrics, runningMean, thinCurves, type Curves } from './metrics';

const text = (...lines: readonly unknown[]): string => lines.map((line) => `${JSON.stringify(line)}\n`).join('');
const errors = { own: 0.1, other: 1.2, mean: 0.7, mixture: 0.2, score: 0.86 };

test('lines become a curve for each thing measured, phase by phase', () => {
  const metrics = readMetrics(
    text(
      { phase: 'teacher', step: 0, loss: 2, pixel: 2, lr: 0 },
      { phase: 'teacher', step: 10, loss: 1, pixel: 1, lr: 0.1, surprise: 3 },
      { phase: 'imae', step: 0, loss: 4, pixelSubordinate: 1.5, gradNorm: null },
    ),
  );
  expect([...metrics.keys()]).toEqual(['teacher', 'imae']);
  expect(metrics.get('teacher')?.curves).toEqual({
    steps: [0, 10],
    values: { loss: [2, 1], pixel: [2, 1], lr: [0, 0.1] },
    lines: 2,
  });
  expect(metrics.get('imae')?.curves.values).toEqual({ loss: [4], pixelSubordinate: [1.5] });
});

test('a step that lacks a value has null in that curve', () => {
  const metrics = readMetrics(text({ phase: 'mae', step: 0, loss: 2 }, { phase: 'mae', step: 1, loss: 1, lr: 0.5 }));
  expect(metrics.get('mae')?.curves.values.lr).toEqual([null, 0.5]);
});

test('a score has its step and its branches', () => {
  const metrics = readMetrics(
    text(
      { phase: 'imae', step: 100, unmixing: { subordinate: errors, takenApart: true, later: 1 } },
      { phase: 'imae', step: 200, unmixing: { subordinate: errors, dominant: errors, takenApart: false } },
      { phase: 'imae', step: 300, unmixing: { subordinate: { own: 'low' }, takenApart: true } },
    ),
  );
  expect(metrics.get('imae')?.scores).toEqual([
    { step: 100, subordinate: errors, takenApart: true },
    { step: 200, subordinate: errors, dominant: errors, takenApart: false },
  ]);
});

test('lines that cannot be read are left out', () => {
  const metrics = readMetrics(`${text({ phase: 'mae', step: 0, loss: 1 }, 7, null, {})}{"phase":"mae","step":1,"lo`);
  expect(metrics.get('mae')?.curves.steps).toEqual([0]);
  expect(readMetrics('').size).toBe(0);
});

test('steps that were done again replace those of the first time', () => {
  const line = (step: number, loss: number): object => ({ phase: 'imae', step, loss });
  const score = (step: number, own: number): object => ({
    phase: 'imae',
    step,
    unmixing: { subordinate: { ...errors, own }, takenApart: true },
  });
  const metrics = readMetrics(text(line(0, 5), line(10, 4), score(20, 9), line(20, 3), line(10, 8), score(20, 7)));
  expect(metrics.get('imae')?.curves).toMatchObject({ steps: [0, 10], values: { loss: [5, 8] } });
  expect(metrics.get('imae')?.scores.map(({ subordinate }) => subordinate.own)).toEqual([7]);
});

test('thinning keeps the ends and every extreme', () => {
  const count = 10_007;
  const steps = Array.from({ length: count }, (_, i) => i * 10);
  const loss = steps.map((_, i) => Math.sin(i / 500));
  loss[4321] = 50;
  loss[7000] = -50;
  const lr: (number | null)[] = steps.map((_, i) => (i < 5000 ? null : i));
  const thinned = thinCurves({ steps, values: { loss, lr }, lines: count }, 200);

  expect(thinned.lines).toBe(count);
  expect(thinned.steps.length).toBeLessThanOrEqual(200);
  expect(thinned.steps.length).toBeGreaterThan(150);
  expect(thinned.steps.every((step, i) => i === 0 || step > (thinned.steps[i - 1] as number))).toBe(true);
  for (const curve of [thinned.values.loss, thinned.values.lr]) expect(curve).toHaveLength(thinned.steps.length);
  expect(Math.max(...(thinned.values.loss as number[]))).toBe(50);
  expect(Math.min(...(thinned.values.loss as number[]))).toBe(-50);
  const spike = thinned.values.loss?.indexOf(50) ?? -1;
  expect(Math.abs((thinned.steps[spike] as number) - 43_210)).toBeLessThan((count * 10) / 90);
  expect(thinned.values.loss?.at(-1)).toBe(loss.at(-1));
  expect(thinned.values.lr?.[0]).toBeNull();
  expect(thinned.values.lr?.at(-1)).toBe(count - 1);
});

test('a falling and a rising curve stay so when thinned', () => {
  const steps = Array.from({ length: 1000 }, (_, i) => i);
  const thinned = thinCurves({ steps, values: { loss: steps.map((i) => -i), lr: steps }, lines: 1000 }, 20);
  const ascending = (values: readonly number[]): boolean =>
    values.every((v, i) => i === 0 || v > (values[i - 1] as number));
  expect(ascending(thinned.values.lr as number[])).toBe(true);
  expect(ascending((thinned.values.loss as number[]).map((v) => -v))).toBe(true);
});

test('thinned curves have the means of their stretches, which a spike hardly moves', () => {
  const steps = Array.from({ length: 1002 }, (_, i) => i);
  const loss = steps.map((i) => (i === 500 ? 1000 : 1));
  const { means, values } = thinCurves({ steps, values: { loss }, lines: 1002 }, 22);
  expect(means?.loss).toHaveLength(values.loss?.length ?? 0);
  expect(Math.max(...(values.loss as number[]))).toBe(1000);
  expect(Math.max(...(means?.loss as number[]))).toBeCloseTo(1 + 999 / 100, 9);
});

test('a running mean reaches to both sides, as far as there are points', () => {
  expect(runningMean([1, 2, 6, 4, 5], 1)).toEqual([1.5, 3, 4, 5, 4.5]);
  expect(runningMean([1, null, 3, null, 5], 1)).toEqual([1, 2, 3, 4, 5]);
  expect(runningMean([null], 3)).toEqual([null]);
});

test('short curves stay as they are', () => {
  const curves: Curves = { steps: [0, 1, 2], values: { loss: [3, 2, 1] }, lines: 3 };
  expect(thinCurves(curves, 4)).toBe(curves);
});

test('a log grows line by line, and what was read before stays as it was', () => {
  const log = new MetricsLog();
  expect(log.phase('imae')).toBe(NO_METRICS);
  log.add({ phase: 'imae', step: 0, loss: 2 });
  const before = log.phase('imae');
  expect(log.phase('imae')).toBe(before);
  log.add({ phase: 'imae', step: 1, loss: 1 });
  log.add({ phase: 'imae', step: 2, unmixing: { subordinate: errors, takenApart: true } });
  expect(before).toMatchObject({ curves: { steps: [0], lines: 1 }, scores: [] });
  expect(log.phase('imae')).toMatchObject({
    curves: { steps: [0, 1], values: { loss: [2, 1] } },
    scores: [{ step: 2 }],
  });
  log.add({ phase: 'imae', step: 1, loss: 3 }); // it went on from there
  expect(log.phases().get('imae')?.curves.values.loss).toEqual([2, 3]);
});
