import { separabilityStudySections, tableSection, unmixingSections } from './sections';
import type { Study } from './study';

const FIXED = [0.2, 0.35, 0.5];

export const alpha: Study = {
  name: 'alpha',
  question:
    'how well are mixtures taken apart, and how separable are their latents, over α: drawn as set, or fixed in training',
  lead: [
    'Each line is an i-MAE, measured at every α. One is trained with α drawn as the configuration says, the others with a fixed α.',
  ],
  measures: ['unmixing', 'separability'],
  cells: () => [
    { name: 'as-set', title: 'α drawn as set', settings: {} },
    ...FIXED.map((value) => ({
      name: `fixed-${value}`,
      title: `α fixed at ${value}`,
      settings: { masking: { alpha: { law: 'fixed', value } as const } },
    })),
  ],
  sections: (table, caption) => [
    ...unmixingSections(table, caption),
    ...separabilityStudySections(table, caption),
    tableSection(table, caption),
  ],
};
