import { visiblePatches, patchCount } from '../config/config';
import { separabilityStudySections, tableSection, unmixingSections } from './sections';
import type { Study } from './study';
import { overSetting } from './table';

const RATIOS = [0.25, 0.5, 0.75, 0.9];

export const maskRatio: Study = {
  name: 'mask-ratio',
  question: 'how does the share of hidden patches act on reconstruction and separability',
  lead: ['Each cell trains a teacher and an i-MAE with its own mask ratio, and is measured with that ratio.'],
  measures: ['unmixing', 'separability'],
  cells: ({ model }) =>
    RATIOS.filter((ratio) => {
      const visible = visiblePatches(model, ratio);
      return visible >= 1 && visible < patchCount(model);
    }).map((ratio) => ({
      name: `mask-${ratio}`,
      title: `mask ratio ${ratio}`,
      x: ratio,
      settings: { masking: { maskRatio: ratio } },
    })),
  sections: (table, caption) => {
    const sides = ['subordinate', 'dominant'];
    const over = (name: string, title: string, y: string) =>
      overSetting(
        table,
        sides.map((side) => ({ title: side, name: `${name}.${side}` })),
        'mask ratio',
        { title, y, span: [0, 1], caption: `Mean over α. ${caption}` },
      );
    return [
      {
        id: 'over-ratio',
        title: 'Over the mask ratio',
        figures: [
          over('score', 'Unmixing score over the mask ratio', '1 − error ÷ error of the mean image'),
          over('r2.imae', 'Separability over the mask ratio', 'R² against the mean at each place'),
        ],
      },
      ...unmixingSections(table, caption),
      ...separabilityStudySections(table, caption),
      tableSection(table, caption),
    ];
  },
};
