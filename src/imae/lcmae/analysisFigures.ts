import type { BarsFigure, Figure, FigureSection, LinesFigure } from '../../report/figures';
import type { Analysis, AtRatio } from './analyse';
import { average } from './gridDistance';

/** What the page of an analysis says first. */
export const ANALYSIS_LEAD: readonly string[] = [
  'How does a masked autoencoder use what it sees? Seven measurements in the spirit of “Understanding Masked Autoencoders From a Local Contrastive Perspective” (2023). Its formulas and settings were not at hand, so that no figure here repeats one of its own.',
  'Beside each stands what it is to be compared with: the same architecture with random weights, attention that is spread evenly, or the value that chance would give.',
];

const RANDOM = 'random weights';

/**
 * The seven measurements as figures.
 *
 * @param about sizes, data and budget, for captions
 */
export function analysisSections(analysis: Analysis, about: string): FigureSection[] {
  return [identity, invariance, distance, field, attention, consistency, windows].map((make) => make(analysis, about));
}

interface Line {
  readonly title: string;
  readonly values: readonly number[];
  readonly reference?: boolean;
}

/** Of a trained model at each ratio, and of random weights at the middle one. */
function linesOf({ trained, random }: Analysis, read: (at: AtRatio) => readonly number[]): Line[] {
  const middle = random[Math.floor(random.length / 2)];
  return [
    ...trained.map((at) => ({ title: `mask ratio ${at.ratio}`, values: read(at) })),
    ...(middle ? [{ title: `${RANDOM}, ${middle.ratio}`, values: read(middle), reference: true }] : []),
  ];
}

/** A value of each layer: lines, or bars where there is but one layer. */
function byLayer(
  lines: readonly Line[],
  { x, y, first, ...captioned }: { title: string; caption: string; x: string; y: string; first: number },
): LinesFigure | BarsFigure {
  const count = lines[0]?.values.length ?? 0;
  if (count > 1) {
    const values = Array.from({ length: count }, (_, index) => first + index);
    return { ...captioned, kind: 'lines', x: { title: x, values }, y: { title: y }, lines };
  }
  const bars = lines.map(({ title, values, reference }) => ({
    title,
    value: values[0] ?? 0,
    ...(reference ? { reference } : {}),
  }));
  return { ...captioned, kind: 'bars', value: { title: y }, bars };
}

const ENCODER = 'block of the encoder that gave it (0: what the first is given)';
const DECODER = 'block of the decoder';

const overRatios = (of: readonly AtRatio[], read: (at: AtRatio) => number): number[] => of.map(read);

function identity({ trained, random, images }: Analysis, about: string): FigureSection {
  const at = trained[Math.floor(trained.length / 2)] as AtRatio;
  const side = Math.sqrt(at.identity.perPlace.length);
  const labels = Array.from({ length: side }, (_, index) => String(index + 1));
  const worst = Math.max(...[...trained, ...random].map((each) => each.identity.worst));
  const shares: Figure = {
    kind: 'lines',
    title: 'Share of the alignment term in the error',
    caption: `½‖u_A − u_B‖² ÷ (‖u_A − y‖² + ‖u_B − y‖²), patches that two random masks both hide, of ${images} held-out images. 0: both predictions agree; ½: their errors have nothing to do with each other. The two sides of the identity differ by ${worst.toExponential(1)} of the error at most. ${about}`,
    x: { title: 'mask ratio', values: trained.map(({ ratio }) => ratio) },
    y: { title: 'share of the error', span: [0, 0.5] },
    lines: [
      { title: 'trained', values: overRatios(trained, (each) => each.identity.share) },
      { title: RANDOM, values: overRatios(random, (each) => each.identity.share), reference: true },
      { title: 'uncorrelated errors', values: trained.map(() => 0.5), reference: true },
    ],
  };
  const places: Figure = {
    kind: 'matrix',
    title: 'The same at each place of the image',
    caption: `Trained, mask ratio ${at.ratio}. ${about}`,
    rows: { title: 'row of patches', labels },
    columns: { title: 'column of patches', labels },
    value: { title: 'share of the error' },
    values: labels.map((_, y) => labels.map((__, x) => finite(at.identity.perPlace[y * side + x]))),
  };
  return {
    id: 'identity',
    title: '1 · The local contrastive identity',
    lead: 'The reconstruction error of two masked views of an image is an alignment term, by how much the two predictions differ, plus the error of their mean. How much of the error is disagreement?',
    figures: [shares, places],
  };
}

