import { UserError } from '../../common/userError';
import { stepFlops, stepShape } from '../train/accounting';
import { planPhase, resolveConfig, studentSize, type Config } from '../config/config';
import { nearest } from '../config/nearest';
import { STUDIES } from './index';
import type { MeasureSettings } from './measure';
import type { Study } from './study';
import type { StudyCell } from './studyCell';

/** Everything that a study's results follow from. As JSON it is `study.json`. */
export interface StudyPlan extends MeasureSettings {
  readonly study: string;
  readonly base: Config;
  readonly seeds: readonly number[];
}

/** A teacher that the runs of several cells share. */
export interface TeacherRun {
  readonly name: string;
  readonly config: Config;
}

/** A cell with a seed: one run. */
export interface StudyRun {
  readonly name: string;
  readonly cell: StudyCell;
  readonly seed: number;
  /** None where the user gives one. */
  readonly teacher: TeacherRun | undefined;
  /** @param teacher file of the trained teacher */
  configFor(teacher: string): Config;
}

/** @throws UserError (usage) where there is no such study */
export function findStudy(name: string): Study {
  const found = STUDIES.find((study) => study.name === name);
  if (found) return found;
  const names = STUDIES.map((study) => study.name);
  const near = nearest(name, names);
  throw new UserError(
    `There is no study '${name}'.${near === undefined ? '' : ` Did you mean ${near}?`} Studies are ${names.join(', ')}.`,
    { usage: true },
  );
}

/**
 * All runs of a study, seed by seed.
 *
 * @throws UserError where a cell's settings don't fit together
 */
export function planRuns(plan: StudyPlan, trainingImages: number): StudyRun[] {
  const { base, seeds } = plan;
  const teachers: string[] = [];
  return seeds.flatMap((seed) =>
    findStudy(plan.study)
      .cells(base, trainingImages)
      .map((cell): StudyRun => {
        const trainsImae = cell.settings.training?.mode !== 'mae';
        const withSeed = (values: object): Config => resolveConfig(layersOf(base, cell, seed, values));
        const given = base.teacher.checkpoint;
        const teacher = given === null ? teacherOf(base, cell, seed, teachers) : undefined;
        return {
          name: `${cell.name}-seed-${seed}`,
          cell,
          seed,
          teacher,
          configFor: (file) =>
            withSeed(
              trainsImae
                ? { training: { mode: 'imae' }, teacher: { checkpoint: file } }
                : { teacher: { checkpoint: null } },
            ),
        };
      }),
  );
}

function layersOf(base: Config, cell: StudyCell, seed: number, values: object): { source: string; values: unknown }[] {
  const source = `cell ${cell.name} of the study`;
  return [
    { source, values: base },
    { source, values: cell.settings },
    { source, values: { training: { seed } } },
    { source, values },
  ];
}

/** The teacher that a cell needs: of all that its settings change, only what a teacher's training follows from. */
function teacherOf(base: Config, cell: StudyCell, seed: number, known: string[]): TeacherRun {
  const { model = {}, masking, teacher = {}, data = {}, optimizer = {}, schedule = {} } = cell.settings;
  const kept: StudyCell = {
    ...cell,
    settings: {
      model,
      teacher,
      data,
      optimizer,
      schedule,
      ...(masking?.maskRatio === undefined ? {} : { masking: { maskRatio: masking.maskRatio } }),
    },
  };
  const ofSeed = (value: number): Config =>
    resolveConfig(layersOf(base, kept, value, { training: { mode: 'teacher' } }));
  const key = JSON.stringify(ofSeed(0));
  if (!known.includes(key)) known.push(key);
  return { name: `teacher-${1 + known.indexOf(key)}-seed-${seed}`, config: ofSeed(seed) };
}

/** Every n-th run, from the i-th. */
export interface Shard {
  readonly index: number;
  readonly of: number;
}

export function shardOf<T>(runs: readonly T[], shard: Shard | undefined): T[] {
  return shard ? runs.filter((_, at) => at % shard.of === shard.index - 1) : [...runs];
}

/** Floating-point operations of runs and the teachers that they share. */
export function studyFlops(runs: readonly StudyRun[], trainingImages: number): number {
  const teachers = new Map(runs.flatMap(({ teacher }) => (teacher ? [[teacher.name, teacher.config] as const] : [])));
  const ofTeachers = [...teachers.values()].map((config) => flopsOf(config, 'teacher', trainingImages));
  return [...ofTeachers, ...runs.map((run) => runFlopsOf(run, trainingImages))].reduce((sum, each) => sum + each, 0);
}

/** Floating-point operations of a run without its teacher. */
export function runFlopsOf(run: StudyRun, trainingImages: number): number {
  const config = run.configFor('teacher');
  return flopsOf(config, config.training.mode === 'mae' ? 'mae' : 'imae', trainingImages);
}

function flopsOf(config: Config, phase: 'teacher' | 'imae' | 'mae', trainingImages: number): number {
  return planPhase(config, phase, trainingImages).steps * stepFlops(stepShape(config, phase));
}

/** The base in a sentence or two, for captions. */
export function describeBase(
  { base, seeds, images, fitImages }: StudyPlan,
  data: string,
  trainingImages: number,
): string {
  const { patch, dim, depth, heads, decoderDim, decoderDepth, decoderHeads } = studentSize(base);
  const steps = planPhase(base, 'imae', trainingImages).steps;
  const ofTeacher = planPhase(base, 'teacher', trainingImages).steps;
  const teacher = base.teacher.checkpoint === null ? `a teacher of ${ofTeacher} steps` : 'a given teacher';
  const interval =
    seeds.length > 2
      ? '; intervals: 95 %, Student’s t over seeds'
      : seeds.length > 1
        ? '; ± in the table: 95 %, Student’s t, which is wide for two seeds'
        : '';
  return (
    `Images: ${data}, ${trainingImages.toLocaleString('en')} for training; where the cells don’t say otherwise, encoder ${dim}-${depth}-${heads}, ` +
    `decoder ${decoderDim}-${decoderDepth}-${decoderHeads}, patch ${patch}, mask ratio ${base.masking.maskRatio}, ${teacher} and i-MAE of ${steps} steps, ` +
    `batches of ${base.training.batch}; ${images.toLocaleString('en')} held-out mixtures, maps fitted on ${fitImages.toLocaleString('en')}; ` +
    `${seeds.length === 1 ? 'seed' : 'seeds'} ${seeds.join(', ')}${interval}.`
  );
}
