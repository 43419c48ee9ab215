import type { FigureLine, FigureSection, LinesFigure, TableFigure } from '../../report/figures';
import type { Estimate } from './bootstrap';
import { SIDES, type BranchRow, type SeparabilityResult, type SeparabilityRow, type Side } from './separabilityResult';

/** What the question is, for the head of a page. */
export const SEPARABILITY_LEAD = [
  'Can the latent of one image be had by a linear map from the latent of its mixture with another? A linear map with a bias, the ' +
    'same at all places, is fitted by least squares on mixtures of training images, from what an encoder makes of a mixture to what ' +
    'the teacher, a vanilla MAE, makes of one of the two images alone, at the same visible places. It is reported on mixtures of ' +
    'held-out images: R² is 1 − M_ls ÷ the squared distance of the teacher’s mean latent at each place, so that positions alone give 0.',
];

const WORDS: Readonly<Record<Side, string>> = {
  subordinate: 'subordinate (weight α)',
  dominant: 'dominant (weight 1 − α)',
};

/** @param context configuration, image budget, seeds and adapter, for every caption */
export function separabilitySections(result: SeparabilityResult, context: string): FigureSection[] {
  const { settings, candidates } = result;
  const count = (value: number): string => value.toLocaleString('en');
  const measured = `Images: ${result.data}; maps fitted on ${count(settings.fitImages)} mixtures of training images, shown on ${count(settings.images)} held-out ones, ${settings.mask} masks, ratio ${settings.maskRatio}, one mask a pair. Bands: 95 % intervals over held-out pairs (bootstrap), the fit held fixed. ${context}`;
  const lines = (form: 'encoder' | 'branch', side: Side): LinesFigure => ({
    kind: 'lines',
    title:
      form === 'encoder'
        ? `Separability of the ${side}, fitted from each encoder’s output`
        : `Separability of the ${side}, fitted from its branch`,
    caption: `R² of the ${WORDS[side]} over patch tokens. ${measured}`,
    x: { title: 'α, weight of the subordinate', values: settings.alphas },
    y: { title: 'R² against the mean at each place', span: [0, 1] },
    lines: linesOf(
      result,
      (row) =>
        row.target === side &&
        row.tokens === 'patches' &&
        (row.source.form === form ||
          row.source.form === 'mean' ||
          (form === 'branch' && ['imae', 'random'].includes(row.source.id))),
    ),
  });
  const sides = SIDES.slice(0, result.branches.some(({ branch }) => branch === 'dominant') ? 2 : 1);
  return [
    {
      id: 'separability',
      title: 'Is it linearly in there?',
      lead: 'f fitted from h, the encoder’s output on the mixture, in the same way for every encoder. At α = ½ nothing tells which of the two images is which.',
      figures: SIDES.map((side) => lines('encoder', side)),
    },
    {
      id: 'branches',
      title: 'Do the branches find it?',
      lead: 'The branches’ latents as they are; nothing is fitted.',
      figures: sides.flatMap((side) => [
        distanceFigure(result, side, measured),
        retrievalFigure(result, side, candidates, measured),
      ]),
    },
    {
      id: 'paper',
      title: 'The paper’s form',
      lead: 'f fitted from z, the latent of a branch. z is affine in h, so where the decoder is as wide as the encoder this asks the same as above.',
      figures: sides.map((side) => lines('branch', side)),
    },
    {
      id: 'numbers',
      title: 'All numbers',
      figures: [
        fittedTable(result, 'encoder', measured),
        fittedTable(result, 'branch', measured),
        branchTable(result, candidates, measured),
      ],
    },
  ];
}

function linesOf({ fitted, settings }: SeparabilityResult, chosen: (row: SeparabilityRow) => boolean): FigureLine[] {
  const rows = fitted.filter(chosen);
  const ids = [...new Set(rows.map(({ source }) => source.id))];
  return ids.map((id) => {
    const own = rows.filter(({ source }) => source.id === id);
    const at = (alpha: number): Estimate | undefined => own.find((row) => row.alpha === alpha)?.r2;
    const { title, reference } = (own[0] as SeparabilityRow).source;
    return { title, ...series(settings.alphas.map(at)), ...(reference ? { reference } : {}) };
  });
}

function series(estimates: readonly (Estimate | undefined)[]): Pick<FigureLine, 'values' | 'low' | 'high'> {
  return {
    values: estimates.map((each) => each?.value ?? null),
    low: estimates.map((each) => each?.low ?? null),
    high: estimates.map((each) => each?.high ?? null),
  };
}

