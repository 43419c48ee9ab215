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
const HEAD =
  /^(\w*head\w*|fc(_norm)?|linear|classifier|(proj|pred|pool|loss|queue|ema|momentum)\w*|pre_logits|logit_scale|teacher|student)$/;
/** Of these an encoder alone has no need. */
const DECODER = /^(mask_token|dec)/;

/** At most so many names are told. */
const SHOWN = 3;

/**
 * Checks that nothing of a file's encoder, or of its whole model, is left out of the model that is filled from it.
 *
 * @param specs the parameters of that model
 * @throws UserError that names what is left over
 */
export function assertNoStrangers(
  { tensors }: Safetensors,
  specs: readonly NamedParameter[],
  part: 'encoder' | 'model',
  source: string,
): void {
  const wanted = new Set(specs.map(({ name }) => name));
  const strangers = [...tensors.keys()].filter((name) => {
    const [first = ''] = name.split('.');
    return !wanted.has(name) && !HEAD.test(first) && !(part === 'encoder' && DECODER.test(first));
  });
  if (strangers.length === 0) return;
  const shown = strangers.slice(0, SHOWN).map((name) => `'${name}'`);
  if (strangers.length > SHOWN) shown.push(counted(strangers.length - SHOWN, 'more tensor'));
  throw new UserError(
    `${source} is of another architecture: ${shown.join(', ')} would be left out. Give a plain Vision Transformer.`,
  );
}
