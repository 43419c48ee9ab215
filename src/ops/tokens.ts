import source from '../../shaders/tokens.wgsl';
import { EngineError } from '../gpu/errors';
import { workgroupRow } from '../gpu/recording';
import { kernelsOf, type Kernel } from '../gpu/shader';
import { graphOf, type Graph } from '../tensor/graph';
import { matchShape } from '../tensor/shape';
import type { Tensor, DType } from '../tensor/tensor';
import { checkKeep, matchIds } from './patchIndices';

const kernels = kernelsOf('tokens', source, [
  'keepTokens',
  'keepTokensBackward',
  'visibleTokens',
  'visibleTokensBackward',
  'restoreTokens',
  'restoreTokensBackward',
  'classTokenSums',
  'maskTokenSums',
  'tokenReduce',
]);

/** How rows of `dim` are walked: four elements at a time where they divide so. */
function cellsOf(dim: number): { VEC: boolean; width: number } {
  const VEC = dim % 4 === 0;
  return { VEC, width: VEC ? dim / 4 : dim };
}

const groupsFor = (count: number): [number, number] => workgroupRow(Math.ceil(count / 256));

/** Where positions go without a gradient, silence about one that never comes would train nothing. */
function refuseTrained(operation: string, positions: Tensor): void {
  if (!positions.requiresGrad) return;
  throw new EngineError(
    'bad-program',
    `${operation}: '${positions.label}' asks for a gradient, but positions are not trained where patches are hidden.`,
    'Give them detached.',
  );
}

/**
 * The visible patches of each sample, in their order. Gradients flow to `x`; removed patches' are 0.
 *
 * @param x [S, L, D]
 * @param idsShuffle [Bi, L] u32, row s mod Bi for sample s, every row a permutation
 * @returns [S, keep, D]
 * @throws EngineError `bad-shape`
 */
export function keepTokens(x: Tensor, idsShuffle: Tensor<'u32'>, keep: number): Tensor {
  const graph = graphOf('keepTokens', x, idsShuffle);
  const { S, L, D } = matchShape('keepTokens', 'x', x.shape, ['S', 'L', 'D']);
  const idRows = matchIds('keepTokens', 'idsShuffle', idsShuffle, S, L);
  checkKeep('keepTokens', keep, L);
  const { VEC, width } = cellsOf(D);
  const sizes = { width, keep, length: L, idRows };
  const y = graph.empty('keepTokens', [S, keep, D], 'f32', x.requiresGrad);
  const count = S * keep * width;
  graph.dispatch({
    kernel: kernels.keepTokens,
    params: { VEC },
    uniforms: { ...sizes, count },
    bindings: { x, shuffle: idsShuffle, y },
    workgroups: groupsFor(count),
  });
  graph.record('keepTokens', [y], (gradients) => {
    const dy = gradients.of(y);
    const dx = gradients.into(x);
    if (!dy || !dx) return;
    graph.dispatch({
      kernel: kernels.keepTokensBackward,
      params: { VEC, ACCUMULATE: dx.accumulate },
      uniforms: { ...sizes, count: S * L * width },
      bindings: { shuffle: idsShuffle, dy, dx: dx.out },
      workgroups: groupsFor(S * L * width),
    });
  });
  return y;
}

/**
 * What an encoder reads: the class token, then the visible patches, each with the position of its place in the image.
 * Gradients flow to the patches, the class token and, where no patch is hidden, the positions.
 *
 * @param inputs.patches [S, K, D]: the patches that idsShuffle[0 … K−1] names
 * @param inputs.classToken [1, 1, D]
 * @param inputs.positions [1, 1 + L, D], the class token's first; without gradient where there are masks
 * @param inputs.idsShuffle [Bi, L] u32, row s mod Bi for sample s; absent: all patches (K = L) in image order
 * @returns [S, 1 + K, D]
 * @throws EngineError `bad-shape`; `bad-program` where masked positions ask for a gradient
 */
export function visibleTokens(inputs: {
  readonly patches: Tensor;
  readonly classToken: Tensor;
  readonly positions: Tensor;
  readonly idsShuffle?: Tensor<'u32'>;
}): Tensor {
  const graph = graphOf('visibleTokens', inputs.patches, inputs.classToken, inputs.positions, inputs.idsShuffle);
  const { patches, classToken, positions, idsShuffle } = inputs;
  const { S, K, D } = matchShape('visibleTokens', 'patches', patches.shape, ['S', 'K', 'D']);
  matchShape('visibleTokens', 'classToken', classToken.shape, [1, 1, D]);
  const L = idsShuffle ? (idsShuffle.shape[1] ?? 0) : K;
  const idRows = idsShuffle ? matchIds('visibleTokens', 'idsShuffle', idsShuffle, S, L) : 1;
  matchShape('visibleTokens', 'positions', positions.shape, [1, 1 + L, D]);
  checkKeep('visibleTokens', K, L);
  if (idsShuffle) refuseTrained('visibleTokens', positions);
  const { VEC, width } = cellsOf(D);
  const requiresGrad = [patches, classToken, positions].some((input) => input.requiresGrad);
  const y = graph.empty('visibleTokens', [S, 1 + K, D], 'f32', requiresGrad);
  const count = S * (1 + K) * width;
  const operands = { patches, classToken, positions, y };
  graph.dispatch({
    kernel: kernels.visibleTokens,
    params: { VEC, SHUFFLED: idsShuffle !== undefined },
    uniforms: { count, width, keep: K, length: L, idRows },
    bindings: idsShuffle ? { ...operands, shuffle: idsShuffle } : operands,
    workgroups: groupsFor(count),
  });
  graph.record('visibleTokens', [y], (gradients) => {
    const dy = gradients.of(y);
    if (!dy) return;
    const dPatches = gradients.into(patches);
    if (dPatches) {
      graph.dispatch({
        kernel: kernels.visibleTokensBackward,
        params: { VEC, ACCUMULATE: dPatches.accumulate },
        uniforms: { count: S * K * width, width, keep: K },
        bindings: { dy, dPatches: dPatches.out },
        workgroups: groupsFor(S * K * width),
      });
    }
    const dClassToken = gradients.into(classToken);
    if (dClassToken) {
      const first = { kernel: kernels.classTokenSums, rows: S, sizes: { tokens: 1 + K }, bindings: { dy } };
      sumRows(graph, D, first, dClassToken);
    }
    const dPositions = gradients.into(positions);
    if (dPositions) {
      // A sample's tokens side by side are one row, as long as the table of positions.
      const first = { kernel: kernels.classTokenSums, rows: S, sizes: { tokens: 1 }, bindings: { dy } };
      sumRows(graph, (1 + K) * D, first, dPositions);
    }
  });
  return y;
}