function fittedTable({ fitted }: SeparabilityResult, form: 'encoder' | 'branch', caption: string): TableFigure {
  const interval = ({ low, high }: Estimate): string => `${low.toFixed(3)} – ${high.toFixed(3)}`;
  return {
    kind: 'table',
    title: form === 'encoder' ? 'Separability of every encoder' : 'Separability from the branches',
    caption: `M_ls: squared Euclidean distance, mean over tokens. Relative error: M_ls ÷ that of the mean at each place. ${caption}`,
    columns: [
      { title: 'fitted from' },
      { title: 'image' },
      { title: 'tokens' },
      ...['α', 'M_ls', 'relative error', 'R²', '95 % interval of R²'].map((title) => ({ title, numeric: true })),
    ],
    rows: fitted
      .filter(({ source }) => source.form === form || source.form === 'mean')
      .map(({ source, target, tokens, alpha, distance, r2 }) => [
        source.title,
        target,
        tokens === 'class' ? 'class token' : 'patches',
        String(alpha),
        distance.value.toPrecision(4),
        (1 - r2.value).toFixed(3),
        r2.value.toFixed(3),
        interval(r2),
      ]),
  };
}

function branchLines(
  { branches, settings }: SeparabilityResult,
  branch: Side,
  titled: (row: BranchRow, side: Side) => string,
  of: (row: BranchRow, side: Side) => Estimate,
): FigureLine[] {
  const models = [...new Set(branches.map(({ model }) => model))];
  return models.flatMap((model) =>
    SIDES.map((side): FigureLine => {
      const own = branches.filter((row) => row.model === model && row.branch === branch);
      const at = (alpha: number): Estimate | undefined => {
        const row = own.find((each) => each.alpha === alpha);
        return row && of(row, side);
      };
      return {
        title: titled(own[0] as BranchRow, side),
        ...series(settings.alphas.map(at)),
        ...(model === 'imae' ? {} : { reference: true }),
      };
    }),
  );
}

function distanceFigure(result: SeparabilityResult, branch: Side, caption: string): LinesFigure {
  const trained: SeparabilityResult = {
    ...result,
    branches: result.branches.filter(({ model }) => model !== 'random'),
  };
  return {
    kind: 'lines',
    title: `How far the ${branch} branch is from either image`,
    caption: `Squared distance of the ${branch} branch’s latent from the teacher’s latent of either image, in units of that between these two. Random weights are in the table: they lie in another space. ${caption}`,
    x: { title: 'α, weight of the subordinate', values: result.settings.alphas },
    y: { title: 'squared distance, relative', span: [0, 1] },
    lines: branchLines(
      trained,
      branch,
      ({ title }, side) => `${title}, to the ${side}`,
      ({ to }, side) => to[side],
    ),
  };
}

function retrievalFigure(result: SeparabilityResult, branch: Side, candidates: number, caption: string): LinesFigure {
  const lines = branchLines(
    result,
    branch,
    ({ title }, side) => `${title}, the ${side}`,
    ({ nearest }, side) => nearest[side],
  );
  const { alphas } = result.settings;
  return {
    kind: 'lines',
    title: `Whose latent is nearest to the ${branch} branch’s`,
    caption: `Share of mixtures whose nearest teacher latent, of ${candidates} under the same mask (chance ${(1 / candidates).toFixed(4)}), is that of the subordinate, or of the dominant. ${caption}`,
    x: { title: 'α, weight of the subordinate', values: alphas },
    y: { title: 'share of mixtures', span: [0, 1] },
    lines: [
      ...lines.filter(({ title }) => !title.startsWith('random')),
      { title: 'chance', values: alphas.map(() => 1 / candidates), reference: true },
    ],
  };
}

function branchTable({ branches }: SeparabilityResult, candidates: number, caption: string): TableFigure {
  const percent = ({ value }: Estimate): string => `${(100 * value).toFixed(1)} %`;
  return {
    kind: 'table',
    title: 'The branches',
    caption: `Distances relative to that between the teacher’s latents of the two images; nearest of ${candidates}. ${caption}`,
    columns: [
      { title: 'model' },
      { title: 'branch' },
      ...['α', 'to the subordinate', 'to the dominant', 'nearest: subordinate', 'nearest: dominant'].map((title) => ({
        title,
        numeric: true,
      })),
    ],
    rows: branches.map(({ title, branch, alpha, to, nearest }) => [
      title,
      branch,
      String(alpha),
      to.subordinate.value.toFixed(3),
      to.dominant.value.toFixed(3),
      percent(nearest.subordinate),
      percent(nearest.dominant),
    ]),
  };
}
