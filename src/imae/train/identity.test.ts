import { describe, expect, it } from 'vitest';
import { storedTensor } from '../../formats/safetensors';
import { assertSameRun, identify, type RunIdentity } from './identity';
import type { NamedFile } from '../checkpoint/namedFile';
import { TINY_DATA, tinyConfig } from '../../testing/tinyRun';

const stateOf = (identity: RunIdentity): NamedFile => ({
  name: 'state.safetensors',
  file: { tensors: new Map(), metadata: { run: JSON.stringify(identity) } },
});

const teacherOf = (...values: number[]): NamedFile => ({
  name: 'teacher.safetensors',
  file: { tensors: new Map([['w', storedTensor([values.length], Float32Array.from(values))]]), metadata: {} },
});

const withImages = (change: (images: Uint8Array) => void): typeof TINY_DATA => {
  const images = TINY_DATA.train.images.slice();
  change(images);
  return { ...TINY_DATA, train: { ...TINY_DATA.train, images } };
};

describe('the identity of a run', () => {
  it('does not depend on where it computes, what it reports and where its files lie', async () => {
    const then = await identify(tinyConfig(), TINY_DATA, undefined);
    const elsewhere = tinyConfig({
      device: { adapter: 'software' },
      logging: { logEvery: 7 },
      data: { set: 'moved' },
    });
    assertSameRun(stateOf(then), await identify(elsewhere, TINY_DATA, undefined));
  });

  it('lets a run go on that was begun before there was a setting, at its default alone', async () => {
    const { settings, ...rest } = await identify(tinyConfig(), TINY_DATA, undefined);
    const { 'optimizer.muon': muon, 'schedule.decay': decay, ...older } = settings;
    expect([muon, decay]).toEqual(['0', '"cosine"']);
    const state = stateOf({ ...rest, settings: older });
    assertSameRun(state, await identify(tinyConfig(), TINY_DATA, undefined));
    const other = await identify(tinyConfig({ optimizer: { muon: 10 } }), TINY_DATA, undefined);
    expect(() => assertSameRun(state, other)).toThrow(/^optimizer\.muon is 10, but the checkpoint was trained with 0/);
  });

  it('depends on every other setting, on each image and each label, and on the teacher', async () => {
    const state = stateOf(await identify(tinyConfig(), TINY_DATA, teacherOf(1, 2)));
    const refusal = async (...now: Parameters<typeof identify>): Promise<string> => {
      const identity = await identify(...now);
      try {
        assertSameRun(state, identity);
      } catch (error) {
        return (error as Error).message;
      }
      return 'accepted';
    };
    expect(await refusal(tinyConfig(), TINY_DATA, teacherOf(1, 2))).toBe('accepted');
    expect(await refusal(tinyConfig({ model: { depth: 2 } }), TINY_DATA, teacherOf(1, 2))).toMatch(
      /^model\.depth is 2, .* 1\./,
    );
    expect(await refusal(tinyConfig({ device: { kernels: 'plain' } }), TINY_DATA, teacherOf(1, 2))).toMatch(
      /^device\.kernels is "plain"/,
    );
    const held = { ...TINY_DATA, test: TINY_DATA.train };
    expect(await refusal(tinyConfig(), held, teacherOf(1, 2))).toMatch(/^--data: .*other images/);
    expect(await refusal(tinyConfig({ training: { seed: 6 } }), TINY_DATA, teacherOf(1, 2))).toMatch(
      /^training\.seed is 6/,
    );
    const brighter = withImages((images) => (images[images.length - 1] = (images.at(-1) ?? 0) ^ 1));
    expect(await refusal(tinyConfig(), brighter, teacherOf(1, 2))).toMatch(/^--data: .*other images/);
    const labels = TINY_DATA.train.labels.slice().reverse();
    const relabelled = { ...TINY_DATA, train: { ...TINY_DATA.train, labels } };
    expect(await refusal(tinyConfig(), relabelled, teacherOf(1, 2))).toMatch(/^--data: .*other images/);
    expect(await refusal(tinyConfig(), TINY_DATA, teacherOf(1, 3))).toMatch(/^--teacher: .*another teacher/);
    expect(await refusal(tinyConfig(), TINY_DATA, undefined)).toMatch(/^--teacher: .*another teacher/);
  });

  it('says where the pixels of image files differ by what decoded them', async () => {
    const seenBy = (decoder: string): typeof TINY_DATA => ({ ...TINY_DATA, train: { ...TINY_DATA.train, decoder } });
    const state = stateOf(await identify(tinyConfig(), seenBy('Chrome'), undefined));
    assertSameRun(state, await identify(tinyConfig(), seenBy('Chrome'), undefined));
    const inNode = await identify(tinyConfig(), TINY_DATA, undefined);
    expect(() => assertSameRun(state, inNode)).toThrow(
      /decoded by Chrome, which gives other pixels than Node: .* in Chrome alone/,
    );
    expect(() => assertSameRun(stateOf(inNode), { ...inNode, data: `${inNode.data} decoded by Firefox` })).toThrow(
      /decoded by Node, .* than Firefox/,
    );
  });

  it('must be in the checkpoint', async () => {
    const foreign = { name: 'foreign.safetensors', file: { tensors: new Map(), metadata: {} } };
    const now = await identify(tinyConfig(), TINY_DATA, undefined);
    expect(() => assertSameRun(foreign, now)).toThrow(/foreign\.safetensors does not say which run/);
  });
});
