import { ResidentImages } from '../src/data/upload/residentImages';
import { makeShapes } from '../src/data/shapes';
import type { Engine } from '../src/engine/engine';
import { resolveConfig } from '../src/imae/config/config';
import { initializeModel, makeModel } from '../src/imae/train/models';
import { Trainer } from '../src/imae/train/trainer';

/** The step of the `cifar` preset, with as many dispatches as at any batch, and as little to do in each as can be. */
const CONFIG = resolveConfig([{ source: 'host bench', values: { preset: 'cifar', training: { batch: 1 } } }]);

const SAMPLES = 15;

/** What the host takes to give a step to the GPU, in microseconds a dispatch. */
export interface HostTiming {
  readonly dispatches: number;
  /** `Program.run`. */
  readonly run: number;
  /** The same pipelines, bind groups and work sizes through WebGPU's own calls, and nothing besides. */
  readonly bare: number;
}

interface EncodedDispatch {
  readonly pipeline: GPUComputePipeline;
  readonly bindGroup: GPUBindGroup;
  readonly workgroups: readonly [number, number, number];
}

/** Times how long the host is busy with a training step that it submits; the step itself is waited for outside. */
export async function timeHost(engine: Engine): Promise<HostTiming> {
  const model = makeModel(engine, CONFIG, 'imae');
  const teacher = makeModel(engine, CONFIG, 'teacher', { frozen: true });
  initializeModel(model, 0);
  initializeModel(teacher, 1);
  const set = makeShapes({ count: 16, size: CONFIG.model.image, seed: 0 });
  const images = new ResidentImages(engine, set);
  let trainer: Trainer | undefined;
  try {
    trainer = await Trainer.create({ engine, config: CONFIG, phase: 'imae', set, images, model, teacher });
    const [program] = trainer.programs;
    for (let step = 0; step < 4; step++) await trainer.run(step, step + 1, () => false); // drivers compile late
    const submits = encodedBy(engine, () => void program.run());
    await engine.settle();
    const timed = async (work: () => void): Promise<number> => {
      const start = performance.now();
      work();
      const microseconds = (performance.now() - start) * 1000;
      await engine.settle();
      return microseconds / program.statistics.dispatches;
    };
    // The shortest samples count: what else the machine does only ever adds.
    let [run, bare] = [Infinity, Infinity];
    for (let sample = 0; sample < SAMPLES; sample++) {
      run = Math.min(run, await timed(() => void program.run()));
      bare = Math.min(
        bare,
        await timed(() => {
          encodeBare(engine.device, submits);
        }),
      );
    }
    return { dispatches: program.statistics.dispatches, run, bare };
  } finally {
    trainer?.dispose();
    images.dispose();
    model.parameters.dispose();
    teacher.parameters.dispose();
  }
}

/** What `work` encodes, submit by submit. */
function encodedBy({ device }: Engine, work: () => void): EncodedDispatch[][] {
  const submits: EncodedDispatch[][] = [];
  const createCommandEncoder = device.createCommandEncoder.bind(device);
  const listened = (): Pick<GPUCommandEncoder, 'beginComputePass' | 'finish'> => {
    const encoder = createCommandEncoder();
    const dispatches: EncodedDispatch[] = [];
    submits.push(dispatches);
    const beginComputePass = (): GPUComputePassEncoder => {
      const pass = encoder.beginComputePass();
      let pipeline: GPUComputePipeline;
      let bindGroup: GPUBindGroup;
      const listener: Partial<GPUComputePassEncoder> = {
        setPipeline: (next) => {
          pass.setPipeline((pipeline = next));
        },
        setBindGroup: (index: number, next: GPUBindGroup) => {
          pass.setBindGroup(index, (bindGroup = next));
        },
        dispatchWorkgroups: (x, y = 1, z = 1) => {
          dispatches.push({ pipeline, bindGroup, workgroups: [x, y, z] });
          pass.dispatchWorkgroups(x, y, z);
        },
        end: () => {
          pass.end();
        },
      };
      return listener as GPUComputePassEncoder;
    };
    return { beginComputePass, finish: () => encoder.finish() };
  };
  Object.defineProperty(device, 'createCommandEncoder', { configurable: true, value: listened });
  try {
    work();
  } finally {
    Reflect.deleteProperty(device, 'createCommandEncoder');
  }
  return submits;
}

function encodeBare(device: GPUDevice, submits: readonly EncodedDispatch[][]): void {
  for (const dispatches of submits) {
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    for (const { pipeline, bindGroup, workgroups } of dispatches) {
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, bindGroup);
      pass.dispatchWorkgroups(workgroups[0], workgroups[1], workgroups[2]);
    }
    pass.end();
    device.queue.submit([encoder.finish()]);
  }
}
