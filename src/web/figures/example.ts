import type { FigurePage } from '../../report/figures';

type Section = FigurePage['sections'][number];

const alphas = [0.1, 0.2, 0.3, 0.4, 0.5];
const rising = (slope: number): number[] => alphas.map((alpha) => slope * alpha);
const caption =
  'Held-out images of CIFAR-10, mask ratio 0.75; 2,000 images to fit on, 1,000 to report on. Bands: 95 % intervals over images. ' +
  'Encoder 96-4-4, 20 epochs, seeds 0, 1.';
const classes = ['airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck'];

const CURVES: Section = {
  id: 'curves',
  title: 'Curves and bars',
  lead: 'A line under a title.',
  figures: [
    {
      kind: 'lines',
      title: 'Separability of the subordinate',
      caption,
      x: { title: 'α, weight of the subordinate', values: alphas },
      y: { title: 'R² against the mean at each place', span: [0, 1] },
      lines: [
        { title: 'i-MAE', values: rising(1.4), low: rising(1.2), high: rising(1.6) },
        { title: 'vanilla MAE on the mixture', values: rising(1), low: rising(0.9), high: rising(1.1) },
        { title: 'MAE of the same budget', values: [0.1, null, 0.25, 0.32, 0.4] },
        { title: 'random encoder', values: rising(0.3), reference: true },
        { title: 'mean at each place', values: rising(0), reference: true },
      ],
    },
    {
      kind: 'lines',
      title: 'Logarithmic axes',
      caption: 'Images against error.',
      x: { title: 'images', values: [10, 100, 1000, 10_000, 100_000], logarithmic: true },
      y: { title: 'error', logarithmic: true },
      lines: [
        {
          title: 'error',
          values: [100, 31, 10, 3.1, 1],
          low: [90, 28, 9, 2.8, 0.9],
          high: [111, 34, 11, 3.4, 1.1],
        },
      ],
    },
    {
      kind: 'bars',
      title: 'Accuracy of a linear probe?',
      caption: 'Whiskers: 95 % intervals over images.',
      value: { title: 'top-1 accuracy', span: [0, 1] },
      bars: [
        { title: 'i-MAE', value: 0.52, low: 0.5, high: 0.54 },
        { title: 'MAE of the same budget of images and of arithmetic', value: 0.48, low: 0.45, high: 0.51 },
        { title: 'raw pixels', value: 0.39, reference: true },
        { title: 'chance', value: 0.1, reference: true },
      ],
    },
    {
      kind: 'bars',
      title: 'Values on both sides of nothing',
      caption: 'Differences.',
      value: { title: 'difference' },
      bars: [
        { title: 'better', value: 0.03, low: 0.01, high: 0.05 },
        { title: 'worse', value: -0.02, low: -0.035, high: -0.005 },
      ],
    },
  ],
};

const MATRICES: Section = {
  id: 'matrices',
  title: 'Matrices',
  figures: [
    {
      kind: 'matrix',
      title: 'Confusion',
      caption: 'Share of the images of a class (row) that are taken for another (column).',
      rows: { title: 'class', labels: classes },
      columns: { title: 'predicted', labels: classes },
      value: { title: 'share of the row', span: [0, 1] },
      values: classes.map((_, row) =>
        classes.map((__, column) => (row === column ? 0.71 : 0.01 * ((row * 3 + column) % 7))),
      ),
    },
    {
      kind: 'matrix',
      title: 'A hundred classes',
      caption: 'Too many for numbers in the cells.',
      rows: { title: 'class', labels: Array.from({ length: 100 }, (_, index) => `class ${index}`) },
      columns: { title: 'predicted', labels: Array.from({ length: 100 }, (_, index) => `class ${index}`) },
      value: { title: 'images' },
      values: Array.from({ length: 100 }, (_, row) =>
        Array.from({ length: 100 }, (__, column) => (row === column ? 60 : (row * column) % 9)),
      ),
    },
    {
      kind: 'matrix',
      title: 'Heads by layers',
      caption: 'With a cell that has no value.',
      rows: { title: 'layer', labels: ['1', '2', '3', '4'] },
      columns: { title: 'head', labels: ['1', '2', '3'] },
      value: { title: 'attention distance, patches' },
      values: [
        [1.5, 2.25, 3],
        [2.5, null, 3.5],
        [3, 3.25, 3.5],
        [3.75, 4, 4.125],
      ],
    },
  ],
};

const TABLES: Section = {
  id: 'tables',
  title: 'Tables and pictures',
  figures: [
    {
      kind: 'table',
      title: 'All that was measured',
      caption,
      columns: [
        { title: 'encoder' },
        ...['α', 'M_ls', 'relative error', 'R²', '95 % interval', 'images', 'top-1 retrieval'].map((title) => ({
          title,
          numeric: true,
        })),
      ],
      rows: [
        ['i-MAE', '0.1', '12.31', '0.812', '0.188', '0.171 – 0.205', '1,000', '34.1 %'],
        ['vanilla MAE on the mixture', '0.1', '14.02', '0.924', '0.076', '0.061 – 0.091', '1,000', '–'],
      ],
    },
    {
      kind: 'picture',
      title: 'A picture',
      caption: 'Four pixels of red, enlarged.',
      image:
        'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAAEElEQVR4nGP4z8AARAwQCgAf7gP9i18U1AAAAABJRU5ErkJggg==',
      width: 800,
      height: 300,
    },
  ],
};

/** A page with every kind of figure, for its test: long titles, wide tables and large matrices among them. */
export function examplePage(): FigurePage {
  return {
    title: 'Every kind of figure',
    lead: [
      'What is asked, and what the figures say to it.',
      'A second paragraph, of </script> and <b>letters</b> that stay letters.',
    ],
    made: '2026-11-25T10:00:00.000Z',
    adapter: 'llvmpipe: Mesa 25.0.7',
    software: true,
    command:
      'node train.js evaluate separability --run runs/2026-11-25_10-00-00-cifar --alphas 0.1,0.2,0.3,0.4,0.5 --out runs/separability',
    settings: [
      { name: 'data', value: 'CIFAR-10' },
      {
        name: 'a setting with a long name',
        value: 'runs/2026-11-25_10-00-00-cifar/checkpoints/imae-002200.safetensors',
      },
    ],
    sections: [CURVES, MATRICES, TABLES],
  };
}
