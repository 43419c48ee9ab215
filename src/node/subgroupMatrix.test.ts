import { create, globals } from 'webgpu';
import { expect, it } from 'vitest';
import { Engine } from '../engine/engine';
import { MATRIX_FEATURE } from '../gpu/subgroupMatrix';
import { matrixFlops, matrixProbe, subgroupMatrix } from '../../bench/peakThroughput';
import { Graph } from '../tensor/graph';

/** Dawn's null backend computes nothing, but has every feature, and checks WGSL and bindings as every backend does. */
async function openNull(configs: readonly unknown[]): Promise<{ engine: Engine; gpu: GPU }> {
  Object.assign(globalThis, globals);
  const gpu = create(['backend=null', 'enable-dawn-features=allow_unsafe_apis']);
  const adapter = await gpu.requestAdapter();
  if (!adapter) throw new Error('Dawn has no null backend');
  const device = await adapter.requestDevice({ requiredFeatures: [MATRIX_FEATURE, 'shader-f16', 'subgroups'] });
  const { subgroupMinSize, subgroupMaxSize } = adapter.info;
  const info = { vendor: '', description: '', subgroupMinSize, subgroupMaxSize, subgroupMatrixConfigs: configs };
  return { engine: Engine.borrow(device, { info: info as unknown as GPUAdapterInfo }), gpu };
}

const config = (componentType: string, resultComponentType: string, side: number): unknown => ({
  componentType,
  resultComponentType,
  M: side,
  N: side,
  K: side,
});

it('compiles the probe of subgroup matrices, of the largest shape of f16 into f32', async () => {
  const { engine, gpu } = await openNull([
    config('f16', 'f16', 32),
    config('f16', 'f32', 8),
    config('f16', 'f32', 16),
    config('f32', 'f32', 64),
  ]);
  const shape = subgroupMatrix(engine);
  expect(shape).toEqual({ m: 16, n: 16, k: 16, lanes: engine.info.subgroupMaxSize });
  if (!shape) return;
  for (const chains of [4, 8]) {
    const graph = new Graph(engine);
    const size = { workgroups: 4, rounds: 2 };
    const first = matrixProbe(graph, shape, chains, size);
    const result = matrixProbe(graph, shape, chains, size, first);
    expect(result.shape).toEqual([4, chains, 16, 16]);
    expect(matrixFlops(shape, chains, size)).toBe(2 * 16 ** 3 * chains * 4 * 2);
    graph.output(result);
    const program = await graph.compile();
    expect(program.statistics.dispatches).toBe(2);
    program.run();
    program.dispose();
  }
  await engine.settle();
  engine.dispose();
  expect(gpu).toBeDefined(); // it must outlive the device
});

it('has no probe where an adapter has no such shape', async () => {
  const { engine, gpu } = await openNull([config('f16', 'f16', 16)]);
  expect(subgroupMatrix(engine)).toBeUndefined();
  engine.dispose();
  expect(gpu).toBeDefined();
});