const finite = (value: number | undefined): number | null =>
  value !== undefined && Number.isFinite(value) ? value : null;

function invariance(analysis: Analysis, about: string): FigureSection {
  return {
    id: 'mask-invariance',
    title: '2 · Invariance to the mask',
    lead: 'Are the features of one image under several masks more alike than those of different images?',
    figures: [
      byLayer(
        linesOf(analysis, (at) => at.invariance.map(({ same, different }) => same - different)),
        {
          title: 'Cosine of one image under two masks, less that of two images',
          caption: `Features are the mean over the tokens of visible patches; ${analysis.images} held-out images under 4 random masks each. 0: an image cannot be told by its features. ${about}`,
          x: ENCODER,
          y: 'difference of mean cosines',
          first: 0,
        },
      ),
    ],
  };
}

function distance(analysis: Analysis, about: string): FigureSection {
  const { trained } = analysis;
  const at = trained[Math.floor(trained.length / 2)] as AtRatio;
  const uniform = { title: 'uniform attention', values: at.distance.map(() => at.uniformDistance), reference: true };
  return {
    id: 'attention-distance',
    title: '3 · How far the decoder looks',
    lead: 'The distance of the places that a hidden place attends to, weighted by attention, the class token left out.',
    figures: [
      byLayer([...linesOf(analysis, ({ distance: blocks }) => blocks.map(average)), uniform], {
        title: 'Attention distance',
        caption: `Mean over heads, hidden places and ${analysis.images} held-out images. ${about}`,
        x: DECODER,
        y: 'distance in patches',
        first: 1,
      }),
      {
        kind: 'matrix',
        title: 'Attention distance of each head',
        caption: `Of the decoder's blocks, trained, mask ratio ${at.ratio}; uniform attention: ${at.uniformDistance.toFixed(2)} patches. ${about}`,
        rows: { title: 'block', labels: at.distance.map((_, block) => String(block + 1)) },
        columns: { title: 'head', labels: (at.distance[0] ?? []).map((_, head) => String(head + 1)) },
        value: { title: 'distance in patches' },
        values: at.distance,
      },
    ],
  };
}

function field(analysis: Analysis, about: string): FigureSection {
  const { trained, random, images } = analysis;
  const middle = trained[Math.floor(trained.length / 2)] as AtRatio;
  const x = { title: 'radius in patches', values: analysis.radii };
  const row = (title: string, of: (at: AtRatio) => AtRatio['field'], from: readonly AtRatio[]): string[][] =>
    from.map((at) => [title, String(at.ratio), of(at).half.toFixed(2), of(at).most.toFixed(2)]);
  return {
    id: 'receptive-field',
    title: '4 · Effective receptive field',
    lead: 'How much the prediction of a hidden patch changes with each visible patch (the norm of its gradient), by the distance between them; and how large its error is when all visible patches beyond a radius are out of sight.',
    figures: [
      {
        kind: 'lines',
        title: 'Share of the gradient within a radius',
        caption: `Sum of the norms over visible patches, one hidden patch of each of ${images} held-out images; norms of Jacobians, from 4 draws of random signs. ${about}`,
        x,
        y: { title: 'share of the norms', span: [0, 1] },
        lines: [
          ...linesOf(analysis, (at) => at.field.within),
          { title: `every patch alike, ${middle.ratio}`, values: middle.uniformField.within, reference: true },
        ],
      },
      {
        kind: 'lines',
        title: 'Error with sight up to a radius',
        caption: `The same hidden patches; visible patches beyond the radius are no keys of any attention. A model was never trained with so few patches in sight. ${about}`,
        x,
        y: { title: 'mean squared error, normalised pixels' },
        lines: [
          ...trained.map((at) => ({ title: `mask ratio ${at.ratio}`, values: at.errorWithin })),
          {
            title: `all in sight, ${middle.ratio}`,
            values: analysis.radii.map(() => middle.errorOfAll),
            reference: true,
          },
        ],
      },
      {
        kind: 'table',
        title: 'Radii that hold half and nine tenths of it',
        caption: `In patches, mean over ${images} hidden patches. ${about}`,
        columns: [
          { title: 'model' },
          { title: 'mask ratio', numeric: true },
          { title: '50 %', numeric: true },
          { title: '90 %', numeric: true },
        ],
        rows: [
          ...row('trained', (at) => at.field, trained),
          ...row(RANDOM, (at) => at.field, random),
          ...row('every patch alike', (at) => at.uniformField, trained),
        ],
      },
    ],
  };
}

