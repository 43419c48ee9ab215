import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { openEngine } from '../node/dawn';
import { checkComputing } from './check';

const engine = await openEngine();
afterEach(() => vi.restoreAllMocks());
afterAll(() => engine.dispose());

/** Lets the adapter give one wrong number in each parameter that is read back. */
function spoil(value: (right: number) => number): void {
  const read = engine.read.bind(engine);
  vi.spyOn(engine, 'read').mockImplementation(async (slice) => {
    const values = new Float32Array(await read(slice));
    values[7] = value(values[7] ?? 0);
    return values.buffer;
  });
}

describe('the check of an adapter', () => {
  it('finds it right, with room to the limit', async () => {
    const result = await checkComputing(engine);
    expect(result.right).toBe(true);
    expect(result.error).toBeLessThan(result.limit / 5);
    expect(result.error).toBeGreaterThan(0); // f32 is never exact: something was compared
  });

  it('finds one wrong number among thousands', async () => {
    spoil((right) => right + 0.001);
    expect(await checkComputing(engine)).toMatchObject({
      right: false,
      tensor: expect.stringContaining('updated') as string,
    });
  });

  it('takes NaN for wrong', async () => {
    spoil(() => NaN);
    expect(await checkComputing(engine)).toMatchObject({ right: false, error: null });
  });
});
