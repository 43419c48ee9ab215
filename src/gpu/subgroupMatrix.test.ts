import { create, globals } from 'webgpu';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import subgroupMatrix from '../../shaders/subgroupMatrix.wgsl';
import { matmulKernels } from '../ops/matmulKernels';
import { planMatmul, type MatmulLayout } from '../ops/matmulPlan';
import { MATRIX_FEATURE, MATRIX_TOGGLES, matrixUnitOf } from './subgroupMatrix';

/* Dawn's null backend computes nothing, but it has the feature, and checks what it is given as any other does. */

const FEATURES = ['shader-f16', 'subgroups', MATRIX_FEATURE] as GPUFeatureName[];
const { matmulMatrix } = matmulKernels(subgroupMatrix);

const NONE = {
  ...{ BIAS: false, GELU: false, RESIDUAL: false, GELU_GRAD: false },
  ...{ ACCUMULATE: false, ROW_SUMS: false, ACCUMULATE_ROW_SUMS: false },
};
const EPILOGUES = [
  {},
  { BIAS: true, C16: true },
  { BIAS: true, GELU: true, C16: true, PRE16: true },
  { BIAS: true, RESIDUAL: true },
  { GELU_GRAD: true, C16: true, PRE16: true },
  { ACCUMULATE: true },
];
const UNITS = [
  { M: 16, N: 16, K: 16 },
  { M: 8, N: 8, K: 8 },
  { M: 16, N: 8, K: 16 },
];
const LAYOUTS = ['nn', 'nt', 'tn'] as const satisfies readonly MatmulLayout[];
/** Rows of four and not, many tiles and few. */
const SHAPES = [
  [1088, 576, 192],
  [65, 33, 17],
] as const;

describe('matrix units in Dawn', () => {
  let gpu: GPU | undefined; // it must outlive the device
  let device: GPUDevice;
  beforeAll(async () => {
    Object.assign(globalThis, globals);
    gpu = create(['backend=null', `enable-dawn-features=${MATRIX_TOGGLES.join(',')}`]);
    const adapter = (await gpu.requestAdapter()) as GPUAdapter;
    device = await adapter.requestDevice({ requiredFeatures: FEATURES });
  });
  afterAll(() => {
    device.destroy();
    gpu = undefined;
  });

  async function complaints(code: string): Promise<string> {
    device.pushErrorScope('validation');
    const module = device.createShaderModule({ code });
    const { messages } = await module.getCompilationInfo();
    device.createComputePipeline({ layout: 'auto', compute: { module, entryPoint: 'main' } });
    const error = await device.popErrorScope();
    return [
      ...messages.map(({ lineNum, message }) => `${lineNum}: ${message}`),
      ...(error ? [error.message] : []),
    ].join('\n');
  }

  it.each(UNITS)('every variant of the kernel compiles without a word for $M×$N×$K', async (matrixUnit) => {
    for (const layout of LAYOUTS) {
      for (const [m, n, k] of SHAPES) {
        const plan = planMatmul({ layout, m, n, k }, { software: false, matrixUnit });
        expect(plan.kernel).toBe('matmulMatrix');
        for (const half of [true, false]) {
          const rowSums =
            layout === 'tn'
              ? [{ ROW_SUMS: true }, { ROW_SUMS: true, ACCUMULATE: true, ACCUMULATE_ROW_SUMS: true }]
              : [];
          for (const epilogue of [...EPILOGUES, ...rowSums]) {
            const storage = { A16: half, B16: true, C16: false, PRE16: false };
            const { code, features } = matmulMatrix.specialize({ ...plan.params, ...NONE, ...storage, ...epilogue });
            expect([...features].sort()).toEqual([...FEATURES].sort());
            expect(await complaints(code), `${layout} ${m}×${n}×${k} ${JSON.stringify(epilogue)}`).toBe('');
          }
        }
      }
    }
  });

  it('a shader that is wrong is complained of', async () => {
    const plan = planMatmul(
      { layout: 'nn', m: 64, n: 64, k: 64 },
      { software: false, matrixUnit: { M: 16, N: 16, K: 16 } },
    );
    const storage = { A16: true, B16: true, C16: false, PRE16: false };
    const { code } = matmulMatrix.specialize({ ...plan.params, ...NONE, ...storage });
    expect(await complaints(code.replace('<Left, row_major>', '<Right, row_major>'))).toMatch(/return/);
    expect(await complaints(code.replace('enable chromium_experimental_subgroup_matrix;', ''))).toMatch(
      /subgroup_matrix/,
    );
  });
});

describe('the choice of a unit', () => {
  const config = (M: number, N: number, K: number, componentType = 'f16', resultComponentType = 'f32'): object => ({
    M,
    N,
    K,
    componentType,
    resultComponentType,
  });
  const choice = (configs: readonly object[] | undefined, features: readonly string[] = FEATURES): unknown =>
    matrixUnitOf(new Set(features), {
      ...(configs ? { subgroupMatrixConfigs: configs } : {}),
    } as unknown as GPUAdapterInfo);

  it('takes the largest of f16 with sums in f32', () => {
    expect(choice([config(8, 8, 8), config(16, 16, 16), config(16, 8, 16)])).toEqual({ M: 16, N: 16, K: 16 });
    expect(choice([config(8, 8, 8), config(16, 16, 16, 'f16', 'f16'), config(16, 16, 32, 'u8', 'u32')])).toEqual({
      M: 8,
      N: 8,
      K: 8,
    });
  });

  it('takes none where there is none that will do', () => {
    expect(choice(undefined)).toBeUndefined();
    expect(choice([])).toBeUndefined();
    expect(choice([config(16, 16, 16, 'f32', 'f32'), config(12, 16, 16)])).toBeUndefined();
    for (const missing of FEATURES)
      expect(
        choice(
          [config(16, 16, 16)],
          FEATURES.filter((feature) => feature !== missing),
        ),
      ).toBeUndefined();
  });
});
