import type { Errors } from '../../../imae/inspect/viewer';
import type { RestoredImage } from '../viewingApi';

/** What a reconstruction is compared with, in the colours of the report of a run. */
export const BASELINE_WORDS = [
  { id: 'mixture', title: (own: string) => `mixture to ${own}`, colour: '--mixture', nearer: 'the mixture is nearer' },
  {
    id: 'mean',
    title: (own: string) => `mean of all shapes to ${own}`,
    colour: '--mean',
    nearer: 'the mean of all shapes is nearer',
  },
  {
    id: 'other',
    title: (own: string) => `reconstruction to ${otherThan(own)}`,
    colour: '--other',
    nearer: 'it is nearer to the other image',
  },
] as const;

/** What a reconstruction must beat and does not. */
export function unbeaten(errors: Errors): (typeof BASELINE_WORDS)[number][] {
  // So that what is no number beats nothing.
  return BASELINE_WORDS.filter(({ id }) => !(errors.own < (errors[id] ?? Infinity)));
}

function otherThan(image: string): string {
  return image === 'image 1' ? 'image 2' : 'image 1';
}

export interface Verdict {
  /** None of what does not try to take mixtures apart. */
  readonly outcome: 'good' | 'bad' | 'none';
  readonly title: string;
  readonly text: string;
}

/** Weights that differ by less from one half say little of which image is which. */
const AMBIGUOUS = 0.045;
/** Of an image with less weight little is left. */
const FAINT = 0.1;

/** Whether a mixture was taken apart, in a sentence. @param alpha weight of image 1 */
export function verdictOf(restored: readonly Pick<RestoredImage, 'of' | 'errors'>[], alpha: number): Verdict {
  if (restored[0]?.of === 'mixture') {
    const title = 'Completed, not taken apart.';
    return { outcome: 'none', title, text: 'A vanilla MAE has no branches: it paints what is hidden of the mixture.' };
  }
  const failed = restored
    .filter(({ errors }) => unbeaten(errors).length > 0)
    .map(({ of }) => `image ${Number(of) + 1}`);
  if (failed.length === 0) {
    const what = restored.length > 1 ? 'Each' : 'The';
    return {
      outcome: 'good',
      title: 'Taken apart.',
      text: `${what} reconstruction is nearer to its own image than all that it is compared with.`,
    };
  }
  const title = failed.length < restored.length ? 'Half taken apart.' : 'Not taken apart.';
  return {
    outcome: 'bad',
    title,
    text: `Something simpler is nearer to ${failed.join(' and to ')} than the reconstruction is.${reason(alpha)}`,
  };
}

function reason(alpha: number): string {
  if (Math.abs(alpha - 0.5) < AMBIGUOUS)
    return ' With α near one half, nothing tells which branch is to paint which image.';
  const [faint, strong] = alpha < 0.5 ? [1, 2] : [2, 1];
  if (Math.min(alpha, 1 - alpha) >= FAINT) return '';
  return ` Little of image ${faint} is left in the mixture, which is almost image ${strong} by itself.`;
}

/** How large an error is beside the mixture's (or, of a completed mixture, the mean's), for a heading: `12 %`, and of what. */
export function shareOf({ own, mixture, mean }: Errors): { readonly share: string; readonly of: string } {
  const [whole, of] =
    mixture === undefined
      ? [mean, 'of the error of the mean of all shapes']
      : [mixture, 'of the error that the mixture has'];
  if (whole === undefined) return { share: own.toFixed(3), of: 'mean squared error, in normalised pixels' };
  if (whole <= 1e-9) return { share: '–', of: 'the mixture is this very image' };
  const share = own / whole;
  if (share < 0.005) return { share: 'below 1 %', of };
  if (share < 1) return { share: `${Math.round(100 * share)} %`, of };
  return { share: `${share.toFixed(share < 10 ? 1 : 0)} ×`, of: of.replace('of the', 'the') };
}

/** How reconstructions are to be read. */
export function aboutPictures({
  looks,
  raw,
  normPix,
  strange,
}: {
  /** Looks that a composite is made of. */
  readonly looks: number;
  readonly raw: boolean;
  readonly normPix: boolean;
  /** Whether the model shipped with the page is shown what it has never seen. */
  readonly strange: boolean;
}): string {
  const how = raw
    ? 'Raw: one look alone. What the model saw it was never trained to paint: there, this is noise.'
    : `Composite: each patch as painted while it was hidden. The model looks ${looks} times, each time with other patches hidden.`;
  return [
    how,
    normPix ? 'Each patch is put back by its target’s own mean and deviation, which the model does not predict.' : '',
    strange ? 'This model has only ever seen drawn shapes on black: of any other picture it makes shapes.' : '',
  ].join(' ');
}

export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