function attention({ trained, random, images }: Analysis, about: string): FigureSection {
  const at = trained[Math.floor(trained.length / 2)] as AtRatio;
  const chance = random[Math.floor(random.length / 2)] as AtRatio;
  return {
    id: 'position-content',
    title: '5 · Position or content',
    lead: 'If the decoder attends by position, a place has one map of attention whatever the image. If it attends by content, the maps of one place in two images differ.',
    figures: [
      byLayer(
        [
          { title: 'one place, two images', values: at.attention.map(({ samePlace }) => samePlace) },
          { title: 'two places, one image', values: at.attention.map(({ sameImage }) => sameImage) },
          {
            title: `${RANDOM}: one place, two images`,
            values: chance.attention.map(({ samePlace }) => samePlace),
            reference: true,
          },
          {
            title: `${RANDOM}: two places, one image`,
            values: chance.attention.map(({ sameImage }) => sameImage),
            reference: true,
          },
        ],
        {
          title: 'Cosine of maps of attention',
          caption: `Mean over heads and up to 8 hidden places of ${images} held-out images, all under one random mask of ratio ${at.ratio}. ${about}`,
          x: DECODER,
          y: 'mean cosine',
          first: 1,
        },
      ),
    ],
  };
}

function consistency(analysis: Analysis, about: string): FigureSection {
  const { trained } = analysis;
  const at = trained[Math.floor(trained.length / 2)] as AtRatio;
  return {
    id: 'consistency',
    title: '6 · Consistency with the image',
    lead: 'Does the geometry of token embeddings follow that of the pixels, and how many directions do they use?',
    figures: [
      byLayer(
        linesOf(analysis, (each) => each.consistency.map(({ cka }) => cka)),
        {
          title: 'Linear CKA of tokens with their pixels',
          caption: `Visible patches of ${analysis.images} held-out images, evenly thinned to 1,024. 1: the one is the other turned and scaled. ${about}`,
          x: ENCODER,
          y: 'linear CKA',
          first: 0,
        },
      ),
      byLayer(
        [
          ...linesOf(analysis, (each) => each.consistency.map(({ rank }) => rank)),
          { title: `pixels, ${at.ratio}`, values: at.consistency.map(() => at.pixelRank), reference: true },
        ],
        {
          title: 'Effective rank of tokens',
          caption: `Exponential of the entropy of their covariance's eigenvalues; 1 would be a collapse. The same patches. ${about}`,
          x: ENCODER,
          y: 'effective rank',
          first: 0,
        },
      ),
    ],
  };
}

function windows(analysis: Analysis, about: string): FigureSection {
  const at = analysis.trained[Math.floor(analysis.trained.length / 2)] as AtRatio;
  return {
    id: 'dual-role',
    title: '7 · The dual role of masking',
    lead: 'Masking narrows what a token can see. A whole image is encoded with attention limited to a window: with which window are its tokens most like those of the masked image, at the same places?',
    figures: [
      {
        kind: 'lines',
        title: 'Masked input against a whole image in a window',
        caption: `Linear CKA of the encoder's output tokens, ${analysis.images} held-out images. Within a window a patch attends to patches up to the radius and not to the class token. ${about}`,
        x: { title: 'radius of the window in patches', values: analysis.radii },
        y: { title: 'linear CKA' },
        lines: [
          ...linesOf(analysis, (each) => each.windows),
          {
            title: `no window at all, ${at.ratio}`,
            values: analysis.radii.map(() => at.withoutWindow),
            reference: true,
          },
        ],
      },
    ],
  };
}
