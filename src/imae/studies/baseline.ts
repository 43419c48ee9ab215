import { stepFlops, stepShape } from '../train/accounting';
import { planPhase, resolveConfig, type Config } from '../config/config';
import { accuracySections, separabilityStudySections, tableSection, unmixingSections } from './sections';
import type { Study } from './study';

export const baseline: Study = {
  name: 'baseline',
  question: 'does learning to separate help: i-MAE against MAE with the same budget of images, and of arithmetic',
  lead: [
    'Two vanilla MAEs are trained beside i-MAE: one that is shown as many images as teacher and i-MAE together (both images of a pair ' +
      'count), one whose training takes as much arithmetic. The table states all budgets.',
  ],
  measures: ['unmixing', 'separability', 'probe', 'finetune'],
  cells: (base, trainingImages) => {
    const { images, flops } = mixtureBudget(base, trainingImages);
    const { batch } = base.training;
    const alone = (steps: number) =>
      ({
        training: {
          mode: 'mae',
          budget: { steps: Math.max(1, Math.round(steps - teacherSteps(base, trainingImages))) },
        },
      }) as const;
    return [
      { name: 'imae', title: 'i-MAE', settings: {} },
      { name: 'mae-images', title: 'MAE, as many images', settings: alone(images / batch) },
      {
        name: 'mae-flops',
        title: 'MAE, as much arithmetic',
        settings: alone(flops / stepFlops(stepShape(base, 'mae'))),
      },
    ];
  },
  sections: (table, caption) => [
    ...accuracySections(table, caption),
    ...separabilityStudySections(table, caption),
    ...unmixingSections(table, caption),
    tableSection(table, caption),
  ],
};

/** A run of mode `mae` takes the teacher's steps and i-MAE's together. */
function teacherSteps(base: Config, trainingImages: number): number {
  const { preset, ...settings } = base;
  const mae = resolveConfig([
    {
      source: 'study',
      values: {
        preset,
        ...settings,
        training: { ...settings.training, mode: 'mae', budget: { steps: 1 } },
        teacher: { ...settings.teacher, checkpoint: null },
      },
    },
  ]);
  return planPhase(mae, 'mae', trainingImages).steps - 1;
}

/** What teacher and i-MAE are shown and compute together. */
function mixtureBudget(base: Config, trainingImages: number): { images: number; flops: number } {
  const teacher = teacherSteps(base, trainingImages);
  const { steps } = planPhase(base, 'imae', trainingImages);
  return {
    images: base.training.batch * (teacher + 2 * steps),
    flops: teacher * stepFlops(stepShape(base, 'teacher')) + steps * stepFlops(stepShape(base, 'imae')),
  };
}
