import { LATENT_ALPHAS, type LatentDistances } from '../../../imae/inspect/inspector';
import type { ViewerTask } from '../../../imae/inspect/viewer';

/** The colours of the two images: not those of the branches, since either image can be the subordinate. */
export const IMAGE_COLOURS = ['--other', '--mixture'] as const;

/** Of which image a branch is, by its index, at a weight of the first; neither where both weigh the same. */
export function imageOfBranch(branch: 'subordinate' | 'dominant', alpha: number): 0 | 1 | undefined {
  if (alpha === 0.5) return undefined;
  return (branch === 'subordinate') === alpha < 0.5 ? 0 : 1;
}

/** What a chart of distances is called. */
export function latentTitle(of: LatentDistances['of'], task: ViewerTask): string {
  if (of === 'encoder') return 'Encoder';
  if (task === 'mixture') return 'Into the decoder';
  return of === 'subordinate' ? 'Branch of the subordinate' : 'Branch of the dominant';
}

/** What the branches do with the mixture at a weight, in a sentence or two; its numbers are those of the nearest weight computed. */
export function aboutBranches(latents: readonly LatentDistances[], task: ViewerTask, alpha: number): string {
  if (task === 'mixture') return 'This model has no branches: it was not trained to take mixtures apart.';
  const index = Math.round(alpha * (LATENT_ALPHAS.length - 1));
  const at = LATENT_ALPHAS[index] ?? 0;
  const here = `At α = ${at.toFixed(2)}`;
  if (at === 0 || at === 1)
    return `${here} there is nothing but image ${at === 1 ? 1 : 2}, one of the two that are compared with.`;
  if (at === 0.5) return `${here} both images weigh the same: neither is the subordinate.`;
  const parts = latents.flatMap(({ of, to1, to2 }) => {
    if (of === 'encoder') return [];
    const own = imageOfBranch(of, at) ?? 0;
    const distances = [to1[index] ?? NaN, to2[index] ?? NaN] as const;
    const [near, far] = [distances[own], distances[1 - own] as number];
    const where = near < far ? 'nearer to it' : 'no nearer to it';
    return [
      `the ${of} is image ${own + 1}: its branch’s latent is ${where} (${near.toFixed(2)}) than to the other (${far.toFixed(2)}).`,
    ];
  });
  return [here, parts.map((part, i) => (i === 0 ? part : capital(part))).join(' ')].join(' ');
}

/** How strongly a share is coloured, 0 … 1, and as whose: above one half it is nearer to image 1. Full from ¼ down and ¾ up. */
export function shareColour(share: number): { readonly image: 0 | 1; readonly strength: number } {
  return { image: share > 0.5 ? 0 : 1, strength: Math.min(1, 4 * Math.abs(share - 0.5)) };
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
