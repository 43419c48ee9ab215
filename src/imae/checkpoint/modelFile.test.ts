import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readSafetensors, writeSafetensors, type Safetensors } from '../../formats/safetensors';
import type { Engine } from '../../engine/engine';
import { testEngine } from '../../testing/testEngine';
import { studentSize, teacherSize } from '../config/config';
import { describeModel } from './modelFile';
import { normalisation } from '../model/normalisation';
import { type MemoryStore, tinyConfig, tinyRun, TINY_DATA } from '../../testing/tinyRun';

const CONFIG = tinyConfig({
  model: { decoderDim: 32, depth: 2 },
  training: { budget: { steps: 1 } },
  data: { statistics: 'own' },
});
let engine: Engine;
let store: MemoryStore;
beforeAll(async () => {
  engine = await testEngine();
  ({ store } = await tinyRun(engine, CONFIG));
});
afterAll(() => engine.dispose());

const saved = (phase: string): Safetensors =>
  readSafetensors(store.checkpoints.findLast((checkpoint) => checkpoint.phase === phase)?.model as Uint8Array);

it('a saved model tells all of itself', () => {
  expect(describeModel(saved('imae'), 'x')).toEqual({
    size: studentSize(CONFIG),
    branches: CONFIG.imae.branches === 'two-way' ? 2 : 1,
    normalisation: normalisation(CONFIG, TINY_DATA.train),
    normPix: CONFIG.model.normPix,
    maskRatio: CONFIG.masking.maskRatio,
    mask: 'random',
    phase: 'imae',
    step: 1,
  });
  expect(describeModel(saved('teacher'), 'x')).toMatchObject({
    size: teacherSize(CONFIG),
    branches: 1,
    phase: 'teacher',
    step: 3,
  });
});

describe('refuses by name', () => {
  const without = (name: string): Safetensors => {
    const { tensors, metadata } = saved('imae');
    return {
      tensors: new Map([...tensors].filter(([tensor]) => tensor !== name)),
      metadata: Object.fromEntries(Object.entries(metadata).filter(([key]) => key !== name)),
    };
  };
  it.each([
    ['pos_embed', /x is not a model of this program: it has no 'pos_embed'/],
    ['blocks.1.mlp.fc2.bias', /x has no tensor 'blocks.1.mlp.fc2.bias'/],
    ['decoderHeads', /x does not say in its metadata how many decoderHeads/],
    ['std', /x does not say by which mean and deviation/],
  ])('a file without %s', (name, message) => {
    expect(() => describeModel(without(name), 'x')).toThrow(message);
  });

  it('an optimizer’s state', () => {
    const state = readSafetensors(store.checkpoints.at(-1)?.state as Uint8Array);
    expect(() => describeModel(state, 'x')).toThrow(/x is the state of an optimizer. Give the file beside it/);
  });

  it('anything else that is a safetensors file', () => {
    expect(() => describeModel(readSafetensors(writeSafetensors(new Map(), {})), 'x')).toThrow(
      /x is not a model of this program/,
    );
  });
});
