import { expect, it } from 'vitest';
import { openEngine } from '../../node/dawn';
import { allocatePhase } from './phaseResources';
import { TINY_DATA, tinyConfig } from '../../testing/tinyRun';

it.each([
  ['auto', /teacher does not fit on this adapter: .* Give .*\.$/],
  ['no', /teacher does not fit on this adapter: .* --stream yes takes its images, 36 KiB, off the GPU\.$/],
] as const)('says what would make a phase fit, with --stream %s', async (stream, message) => {
  // Half of the memory is less than the images take: by default they are not kept there.
  const engine = await openEngine({ budget: 60_000 });
  try {
    await expect(allocatePhase(engine, tinyConfig({ data: { stream } }), 'teacher', TINY_DATA)).rejects.toThrow(
      message,
    );
    expect(engine.pool.liveBuffers).toBe(0);
  } finally {
    engine.dispose();
  }
});
