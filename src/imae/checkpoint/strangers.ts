import { counted } from '../../common/format';
import type { Safetensors } from '../../formats/safetensors';
import { UserError } from '../../common/userError';
import type { NamedParameter } from '../../nn/module';

/*
 * Tensors of a file that would take part in what a model computes, and for which the model here has no place: LayerScale,
 * registers, relative positions, blocks in chunks. To leave them out would give other numbers than the model's, silently.
 * So whatever a file has beside the model's own tensors is refused, unless its name says that it belongs to something else.
 */

/** By the first part of a name: what reads features, and what stands beside the network. */
const HEAD = /head|^(fc|proj|pred|pool|class|linear|queue|loss|logit|teacher|student|momentum)/;
/** With what an encoder alone has no need of. */
export const BESIDE_ENCODER = new RegExp(`${HEAD.source}|^(mask_token|dec)`);

/**
 * Checks that nothing of a file's encoder, or of its whole model, is left out of the model that is filled from it.
 *
 * @param specs the parameters of that model
 * @param others the first part of a name that belongs to something else
 * @throws UserError that names what is left over
 */
export function assertNoStrangers(
  { tensors }: Safetensors,
  specs: readonly NamedParameter[],
  source: string,
  others = HEAD,
): void {
  const wanted = new Set(specs.map(({ name }) => name));
  const strangers = [...tensors.keys()].filter(
    (name) => !wanted.has(name) && !others.test(name.split('.')[0] as string),
  );
  if (strangers.length === 0) return;
  throw new UserError(
    `${source} is of another architecture: ${counted(strangers.length, 'tensor')} would be left out (${strangers.slice(0, 3).join(', ')}). Give a plain ViT.`,
  );
}
