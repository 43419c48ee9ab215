import { accuracySections, tableSection, unmixingSections } from './sections';
import type { Study } from './study';
import { overSetting } from './table';

const SHARES = [0, 0.25, 0.5, 0.75, 1];

export const semantics: Study = {
  name: 'semantics',
  question: 'how much does mixing with images of the same class add to a linear probe and to fine-tuning',
  lead: [
    'r is the probability that the second image of a mixture has the class of the first; “random” takes any image and no label.',
  ],
  measures: ['unmixing', 'probe', 'finetune'],
  cells: () => [
    { name: 'random', title: 'random pairs', reference: true, settings: { masking: { sameProb: 'random' } } },
    ...SHARES.map((share) => ({
      name: `r-${share}`,
      title: `r = ${share}`,
      x: share,
      settings: { masking: { sameProb: share } },
    })),
  ],
  sections: (table, caption) => {
    const names = [
      { title: 'linear probe', name: 'probe.top1' },
      { title: 'fine-tuning', name: 'finetune.top1' },
    ].filter(({ name }) => table.has(name));
    return [
      {
        id: 'over-r',
        title: 'Over the share of same-class pairs',
        figures: names.map((name) =>
          overSetting(table, [name], 'r, probability of a same-class pair', {
            title: `Accuracy of ${name.title} over r`,
            y: 'top-1 accuracy on held-out images',
            caption,
          }),
        ),
      },
      ...accuracySections(table, caption),
      ...unmixingSections(table, caption),
      tableSection(table, caption),
    ];
  },
};
