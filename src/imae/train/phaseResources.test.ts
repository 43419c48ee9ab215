import { expect, it, vi } from 'vitest';
import { imageBytes } from '../../data/imageSet';
import { openEngine } from '../../node/dawn';
import { RunImages } from './gpuResidency';
import { allocatePhase, rehearse } from './phaseResources';
import { runTraining } from './run';
import { MemoryStore, TINY_DATA, tinyConfig } from '../../testing/tinyRun';

it.each([
  ['auto', /teacher does not fit on this adapter: .* Give .*\.$/],
  ['no', /teacher does not fit on this adapter: .* --stream yes takes its images, 36 KiB, off the GPU\.$/],
] as const)('says what would make a phase fit, with --stream %s', async (stream, message) => {
  // Half of the memory is less than the images take: by default they are not kept there.
  const engine = await openEngine({ budget: 60_000 });
  try {
    const config = tinyConfig({ data: { stream } });
    const images = new RunImages(engine, config, TINY_DATA);
    await expect(allocatePhase(engine, config, 'teacher', TINY_DATA, images)).rejects.toThrow(message);
    await expect(rehearse(engine, config, TINY_DATA)).rejects.toThrow(message);
    images.dispose();
    expect(engine.pool.liveBuffers).toBe(0);
  } finally {
    engine.dispose();
  }
});

it('plans, without making any buffer, the memory that a phase then takes', async () => {
  const engine = await openEngine();
  const config = tinyConfig({});
  try {
    const create = vi.spyOn(engine.device, 'createBuffer');
    const planned = engine.planning();
    const ofPlan = await allocatePhase(planned, config, 'imae', TINY_DATA, new RunImages(planned, config, TINY_DATA));
    expect(create).not.toHaveBeenCalled();
    const images = new RunImages(engine, config, TINY_DATA);
    const resources = await allocatePhase(engine, config, 'imae', TINY_DATA, images);
    expect(planned.pool.liveBytes).toBe(engine.pool.liveBytes);
    resources.dispose();
    images.dispose();
    ofPlan.dispose();
    planned.dispose();
    expect(engine.pool.liveBuffers).toBe(0);
  } finally {
    engine.dispose();
  }
});

it('finds beforehand that the device itself has no room, though there is no budget', async () => {
  const engine = await openEngine({ budget: Infinity });
  const { device } = engine;
  const create = device.createBuffer.bind(device);
  const pop = device.popErrorScope.bind(device);
  // A device that is short of memory says so of the buffer that is tried, in the outer of two error scopes.
  const answers: (GPUError | null)[] = [];
  vi.spyOn(device, 'createBuffer').mockImplementation((descriptor) => {
    if (descriptor.label === 'memory that is tried') answers.push(null, { message: 'no more' });
    return create(descriptor);
  });
  vi.spyOn(device, 'popErrorScope').mockImplementation(async () => {
    const answer = answers.shift();
    return (await pop()) ?? answer ?? null;
  });
  try {
    await expect(rehearse(engine, tinyConfig({}), TINY_DATA)).rejects.toThrow(
      /^teacher does not fit on this adapter: memory for it: WebGPU says: no more Give /,
    );
    expect(engine.pool.liveBuffers).toBe(0);
  } finally {
    engine.dispose();
  }
});

it('uploads a set that stays on the GPU once, for all phases of a run', async () => {
  const engine = await openEngine();
  const config = tinyConfig({ training: { budget: { steps: 1 } }, teacher: { budget: { steps: 1 } } });
  const uploads = vi.spyOn(engine, 'allocate');
  try {
    const watcher = { phase: vi.fn(), step: vi.fn(), score: vi.fn(), stopRequested: () => false };
    const store = new MemoryStore();
    await rehearse(engine, config, TINY_DATA);
    await runTraining(engine, config, TINY_DATA, { store, watcher });
    expect(watcher.phase).toHaveBeenCalledTimes(2);
    const sets = uploads.mock.calls.filter(([, label]) => label.includes(' images from ')).map(([bytes]) => bytes);
    expect(sets).toEqual([TINY_DATA.train, TINY_DATA.test].map((set) => set.count * imageBytes(set)));
  } finally {
    engine.dispose();
  }
});
