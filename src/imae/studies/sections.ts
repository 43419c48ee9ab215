import type { FigureSection } from '../../report/figures';
import { differencesOf, overAlpha, overCells, tableOf, type Table } from './table';

const SIDES = ['subordinate', 'dominant'] as const;
const SCORE = '1 − error ÷ error of the mean image';
const R2 = 'R² against the mean at each place';

/** The unmixing score over α, a line a cell. */
export function unmixingSections(table: Table, caption: string): FigureSection[] {
  const sides = SIDES.filter((side) => table.has(`score.${side}`));
  if (sides.length === 0) return [];
  return [
    {
      id: 'unmixing',
      title: 'Reconstruction',
      figures: sides.map((side) =>
        overAlpha(
          table,
          `score.${side}`,
          {
            title: `Unmixing score of the ${side}`,
            y: SCORE,
            span: [0, 1],
            caption: `Held-out mixtures, removed patches; 1 is perfect, 0 no better than the mean image; above the dashed line a branch beats all three baselines. ${caption}`,
          },
          [{ title: 'needed to count as taken apart', name: `needed.${side}` }],
        ),
      ),
    },
  ];
}

/** R² of the encoder's output over α, a line a cell, beside the teacher's and a random encoder's. */
export function separabilityStudySections(table: Table, caption: string): FigureSection[] {
  if (!table.has('r2.imae.subordinate')) return [];
  const nearest = SIDES.filter((side) => table.has(`nearest.${side}`));
  return [
    {
      id: 'separability',
      title: 'Linear separability',
      lead: 'From the encoder’s output on the mixture to the teacher’s on one image alone, by a linear map that is fitted on training images and measured on held-out ones.',
      figures: [
        ...SIDES.map((side) =>
          overAlpha(
            table,
            `r2.imae.${side}`,
            {
              title: `Separability of the ${side}`,
              y: R2,
              span: [0, 1],
              caption: `Patch tokens of held-out mixtures. ${caption}`,
            },
            [
              { title: 'the teacher on the mixture', name: `r2.teacher.${side}` },
              { title: 'random encoder', name: `r2.random.${side}` },
            ],
          ),
        ),
        ...nearest.map((side) =>
          overAlpha(
            table,
            `nearest.${side}`,
            {
              title: `Retrieval by the ${side} branch`,
              y: 'share of mixtures',
              span: [0, 1],
              caption: `Share of held-out mixtures whose ${side} branch is nearest, of all teacher latents under the same mask, to that of the ${side} image; nothing is fitted. ${caption}`,
            },
            [{ title: 'before training (from the teacher)', name: `nearest.before.${side}` }],
          ),
        ),
      ],
    },
  ];
}

/** Accuracies, a bar a cell. */
export function accuracySections(table: Table, caption: string): FigureSection[] {
  const kinds = [
    { name: 'probe.top1', title: 'Linear probe' },
    { name: 'finetune.top1', title: 'Fine-tuning' },
  ].filter(({ name }) => table.has(name));
  if (kinds.length === 0) return [];
  return [
    {
      id: 'accuracy',
      title: 'Classification',
      figures: kinds.map(({ name, title }) =>
        overCells(table, name, { title, y: 'top-1 accuracy on held-out images', span: [0, 0.1], caption }),
      ),
    },
  ];
}

const MEASURED = [
  { title: 'score, subordinate', name: 'score.subordinate' },
  { title: 'score, dominant', name: 'score.dominant' },
  { title: 'R², subordinate', name: 'r2.imae.subordinate' },
  { title: 'R², dominant', name: 'r2.imae.dominant' },
  { title: 'retrieval, subordinate', name: 'nearest.subordinate' },
  { title: 'retrieval, dominant', name: 'nearest.dominant' },
  { title: 'probe, top-1', name: 'probe.top1' },
  { title: 'probe, top-5', name: 'probe.top5' },
  { title: 'fine-tuning, top-1', name: 'finetune.top1' },
];

const BUDGET = [
  { title: 'steps', name: 'budget.steps', digits: 0 },
  { title: 'images shown', name: 'budget.images', digits: 0 },
  { title: 'TFLOP', name: 'budget.tflop', digits: 2 },
];

/** Everything that was measured, a row a cell, and what differs from the cell that others are compared with. */
export function tableSection(table: Table, caption: string): FigureSection {
  return {
    id: 'table',
    title: 'The table',
    figures: [
      tableOf(table, [...MEASURED, ...BUDGET], {
        title: 'All cells',
        caption: `Scores, R² and retrieval are means over α. Budgets are of teacher and i-MAE together; images shown count both of a pair. ${caption}`,
      }),
      ...differencesOf(table, MEASURED, {
        title: `Differences from ${table.reference?.title ?? ''}`,
        caption: `Seed by seed: runs of one seed share their teacher and the order of images. ${caption}`,
      }),
    ],
  };
}
