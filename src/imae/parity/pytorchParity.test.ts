import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { engineVariants } from '../../../kernels-test/variants';
import {
  readSafetensors,
  storedTensor,
  tensorFloat32,
  type Safetensors,
  type StoredTensor,
} from '../../formats/safetensors';
import { UserError } from '../../common/userError';
import type { Engine } from '../../engine/engine';
import { testEngine } from '../../testing/testEngine';
import { compareWithPytorch, type Comparison } from './pytorchParity';

const FOLDER = join(import.meta.dirname, '..', '..', '..', 'kernels-test', 'oracle');
const CASES = readdirSync(FOLDER).filter((name) => name.endsWith('.safetensors'));
/** A small one, of odd sizes. */
const SMALL = 'two-way-w20-patch2.safetensors';
/** With it, those of one size: what the others add are rarer sizes and settings, each with kernels to compile of its own. */
const OF_ONE_SIZE = /^(imae-.*|mae|mae-norm-pix)\.safetensors$/;
const isQuick = (name: string): boolean => name === SMALL || OF_ONE_SIZE.test(name);

function load(name: string): Safetensors {
  return readSafetensors(readFileSync(join(FOLDER, name)), name);
}

/** The case with one tensor replaced, or left out. */
function withTensor(file: Safetensors, name: string, tensor: StoredTensor | undefined): Safetensors {
  const tensors = new Map(file.tensors);
  if (tensor) tensors.set(name, tensor);
  else tensors.delete(name);
  return { ...file, tensors };
}

/** The case with the element of the largest size in a tensor 1 % larger. */
function withChange(file: Safetensors, name: string): Safetensors {
  const { shape, ...rest } = file.tensors.get(name) as StoredTensor;
  const values = tensorFloat32({ shape, ...rest }).slice();
  const at = values.reduce((best, value, i) => (Math.abs(value) > Math.abs(values[best] as number) ? i : best), 0);
  values[at] = (values[at] as number) * 1.01;
  return withTensor(file, name, storedTensor(shape, values));
}

