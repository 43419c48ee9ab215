import { separabilityStudySections, tableSection, unmixingSections } from './sections';
import type { Study } from './study';

export const branches: Study = {
  name: 'branches',
  question: 'is it better to reconstruct both images, or only the subordinate',
  lead: ['Two-way i-MAE reconstructs both images, subordinate-only i-MAE the one with less weight.'],
  measures: ['unmixing', 'separability'],
  cells: () => [
    { name: 'two-way', title: 'two-way', settings: { imae: { branches: 'two-way' } } },
    {
      name: 'subordinate',
      title: 'subordinate only',
      settings: { imae: { branches: 'subordinate', lambdaDominant: null } },
    },
  ],
  sections: (table, caption) => [
    ...unmixingSections(table, caption),
    ...separabilityStudySections(table, caption),
    tableSection(table, caption),
  ],
};
