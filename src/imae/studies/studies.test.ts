import { describe, expect, it } from 'vitest';
import { resolveConfig, planPhase, type Config } from '../config/config';
import { stepFlops, stepShape } from '../train/accounting';
import { STUDIES } from './index';
import { findStudy, planRuns, shardOf, studyFlops, type StudyPlan } from './plan';
import type { StudyCell } from './studyCell';
import { differencesOf, overAlpha, overCells, overSeeds, overSetting, Table, tableOf, type CellValues } from './table';

const IMAGES = 8192;
const base = resolveConfig([{ source: 'test', values: { data: { set: 'shapes' } } }]);
const plan = (study: string, more: Partial<StudyPlan> = {}): StudyPlan => ({
  study,
  base,
  seeds: [0, 1],
  alphas: [0.1, 0.5],
  images: 10,
  fitImages: 10,
  probeEpochs: 1,
  probeBlr: 0.1,
  probeCrop: [0.08, 1],
  finetuneEpochs: 1,
  ...more,
});

describe('planRuns', () => {
  it.each(STUDIES.map(({ name }) => name))(
    'of %s has runs by names of their own, each with a whole configuration',
    (name) => {
      const runs = planRuns(plan(name), IMAGES);
      expect(new Set(runs.map((run) => run.name)).size).toBe(runs.length);
      for (const run of runs) {
        expect(run.name).toMatch(/^[\w.-]+$/);
        const config = run.configFor('t.safetensors');
        expect(config.training.seed).toBe(run.seed);
        expect(run.teacher?.config.training).toMatchObject({ mode: 'teacher', seed: run.seed });
        if (config.training.mode === 'imae') expect(config.teacher.checkpoint).toBe('t.safetensors');
      }
    },
  );

  it.each([
    ['alpha', 1],
    ['branches', 1],
    ['distillation', 1],
    ['semantics', 1],
    ['baseline', 1],
    ['mask-ratio', 4],
    ['size', 5],
  ])('%s trains %i teachers a seed, and shares them', (name, teachers) => {
    const runs = planRuns(plan(name), IMAGES);
    expect(new Set(runs.map(({ teacher }) => teacher?.name)).size).toBe(2 * teachers);
  });

  it('spares the teacher where one is given', () => {
    const given = resolveConfig([{ source: 'test', values: { teacher: { checkpoint: 'mine.safetensors' } } }]);
    expect(planRuns(plan('alpha', { base: given }), IMAGES).map(({ teacher }) => teacher)).toEqual(
      Array.from({ length: 8 }),
    );
  });

  it('counts each shared teacher once', () => {
    const [one] = planRuns(plan('branches', { seeds: [0] }), IMAGES);
    const whole = studyFlops(planRuns(plan('branches', { seeds: [0] }), IMAGES), IMAGES);
    const config = one?.teacher?.config as Config;
    const teacher = planPhase(config, 'teacher', IMAGES).steps * stepFlops(stepShape(config, 'teacher'));
    const student = (branches: 'two-way' | 'subordinate'): number => {
      const own = resolveConfig([{ source: 'test', values: { imae: { branches } } }]);
      return planPhase(own, 'imae', IMAGES).steps * stepFlops(stepShape(own, 'imae'));
    };
    expect(whole).toBe(teacher + student('two-way') + student('subordinate'));
  });

  it('shards share all runs out, each once', () => {
    const runs = planRuns(plan('alpha'), IMAGES);
    const shards = [1, 2, 3].map((index) => shardOf(runs, { index, of: 3 }));
    expect(
      shards
        .flat()
        .map(({ name }) => name)
        .sort(),
    ).toEqual(runs.map(({ name }) => name).sort());
    expect(shards.map((shard) => shard.length)).toEqual([3, 3, 2]);
  });

  it('names what is near', () => {
    expect(() => findStudy('mask')).toThrow('There is no study');
    expect(() => findStudy('mask-ration')).toThrow('Did you mean mask-ratio?');
  });
});

describe('the baseline', () => {
  const cells = findStudy('baseline').cells(base, IMAGES);
  const config = (name: string): Config =>
    planRuns(plan('baseline', { seeds: [0] }), IMAGES)
      .find(({ cell }) => cell.name === name)
      ?.configFor('t') as Config;

  it('is shown as many images, or computes as much, as teacher and i-MAE together', () => {
    expect(cells.map(({ name }) => name)).toEqual(['imae', 'mae-images', 'mae-flops']);
    const steps = (name: string): number => planPhase(config(name), 'mae', IMAGES).steps;
    // The demo: 80 steps of the teacher, 800 of i-MAE with two images each.
    expect(steps('mae-images')).toBe(80 + 2 * 800);
    const [teacher, imae, mae] = (['teacher', 'imae', 'mae'] as const).map((phase) =>
      stepFlops(stepShape(base, phase)),
    ) as [number, number, number];
    expect(steps('mae-flops')).toBe(Math.round((80 * teacher + 800 * imae) / mae));
  });
});

