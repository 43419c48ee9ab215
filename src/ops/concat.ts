import source from '../../shaders/concat.wgsl';
import { EngineError } from '../gpu/errors';
import { workgroupRow } from '../gpu/recording';
import { kernelsOf } from '../gpu/shader';
import { graphOf } from '../tensor/graph';
import { matchShape, sizeOf } from '../tensor/shape';
import type { Tensor } from '../tensor/tensor';

const kernels = kernelsOf('concat', source, ['concat', 'concatBackward']);

/**
 * Puts tensors one after the other along their first axis.
 *
 * @param parts [Ni, ...] f32, at least one, alike but for Ni
 * @returns [ΣNi, ...]
 * @throws EngineError `bad-shape`
 */
export function concat(parts: readonly Tensor[]): Tensor {
  const [first] = parts;
  if (!first) throw new EngineError('bad-shape', 'concat: no parts.', 'Give at least one tensor.');
  if (parts.length === 1) return first;
  const graph = graphOf('concat', ...parts);
  const [, ...inner] = first.shape;
  for (const [index, part] of parts.entries()) matchShape('concat', `part ${index}`, part.shape, ['N', ...inner]);
  const rows = parts.reduce((sum, part) => sum + (part.shape[0] ?? 0), 0);
  const out = graph.empty(
    'concat',
    [rows, ...inner],
    'f32',
    parts.some((part) => part.requiresGrad),
  );
  const cell = sizeOf(inner) % 4 === 0 ? 4 : 1;
  let offset = 0;
  const placed = parts.map((part) => {
    const count = part.size / cell;
    const place = { uniforms: { count, offset }, workgroups: workgroupRow(Math.ceil(count / 256)) };
    offset += count;
    return { part, place };
  });
  const VEC = cell === 4;
  for (const { part, place } of placed) {
    graph.dispatch({ ...place, kernel: kernels.concat, params: { VEC }, bindings: { part, out } });
  }
  graph.record('concat', [out], (gradients) => {
    const dOut = gradients.of(out);
    if (!dOut) return;
    for (const { part, place } of placed) {
      const dPart = gradients.into(part);
      if (!dPart) continue;
      graph.dispatch({
        ...place,
        kernel: kernels.concatBackward,
        params: { VEC, ACCUMULATE: dPart.accumulate },
        bindings: { dOut, dPart: dPart.out },
      });
    }
  });
  return out;
}
