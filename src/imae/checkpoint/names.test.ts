import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { tinyMae } from '../../testing/transformersModel';
import { ENCODER_NAMES, HEAD_NAMES, maeName, transformersNames } from './names';

it('docs have the table that the code has', () => {
  const rows = [...ENCODER_NAMES, ...HEAD_NAMES].map(
    ({ mae, transformers: [first = '', ...others] }) =>
      `| \`${[mae, [first, ...others.map((name) => name.split('.').at(-1))].join('`, `')].join('` | `')}\` |`,
  );
  const docs = readFileSync(new URL('../../../docs/checkpoints.md', import.meta.url), 'utf8');
  expect(docs).toContain(['| MAE, timm | transformers |', '|---|---|', ...rows, ''].join('\n'));
});

it('every name of a model has its one counterpart, there and back', () => {
  const { mae, transformers } = tinyMae();
  const there = [...mae.keys()].flatMap((name) => transformersNames(name, 'vit.') ?? []);
  expect(there.sort()).toEqual([...transformers.keys()].sort());
  const back = [...transformers.keys()].map((name) => maeName(name)?.mae);
  expect(new Set(back)).toEqual(new Set(mae.keys()));
  expect(transformersNames('blocks.11.attn.qkv.bias', '')).toEqual(
    ['query', 'key', 'value'].map((part) => `encoder.layer.11.attention.attention.${part}.bias`),
  );
});

it.each([
  ['vit.encoder.layer.3.layer_scale1.lambda1', 'blocks.3.layer_scale1.lambda1'],
  ['vit.embeddings.mask_token', 'mask_token'],
  ['vit.decoder.mask_token', undefined],
  ['decoder.0.weight', undefined],
  ['pooler.dense.weight', undefined],
])('what MAE does not have is not taken for its own: %s', (name, mae) => {
  expect(maeName(name)?.mae).toBe(mae);
});