/**
 * What a decoder reads: the class token, then every place of the image, a visible one with its token, a removed one
 * with the mask token, and the positions added. Gradients flow to the tokens and the mask token, not to the positions.
 *
 * @param inputs.tokens [S, 1 + K, D]: class token, then the visible patches in the order of the mask
 * @param inputs.maskToken [1, 1, D]
 * @param inputs.positions [1, 1 + L, D], the class token's first; without gradient
 * @param inputs.idsRestore [Bi, L] u32, row s mod Bi for sample s: place of each patch in the order of the mask
 * @returns [S, 1 + L, D]
 * @throws EngineError `bad-shape`; `bad-program` where the positions ask for a gradient
 */
export function restoreTokens(inputs: {
  readonly tokens: Tensor;
  readonly maskToken: Tensor;
  readonly positions: Tensor;
  readonly idsRestore: Tensor<'u32'>;
}): Tensor {
  const graph = graphOf('restoreTokens', inputs.tokens, inputs.maskToken, inputs.positions, inputs.idsRestore);
  const { tokens, maskToken, positions, idsRestore } = inputs;
  const { S, T, D } = matchShape('restoreTokens', 'tokens', tokens.shape, ['S', 'T', 'D']);
  matchShape('restoreTokens', 'maskToken', maskToken.shape, [1, 1, D]);
  const keep = T - 1;
  const L = idsRestore.shape[1] ?? 0;
  const idRows = matchIds('restoreTokens', 'idsRestore', idsRestore, S, L);
  matchShape('restoreTokens', 'positions', positions.shape, [1, 1 + L, D]);
  checkKeep('restoreTokens', keep, L);
  refuseTrained('restoreTokens', positions);
  const { VEC, width } = cellsOf(D);
  const sizes = { width, keep, length: L, idRows };
  const y = graph.empty('restoreTokens', [S, 1 + L, D], 'f32', tokens.requiresGrad || maskToken.requiresGrad);
  const count = S * (1 + L) * width;
  graph.dispatch({
    kernel: kernels.restoreTokens,
    params: { VEC },
    uniforms: { ...sizes, count },
    bindings: { tokens, maskToken, positions, restore: idsRestore, y },
    workgroups: groupsFor(count),
  });
  graph.record('restoreTokens', [y], (gradients) => {
    const dy = gradients.of(y);
    if (!dy) return;
    const dTokens = gradients.into(tokens);
    if (dTokens) {
      graph.dispatch({
        kernel: kernels.restoreTokensBackward,
        params: { VEC, ACCUMULATE: dTokens.accumulate },
        uniforms: { ...sizes, count },
        bindings: { restore: idsRestore, dy, dTokens: dTokens.out },
        workgroups: groupsFor(count),
      });
    }
    const dMaskToken = gradients.into(maskToken);
    if (dMaskToken) {
      const bindings = { restore: idsRestore, dy };
      const first = { kernel: kernels.maskTokenSums, rows: S * L, sizes: { keep, length: L, idRows }, bindings };
      sumRows(graph, D, first, dMaskToken);
    }
  });
  return y;
}

/** Sums rows of `dim` to one token's gradient: partial sums by `kernel`, then those. */
function sumRows(
  graph: Graph,
  dim: number,
  first: {
    readonly kernel: Kernel;
    readonly rows: number;
    readonly sizes: Readonly<Record<string, number>>;
    readonly bindings: Readonly<Record<string, Tensor<DType>>>;
  },
  { out, accumulate }: { readonly out: Tensor; readonly accumulate: boolean },
): void {
  const { kernel, rows, sizes, bindings } = first;
  const { VEC, width } = cellsOf(dim);
  // About √rows blocks of about √rows rows: both passes have work for many invocations.
  const rowsPerBlock = Math.ceil(rows / Math.min(256, Math.ceil(Math.sqrt(rows))));
  const blocks = Math.ceil(rows / rowsPerBlock);
  const blockSums = graph.empty('token sums', [blocks, dim]);
  graph.dispatch({
    kernel,
    params: { VEC },
    uniforms: { ...sizes, rows, rowsPerBlock, width },
    bindings: { ...bindings, blockSums },
    workgroups: [Math.ceil(width / 64), blocks],
  });
  graph.dispatch({
    kernel: kernels.tokenReduce,
    params: { VEC, ACCUMULATE: accumulate },
    uniforms: { width, blocks },
    bindings: { blockSums, dToken: out },
    workgroups: [Math.ceil(width / 64)],
  });
}
