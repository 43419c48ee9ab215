import { separabilityStudySections, tableSection, unmixingSections } from './sections';
import type { Study } from './study';
import type { StudyCell } from './studyCell';

export const size: Study = {
  name: 'size',
  question: 'how do width and depth of the encoder act',
  lead: [
    'The encoder of i-MAE, and of its teacher with it, at half and twice the width and the depth of the configuration.',
  ],
  measures: ['unmixing', 'separability'],
  cells: ({ model: { dim, depth, heads } }) => {
    const cell = (name: string, settings: { dim: number; depth: number; heads: number }): StudyCell => ({
      name,
      title: `encoder ${settings.dim}-${settings.depth}-${settings.heads}`,
      settings: { model: settings },
    });
    const half = dim / 2;
    return [
      ...(half % heads === 0 && half % 4 === 0 ? [cell('half-width', { dim: half, depth, heads })] : []),
      ...(depth > 1 ? [cell('half-depth', { dim, depth: Math.floor(depth / 2), heads })] : []),
      cell('as-set', { dim, depth, heads }),
      cell('twice-depth', { dim, depth: 2 * depth, heads }),
      cell('twice-width', { dim: 2 * dim, depth, heads: 2 * heads }),
    ];
  },
  sections: (table, caption) => [
    ...unmixingSections(table, caption),
    ...separabilityStudySections(table, caption),
    tableSection(table, caption),
  ],
};
