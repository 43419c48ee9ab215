import type { FigureSection, LinesFigure } from '../../report/figures';
import type { BranchScore } from './unmixing';
import type { UnmixingAt } from './unmixingByAlpha';

export const UNMIXING_LEAD = [
  'Over the removed patches of held-out mixtures: the error of each prediction to its own image, beside three that it must beat: to the ' +
    'other image, of the mean image, and of the mixture itself, those very patches unhidden. The score is 1 − error ÷ error of the mean image.',
];

const SIDES = ['subordinate', 'dominant'] as const;

/** Errors of each branch and the score, over α. */
export function unmixingSection(rows: readonly UnmixingAt[], caption: string): FigureSection {
  const x = { title: 'α, weight of the subordinate', values: rows.map(({ alpha }) => alpha) };
  const sides = SIDES.filter((side) => rows.some(({ score }) => score[side]));
  const of = (side: (typeof SIDES)[number], key: keyof BranchScore): (number | null)[] =>
    rows.map(({ score }) => score[side]?.[key] ?? null);
  const errors = sides.map((side): LinesFigure => ({
    kind: 'lines',
    title: `Errors of the ${side} branch`,
    caption,
    x,
    y: { title: 'mean squared error, normalised pixels', span: [0, 0] },
    lines: [
      { title: 'to its own image', values: of(side, 'own') },
      { title: 'to the other image', values: of(side, 'other'), reference: true },
      { title: 'of the mean image', values: of(side, 'mean'), reference: true },
      { title: 'of the mixture', values: of(side, 'mixture'), reference: true },
    ],
  }));
  const score: LinesFigure = {
    kind: 'lines',
    title: 'Unmixing score',
    caption: `1 is perfect, 0 no better than the mean image. ${caption}`,
    x,
    y: { title: '1 − error ÷ error of the mean image', span: [0, 1] },
    lines: sides.map((side) => ({ title: side, values: of(side, 'score') })),
  };
  return { id: 'unmixing', title: 'Reconstruction', figures: [...errors, score] };
}
