import { Engine } from '../engine/engine';
import { openEngine } from '../node/dawn';

let opened: Promise<Engine> | undefined;

/**
 * An engine for a test, on a device that the tests of a process share. The device keeps every pipeline, so that what one
 * test had compiled is there for all: compiling takes most of the time of tests on software adapters. Tests that lose their
 * device, or want a special one, open their own.
 */
export async function testEngine(): Promise<Engine> {
  opened ??= openEngine().then(keepPipelines);
  const { device, info, wait } = await opened;
  return Engine.borrow(device, { info, wait });
}

/** Dawn gives again what it made once, as long as somebody has it. */
function keepPipelines(engine: Engine): Engine {
  const { device } = engine;
  const kept: GPUComputePipeline[] = [];
  const create = device.createComputePipelineAsync.bind(device);
  device.createComputePipelineAsync = async (descriptor) => {
    const pipeline = await create(descriptor);
    kept.push(pipeline);
    return pipeline;
  };
  return engine;
}
