import { classAttention, drawMasks, patchVariance, type MaskChoice, type PatchMasks } from '../../ops/mask';
import type { Tensor } from '../../tensor/tensor';
import { patchCount, visiblePatches, type Config, type ModelSize, type Phase } from '../config/config';
import type { Model } from '../model/mae';

/** What a mask hides. */
export type MaskKind = Config['masking']['mask'];

/** The masks of a phase: where i-MAE hides what its teacher attends to, the teacher itself, which has none, hides any patches. */
export function maskOf({ masking }: Config, phase: Phase): MaskKind {
  return masking.mask === 'attention' && phase !== 'imae' ? 'random' : masking.mask;
}

/** What masks are drawn from. */
export interface MaskSource {
  readonly kind: MaskKind;
  /** Shape [B, C, H, W]: what the masked model is shown, in i-MAE the mixture. `variance` and `attention` look at it. */
  readonly seen: Tensor;
  /** As of `drawMasks`. */
  readonly counter: Tensor<'u32'>;
  /** Whose class token is followed; `attention` needs it. It looks at the whole image. */
  readonly teacher?: Model | undefined;
}

/** What the shape of a mask follows from. */
export interface MaskedBy {
  readonly model: Pick<ModelSize, 'image' | 'patch'>;
  readonly masking: Pick<Config['masking'], 'maskRatio'>;
}

/** Records masks for what a model of the configuration is shown. */
export function recordMasks({ model, masking }: MaskedBy, source: MaskSource): PatchMasks {
  const { seen, counter } = source;
  const keep = visiblePatches(model, masking.maskRatio);
  return drawMasks({
    batch: seen.shape[0] ?? 0,
    length: patchCount(model),
    keep,
    counter,
    choice: choose(model.patch, source),
  });
}

function choose(patch: number, { kind, seen, teacher }: MaskSource): MaskChoice {
  if (kind === 'variance') return { logWeights: patchVariance(seen, patch) };
  if (kind !== 'attention') return kind;
  if (!teacher) throw new Error('Masks by attention need a teacher.'); // the configuration was checked
  return {
    logWeights: classAttention(teacher.net.classQkv(seen), teacher.size.heads),
  };
}

/** The order of each sample's patches, of those of a batch that are asked for. @param idsShuffle [batch, length] */
export function ordersOf(idsShuffle: Uint32Array, length: number, count: number): Uint32Array[] {
  return Array.from({ length: count }, (_, index) => idsShuffle.slice(index * length, (index + 1) * length));
}
