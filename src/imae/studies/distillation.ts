import { separabilityStudySections, tableSection, unmixingSections } from './sections';
import type { Study } from './study';

const WEIGHTS = [0.3, 1, 3];

export const distillationStudy: Study = {
  name: 'distillation',
  question: 'what does the teacher’s target add: λ, none, and the mixed-input teacher of the released code',
  lead: [
    'λ weighs the distance of the branches’ latents from the teacher’s. With “mixed input”, as in the released code, the teacher is given ' +
      'the mixture for both branches, so that its targets do not tell them apart.',
  ],
  measures: ['unmixing', 'separability'],
  cells: () => [
    { name: 'off', title: 'off (λ = 0)', reference: true, settings: { imae: { lambda: 0, lambdaDominant: null } } },
    ...WEIGHTS.map((lambda) => ({
      name: `lambda-${lambda}`,
      title: `λ = ${lambda}`,
      settings: { imae: { lambda, lambdaDominant: null } },
    })),
    {
      name: 'mixed',
      title: 'λ = 1, mixed input',
      settings: { imae: { lambda: 1, lambdaDominant: null, teacherInput: 'mixed' } },
    },
  ],
  sections: (table, caption) => [
    ...unmixingSections(table, caption),
    ...separabilityStudySections(table, caption),
    tableSection(table, caption),
  ],
};
