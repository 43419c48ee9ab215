import { Engine } from '../src/engine/engine';

/**
 * Engines on the device of `engine` that choose kernels in every way there is, so that the kernels for GPUs are tested
 * on a software adapter and the other way round, and every fast path beside its plain twin.
 */
export function engineVariants({ device, info, wait }: Engine): Readonly<Record<string, Engine>> {
  return {
    'kernels for GPUs': Engine.borrow(device, { info, wait, software: false }),
    'kernels for software adapters': Engine.borrow(device, { info, wait, software: true }),
    'plain kernels': Engine.borrow(device, { info, wait, plain: true }),
  };
}
