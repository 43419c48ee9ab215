import { chooseSteps, configOf, StepRun, type StepCase } from '../../bench/step.bench';
import type { Engine } from '../../src/engine/engine';
import { choicesOf, variantName, type KernelVariant } from '../../src/gpu/autotune';
import { EngineError } from '../../src/gpu/errors';
import type { Precision } from '../../src/tensor/tensor';
import { openEngine } from '../../src/node/dawn';

/** What the process says of itself, a JSON object a line, beside what the driver writes of its pipelines. */
export type Said =
  | { readonly compiler: string }
  | { readonly program: string; readonly precision: Precision; readonly dispatches: number }
  | { readonly label: string; readonly milliseconds: number };

/**
 * Compiles every kernel that training steps take on the adapter that is there, and every variant that measurement may prefer:
 * run under the driver without hardware. The driver is told a pipeline's name by the environment, so they are made one by one.
 *
 * @param argv what a step's name must hold, or nothing for all steps
 */
export async function main(argv: readonly string[]): Promise<number> {
  const [, , filter = ''] = argv;
  for (const precision of ['f32', 'f16'] as const) {
    const engine = await openEngine({ adapterName: 'any', half: precision === 'f16', software: false });
    try {
      if (precision === 'f16' && !engine.hasHalf) continue;
      say({ compiler: engine.info.description });
      await compileSteps(engine, precision, filter);
    } finally {
      engine.dispose();
    }
  }
  return 0;
}

async function compileSteps(engine: Engine, precision: Precision, filter: string): Promise<void> {
  namePipelines(engine, precision);
  const choices = choicesOf(engine);
  for (const step of chooseSteps(filter)) {
    const run = await openStep(engine, { ...step, settings: { ...step.settings, device: { precision } } });
    say({ program: step.name, precision, dispatches: run.statistics.dispatches });
    run.dispose();
    for (const { variants } of choices.asked) {
      for (const { kernel, params } of variants) await engine.kernel(kernel, params).pipeline;
    }
  }
}

/** A step with as many images as the device binds at once, up to those of the benches. */
async function openStep(engine: Engine, step: StepCase): Promise<StepRun> {
  try {
    return await StepRun.open(engine, configOf(step, false), step.phase, false);
  } catch (error) {
    const gpu = step.batch.gpu / 2;
    if (!(error instanceof EngineError && error.code === 'limit-exceeded') || gpu < 1) throw error;
    return await openStep(engine, { ...step, batch: { ...step.batch, gpu } });
  }
}

/** Has the driver know what each pipeline is: `f32 matmulTile BM=64 BN=64 TM=4 VEC`. */
function namePipelines(engine: Engine, precision: Precision): void {
  const { device } = engine;
  const make = device.createComputePipelineAsync.bind(device);
  const kernelOf = engine.kernel.bind(engine);
  let label = '';
  let last: Promise<unknown> = Promise.resolve();
  engine.kernel = (kernel, params) => {
    label = `${precision} ${fullName({ kernel, params })}`;
    return kernelOf(kernel, params);
  };
  device.createComputePipelineAsync = async (descriptor) => {
    const name = label;
    const made = last.then(async () => {
      process.env['ISA_LABEL'] = name;
      const start = performance.now();
      const pipeline = await make(descriptor);
      say({ label: name, milliseconds: performance.now() - start });
      return pipeline;
    });
    last = made.catch(() => undefined);
    return await made;
  };
}

/** A variant's name with its flags, which tell kernels of different works apart. */
function fullName({ kernel, params }: Pick<KernelVariant, 'kernel' | 'params'>): string {
  const flags = Object.keys(params).filter((name) => params[name] === true);
  return [variantName({ kernel, params, workgroups: [1] }), ...flags].join(' ');
}

function say(said: Said): void {
  console.log(JSON.stringify(said));
}
