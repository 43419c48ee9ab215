import source from '../../shaders/concat.wgsl';
import { EngineError } from '../gpu/errors';
import { workgroupRow } from '../gpu/recording';
import { kernelsOf } from '../gpu/shader';
import { graphOf, type Graph } from '../tensor/graph';
import { matchShape, sizeOf } from '../tensor/shape';
import { takesGradients, type DType, type Tensor } from '../tensor/tensor';
import { assertType } from './patchIndices';
import { assertList, assertWords, axisOf, stepsOf, type Word } from './axes';
import { unsqueeze } from './reshape';
import { recordCopy, reversed } from './stridedCopy';

const kernels = kernelsOf('concat', source, ['concat', 'concatBackward']);

/** A part of what is put together: appends the copy to its place, and the way back. */
interface Placed {
  readonly forward: (out: Tensor<DType>) => void;
  readonly backward: (dOut: Tensor, dPart: { readonly out: Tensor; readonly accumulate: boolean }) => void;
}

/**
 * Puts tensors one after the other along an axis, as `torch.cat`.
 *
 * @param parts f32, i32 or u32, all of one type, at least one; of one shape but for the extent of that axis
 * @returns of that shape; its extent along the axis is the sum of theirs
 * @throws EngineError `bad-shape` for no part, parts that differ in type or shape, or an axis that they lack
 */
export function concat<D extends Word>(parts: readonly Tensor<D>[], axis = 0): Tensor<D> {
  return joined('concat', parts, axis);
}

function joined<D extends Word>(operation: 'concat' | 'stack', parts: readonly Tensor<D>[], axis: number): Tensor<D> {
  assertList(operation, 'what is put together', parts);
  const [first] = parts;
  if (!first) throw new EngineError('bad-shape', `${operation}: no parts.`, 'Give at least one tensor.');
  const along = axisOf(operation, axis, first.shape);
  if (parts.length === 1) return first;
  const graph = graphOf(operation, ...parts);
  assertWords(operation, 'part 0', first);
  const pattern = first.shape.map((extent, at) => (at === along ? 'N' : extent));
  for (const [index, part] of parts.entries()) {
    matchShape(operation, `part ${index}`, part.shape, pattern);
    assertType(operation, `part ${index}`, part, first.dtype);
  }
  const extentOf = (part: Tensor<D>): number => part.shape[along] ?? 0;
  const shape = first.shape.with(
    along,
    parts.reduce((sum, part) => sum + extentOf(part), 0),
  );
  const requiresGrad = parts.some((part) => part.requiresGrad);
  const out = graph.empty(operation, shape, first.dtype, requiresGrad);
  let before = 0;
  const placed = parts.map((part) => {
    const place =
      along === 0 && part.dtype === 'f32'
        ? placeRows(graph, part, before)
        : placeAlong(graph, part, { shape, along, before });
    before += extentOf(part);
    return place;
  });
  for (const { forward } of placed) forward(out);
  if (takesGradients(out)) {
    graph.record(operation, [out], (gradients) => {
      const dOut = gradients.of(out);
      if (!dOut) return;
      for (const [index, { backward }] of placed.entries()) {
        const part = parts[index] as Tensor<DType>;
        const dPart = takesGradients(part) && gradients.into(part);
        if (dPart) backward(dOut, dPart);
      }
    });
  }
  return out;
}

/** Along the first axis, f32: one run of elements. */
function placeRows(graph: Graph, part: Tensor<DType>, before: number): Placed {
  const inner = sizeOf(part.shape.slice(1));
  const cell = inner % 4 === 0 && part.size > 0 ? 4 : 1; // memory without elements holds no cell
  const VEC = cell === 4;
  const count = part.size / cell;
  const place = {
    uniforms: { count, offset: (before * inner) / cell },
    workgroups: workgroupRow(Math.ceil(count / 256)),
  };
  return {
    forward: (out) => graph.dispatch({ ...place, kernel: kernels.concat, params: { VEC }, bindings: { part, out } }),
    backward: (dOut, dPart) =>
      graph.dispatch({
        ...place,
        kernel: kernels.concatBackward,
        params: { VEC, ACCUMULATE: dPart.accumulate },
        bindings: { dOut, dPart: dPart.out },
      }),
  };
}

function placeAlong(
  graph: Graph,
  part: Tensor<DType>,
  { shape, along, before }: { readonly shape: readonly number[]; readonly along: number; readonly before: number },
): Placed {
  const [from, to] = [stepsOf(part.shape), stepsOf(shape)];
  const axes = part.shape.map((size, axis) => ({ size, from: from[axis] ?? 1, to: to[axis] ?? 1 }));
  const copy = { axes, toFirst: before * (to[along] ?? 1) };
  return {
    forward: (out) => recordCopy(graph, part, out, copy),
    backward: (dOut, { out, accumulate }) => recordCopy(graph, dOut, out, reversed(copy), accumulate),
  };
}

/**
 * Puts tensors of one shape side by side along a new axis, as `torch.stack`.
 *
 * @param parts f32, i32 or u32, all of one type and one shape, at least one
 * @param axis of the result
 * @returns of that shape with one axis more, of as many as there are parts
 * @throws EngineError `bad-shape` for no part, parts that differ in type or shape, or an axis that the result lacks
 */
export function stack<D extends Word>(parts: readonly Tensor<D>[], axis = 0): Tensor<D> {
  assertList('stack', 'what is put together', parts);
  const [first] = parts;
  if (!first) throw new EngineError('bad-shape', 'stack: no parts.', 'Give at least one tensor.');
  for (const [index, part] of parts.entries()) matchShape('stack', `part ${index}`, part.shape, first.shape);
  const at = axisOf('stack', axis, first.shape, first.shape.length + 1);
  return joined(
    'stack',
    parts.map((part) => unsqueeze(part, at)),
    at,
  );
}
