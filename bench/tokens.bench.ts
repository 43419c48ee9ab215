import { random, zeros, type Reference, type References } from '../kernels-test/allclose';
import { randomOrders } from '../kernels-test/mask.reference';
import * as reference from '../kernels-test/tokens.reference';
import { keepTokens, restoreTokens, visibleTokens } from '../src/ops/tokens';
import type { BenchCase, BenchSuite } from './bench';

/** The three operations on one model's shapes: samples, patches, of them visible, channels. */
function tokenCases(samples: number, length: number, keep: number, width: number): BenchCase[] {
  const { idsShuffle, idsRestore } = randomOrders(samples, length);
  const positions = random([1, 1 + length, width], 9);
  const positionData = Float32Array.from(positions.data);
  const name = `${samples}×${length}×${width}, ${keep} visible, forward and backward`;
  const row = samples * width * 4;
  return [
    {
      name: `keepTokens ${name}`,
      inputs: { x: [samples, length, width] },
      operation: ({ x }, graph) =>
        x ? { y: keepTokens(x, graph.input('ids', [samples, length], 'u32', idsShuffle), keep) } : {},
      forward: ({ x }: { x: Reference }) => ({ y: reference.keepTokens(x, idsShuffle, keep) }),
      backward: ({ x }: { x: Reference }, { y = zeros([0]) }: References) => ({
        x: reference.keepTokensBackward(x, idsShuffle, y),
      }),
      flops: 0,
      bytes: row * (3 * keep + length),
    },
    {
      name: `visibleTokens ${name}`,
      inputs: { patches: [samples, keep, width], classToken: [1, 1, width] },
      operation: ({ patches, classToken }, graph) =>
        patches && classToken
          ? {
              y: visibleTokens({
                patches,
                classToken,
                positions: graph.input('positions', positions.shape, 'f32', positionData),
                idsShuffle: graph.input('ids', [samples, length], 'u32', idsShuffle),
              }),
            }
          : {},
      forward: (inputs: reference.VisibleInputs) => ({ y: reference.visibleTokens(inputs, positions, idsShuffle) }),
      backward: (inputs: reference.VisibleInputs, { y = zeros([0]) }: References) =>
        reference.visibleTokensBackward(inputs, y),
      flops: samples * width * (keep + 2),
      bytes: row * 4 * (keep + 1),
    },
    {
      name: `restoreTokens ${name}`,
      inputs: { tokens: [samples, 1 + keep, width], maskToken: [1, 1, width] },
      operation: ({ tokens, maskToken }, graph) =>
        tokens && maskToken
          ? {
              y: restoreTokens({
                tokens,
                maskToken,
                positions: graph.input('positions', positions.shape, 'f32', positionData),
                idsRestore: graph.input('ids', [samples, length], 'u32', idsRestore),
              }),
            }
          : {},
      forward: (inputs: reference.RestoreInputs) => ({ y: reference.restoreTokens(inputs, positions, idsRestore) }),
      backward: (inputs: reference.RestoreInputs, { y = zeros([0]) }: References) =>
        reference.restoreTokensBackward(inputs, idsRestore, y),
      flops: samples * width * (2 * length - keep),
      bytes: row * 2 * (keep + length + 2),
    },
  ];
}

export default {
  kernel: 'tokens',
  cases: [
    ...tokenCases(64, 256, 64, 192),
    ...tokenCases(512, 64, 16, 192),
    ...tokenCases(16, 196, 49, 768),
    ...tokenCases(7, 49, 12, 65),
  ],
} satisfies BenchSuite;
