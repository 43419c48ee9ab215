import type { Graph } from '../src/tensor/graph';
import type { Tensor } from '../src/tensor/tensor';
import { keepTokens, restoreTokens, visibleTokens } from '../src/ops/tokens';
import { operationTest, random, zeros, type Reference } from './allclose';
import { randomOrders } from './mask.reference';
import * as reference from './tokens.reference';
import type { RestoreInputs, VisibleInputs } from './tokens.reference';
import { refusalTest } from './expectBadShape';
import { suite } from './suite';

// samples, patches, of them visible, channels, masks
const SHAPES = [
  [1, 1, 1, 1, 1],
  [1, 4, 1, 3, 1],
  [2, 9, 4, 17, 2],
  [6, 9, 9, 20, 3],
  [4, 25, 6, 65, 2],
  [4, 64, 16, 192, 1],
  [33, 16, 4, 260, 33],
] as const;

const dOf = (dOutputs: Readonly<Record<string, Reference>>): Reference => dOutputs['y'] ?? zeros([0]);

const tests = SHAPES.flatMap(([samples, length, keep, width, idRows]) => {
  const name = `${samples}×${length}×${width}, ${keep} visible by ${idRows} masks`;
  const { idsShuffle, idsRestore } = randomOrders(idRows, length);
  const idsOf = (graph: Graph, ids: Uint32Array): Tensor<'u32'> => graph.input('ids', [idRows, length], 'u32', ids);
  const positions = random([1, 1 + length, width], 9);
  const positionsOf = (graph: Graph): Tensor =>
    graph.input('positions', positions.shape, 'f32', Float32Array.from(positions.data));
  const imageOrder = Uint32Array.from({ length }, (_, i) => i);
  const token = random([1, 1, width], 2);
  return [
    operationTest<{ x: Reference }>({
      name: `keepTokens ${name}`,
      inputs: { x: random([samples, length, width], 1) },
      operation: ({ x }, graph) => ({ y: keepTokens(x, idsOf(graph, idsShuffle), keep) }),
      forward: ({ x }) => ({ y: reference.keepTokens(x, idsShuffle, keep) }),
      backward: ({ x }, dOutputs) => ({ x: reference.keepTokensBackward(x, idsShuffle, dOf(dOutputs)) }),
      tolerance: 0, // nothing is computed
    }),
    operationTest<VisibleInputs>({
      name: `visibleTokens ${name}`,
      inputs: { patches: random([samples, keep, width], 1), classToken: token },
      operation: (inputs, graph) => ({
        y: visibleTokens({ ...inputs, positions: positionsOf(graph), idsShuffle: idsOf(graph, idsShuffle) }),
      }),
      forward: (inputs) => ({ y: reference.visibleTokens(inputs, positions, idsShuffle) }),
      backward: (inputs, dOutputs) => reference.visibleTokensBackward(inputs, dOf(dOutputs)),
    }),
    operationTest<VisibleInputs>({
      name: `visibleTokens ${samples}×${length}×${width}, all in image order`,
      inputs: { patches: random([samples, length, width], 1), classToken: token },
      operation: (inputs, graph) => ({ y: visibleTokens({ ...inputs, positions: positionsOf(graph) }) }),
      forward: (inputs) => ({ y: reference.visibleTokens(inputs, positions, imageOrder) }),
      backward: (inputs, dOutputs) => reference.visibleTokensBackward(inputs, dOf(dOutputs)),
    }),
    operationTest<VisibleInputs & { positions: Reference }>({
      name: `visibleTokens ${samples}×${length}×${width}, with trained positions`,
      inputs: { patches: random([samples, length, width], 1), classToken: token, positions },
      operation: (inputs) => ({ y: visibleTokens(inputs) }),
      forward: (inputs) => ({ y: reference.visibleTokens(inputs, inputs.positions, imageOrder) }),
      backward: (inputs, dOutputs) => ({
        ...reference.visibleTokensBackward(inputs, dOf(dOutputs)),
        positions: reference.positionsBackward(inputs, dOf(dOutputs)),
      }),
    }),
    operationTest<RestoreInputs>({
      name: `restoreTokens ${name}`,
      inputs: { tokens: random([samples, 1 + keep, width], 1), maskToken: token },
      operation: (inputs, graph) => ({
        y: restoreTokens({ ...inputs, positions: positionsOf(graph), idsRestore: idsOf(graph, idsRestore) }),
      }),
      forward: (inputs) => ({ y: reference.restoreTokens(inputs, positions, idsRestore) }),
      backward: (inputs, dOutputs) => reference.restoreTokensBackward(inputs, idsRestore, dOf(dOutputs)),
    }),
  ];
});

const refusals = [
  refusalTest('masks whose number does not divide the samples', 'with Bi dividing 3', (graph) =>
    keepTokens(graph.input('x', [3, 4, 8]), graph.input('ids', [2, 4], 'u32'), 1),
  ),
  refusalTest('positions of another image', 'positions has shape [1, 4, 8], not [1, 5, 8]', (graph) =>
    visibleTokens({
      patches: graph.input('patches', [3, 4, 8]),
      classToken: graph.input('class token', [1, 1, 8]),
      positions: graph.input('positions', [1, 4, 8]),
    }),
  ),
];

export default suite('tokens', [...tests, ...refusals]);