describe('cases computed by PyTorch', () => {
  let engine: Engine;
  let variants: Readonly<Record<string, Engine>>;
  beforeAll(async () => {
    engine = await testEngine();
    variants = engineVariants(engine);
  });
  afterEach(() => {
    for (const [name, { pool }] of Object.entries(variants)) expect(pool.liveBuffers, name).toBe(0);
  });
  afterAll(() => {
    engine.dispose();
  });

  const plain = (): Engine => variants['plain kernels'] as Engine;
  const namesOver = (comparisons: readonly Comparison[]): string[] =>
    comparisons.filter(({ within }) => !within).map(({ name }) => name);

  it('are all here', () => {
    expect(CASES).toHaveLength(12);
  });

  const equalsPyTorch = async (name: string): Promise<void> => {
    const file = load(name);
    const wanted = [...file.tensors.keys()].filter((tensor) => /^(output|grad|steps)\./.test(tensor)).sort();
    for (const [kernels, variant] of Object.entries(variants)) {
      const { comparisons, tensors } = await compareWithPytorch(variant, file, name);
      expect(comparisons.map((comparison) => comparison.name).sort(), kernels).toEqual(wanted);
      expect([...tensors.keys()].sort(), kernels).toEqual(expect.arrayContaining(wanted));
      expect(
        comparisons.filter(({ within }) => !within),
        kernels,
      ).toEqual([]);
    }
  };
  it.each(CASES.filter(isQuick))('%s', equalsPyTorch);
  it.each(CASES.filter((name) => !isQuick(name)))('%s', { tags: ['thorough'] }, equalsPyTorch);

  it('a changed reference is over its limit, by name, and nothing else is', async () => {
    for (const changed of ['grad.blocks.0.attn.proj.weight', 'output.z2', 'output.loss_distill', 'steps.losses']) {
      const { comparisons } = await compareWithPytorch(plain(), withChange(load(SMALL), changed), SMALL);
      expect(namesOver(comparisons)).toEqual([changed]);
    }
  });

  it('a reference that is exactly zero admits nothing else', async () => {
    const file = load(SMALL);
    const { shape } = file.tensors.get('output.pred1') as StoredTensor;
    const zeros = storedTensor(shape, new Float32Array(shape.reduce((a, b) => a * b, 1)));
    const { comparisons } = await compareWithPytorch(plain(), withTensor(file, 'output.pred1', zeros), SMALL);
    expect(comparisons.filter(({ within }) => !within)).toMatchObject([{ name: 'output.pred1', error: Infinity }]);
  });

  it('a changed weight shows in whatever depends on it, and only there', async () => {
    const { comparisons } = await compareWithPytorch(
      plain(),
      withChange(load(SMALL), 'weights.decoder_pred.weight'),
      SMALL,
    );
    const over = namesOver(comparisons);
    for (const name of ['output.pred1', 'output.pred2', 'output.loss', 'grad.decoder_pred.weight'])
      expect(over).toContain(name);
    for (const name of ['output.latent', 'output.z1', 'output.zt2', 'output.mask']) expect(over).not.toContain(name);
  });

  it('what the engine does not compute is infinitely wrong', async () => {
    const file = load(SMALL);
    const unknown = withTensor(file, 'grad.head.weight', storedTensor([1], Float32Array.of(0)));
    const { comparisons } = await compareWithPytorch(plain(), unknown, SMALL);
    expect(comparisons.filter(({ within }) => !within)).toMatchObject([{ name: 'grad.head.weight', error: Infinity }]);
  });

  describe('a file that is none is refused in words', () => {
    const metadata =
      (changes: Record<string, string>) =>
      (file: Safetensors): Safetensors => ({
        ...file,
        metadata: { ...file.metadata, ...changes },
      });
    const without =
      (name: string) =>
      (file: Safetensors): Safetensors =>
        withTensor(file, name, undefined);
    const replaced =
      (name: string, tensor: StoredTensor) =>
      (file: Safetensors): Safetensors =>
        withTensor(file, name, tensor);
    const one = storedTensor([1], Float32Array.of(1));

    it.each<[string, (file: Safetensors) => Safetensors, RegExp]>([
      ['no metadata', (file) => ({ ...file, metadata: {} }), /f\.safetensors is no oracle case.*'kind'/],
      ['another kind', metadata({ kind: '"vae"' }), /kind is "vae".*mae, two-way, subordinate/],
      ['metadata that is no JSON', metadata({ kind: 'mae' }), /'kind' is not JSON: mae/],
      ['text where a number belongs', metadata({ lr: '"fast"' }), /'lr' is no number/],
      ['a size that is no object', metadata({ size: 'null' }), /'size'/],
      ['a size without a width', metadata({ size: '{"image":8,"patch":2}' }), /'size' has no 'dim'/],
      ['betas that are no pair', metadata({ betas: '0.9' }), /'betas'/],
      ['a missing weight', without('weights.norm.bias'), /no tensor '.*norm\.bias'/],
      ['a missing teacher', without('teacher.norm.bias'), /no tensor '.*norm\.bias'/],
      ['a missing input', without('input.image2'), /no tensor 'input\.image2'/],
      ['a weight of another shape', replaced('weights.norm.bias', one), /norm\.bias' is \[1\], .*\[20\]/],
      ['an image of another shape', replaced('input.image1', one), /'input\.image1' is \[1\], .*\[3, 3, 8, 8\]/],
      [
        'too few patches in the order',
        replaced('input.ids_shuffle', one),
        /'input\.ids_shuffle' is \[1\], .*\[3, 16\]/,
      ],
      [
        'an order that is no permutation',
        replaced('input.ids_shuffle', storedTensor([3, 16], new Int32Array(48))),
        /permutation/,
      ],
    ])('%s', async (_, change, message) => {
      const refusal = compareWithPytorch(plain(), change(load(SMALL)), 'f.safetensors').then(() => 'taken');
      await expect(refusal).rejects.toThrow(message);
      await expect(refusal).rejects.toBeInstanceOf(UserError);
    });
  });
});