describe('over seeds', () => {
  it('the interval is Student’s', () => {
    expect(overSeeds([])).toBeUndefined();
    expect(overSeeds([3])).toEqual({ value: 3, seeds: 1 });
    // Mean 2, deviation 1, three values: 2 ± 4.303 / √3.
    const three = overSeeds([1, 2, 3]);
    expect(three?.value).toBe(2);
    expect(three?.high).toBeCloseTo(2 + 4.303 / Math.sqrt(3), 12);
    expect(three?.low).toBeCloseTo(2 - 4.303 / Math.sqrt(3), 12);
  });
});

describe('a table', () => {
  const cell = (name: string, x?: number): StudyCell => ({
    name,
    title: `cell ${name}`,
    settings: {},
    ...(x === undefined ? {} : { x }),
  });
  const cells = [cell('a', 1), cell('b', 2), cell('c')];
  const results = new Map([
    [
      'a',
      new Map([
        [0, { 's@0.1': 1, 's@0.5': 3, t: 10 }],
        [1, { 's@0.1': 3, 's@0.5': 5, t: 12 }],
        [2, { 's@0.1': 2, 's@0.5': 4, t: 11 }],
      ]),
    ],
    ['c', new Map([[1, { 's@0.1': 7, 's@0.5': 9, t: 5 }]])],
  ]);
  const table = new Table(cells, [0.1, 0.5], results);
  const titled = { title: 'T', caption: 'C', y: 'Y' };

  it('draws a line a cell over α, with an interval where there are seeds, and a gap where there is nothing yet', () => {
    const { lines, x } = overAlpha(table, 's', titled);
    expect(x.values).toEqual([0.1, 0.5]);
    expect(lines.map(({ values }) => values)).toEqual([
      [2, 4],
      [null, null],
      [7, 9],
    ]);
    expect(lines[0]?.low?.[0]).toBeCloseTo(2 - 4.303 / Math.sqrt(3), 12);
    expect(lines[2]?.low).toBeUndefined();
  });

  it('names the cell of a line to compare with, where it differs between cells', () => {
    const of = (c: number): string | undefined => {
      const values = (t: number): ReadonlyMap<number, CellValues> => new Map([[0, { 's@0.1': 1, 't@0.1': t }]]);
      const two = new Table(
        cells,
        [0.1],
        new Map([
          ['a', values(1)],
          ['c', values(c)],
        ]),
      );
      return overAlpha(two, 's', titled, [{ title: 'tee', name: 't' }]).lines.at(-1)?.title;
    };
    expect([of(1), of(2)]).toEqual(['tee', 'tee, cell a']);
  });

  it('draws a bar a cell that has a value, of means over α', () => {
    expect(overCells(table, 't', titled).bars.map(({ value }) => value)).toEqual([11, 5]);
    expect(overCells(table, 's', titled).bars.map(({ value }) => value)).toEqual([3, 8]);
  });

  it('draws what has a number over it, and levels beside', () => {
    const { lines, x } = overSetting(table, [{ title: 'named', name: 't' }], 'x', titled);
    expect(x.values).toEqual([1, 2]);
    expect(lines).toEqual([
      expect.objectContaining({ title: 'named', values: [11, null] }),
      { title: 'named, cell c', values: [5, 5], reference: true },
    ]);
  });

  it('compares with the reference seed by seed', () => {
    const compared = new Table([{ ...cell('a'), reference: true }, cell('c'), cell('b')], [0.1, 0.5], results);
    const [figure] = differencesOf(
      compared,
      [
        { title: 'tee', name: 't' },
        { title: 'ess', name: 's', digits: 1 },
      ],
      titled,
    );
    expect(figure?.rows).toEqual([
      ['cell c', '−7.000', '+4.0', '1'],
      ['cell b', '–', '–', '0'],
    ]); // of seed 1 alone
    const constant = new Map([
      ['a', results.get('a') ?? new Map<number, CellValues>()],
      [
        'c',
        new Map([
          [2, { t: 12 }],
          [0, { t: 11 }],
          [1, { t: 13 }],
        ]),
      ],
    ]);
    expect(new Table(compared.cells, [], constant).difference(cell('c'), 't')).toEqual({
      value: 1,
      low: 1,
      high: 1,
      seeds: 3,
    });
    expect(differencesOf(table, [{ title: 'tee', name: 't' }], titled)).toEqual([]);
  });

  it('tells all in rows', () => {
    const { rows, columns } = tableOf(
      table,
      [
        { title: 'tee', name: 't', digits: 1 },
        { title: 'none', name: 'u' },
      ],
      titled,
    );
    expect(columns.map(({ title }) => title)).toEqual(['cell', 'tee', 'seeds']);
    expect(rows).toEqual([
      ['cell a', '11.0 ± 2.5', '3'],
      ['cell b', '–', '0'],
      ['cell c', '5.0', '1'],
    ]);
  });
});
