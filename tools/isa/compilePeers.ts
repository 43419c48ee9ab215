import { globals } from 'webgpu';
import { inputsOf, PEER_ROWS, type PeerRow } from '../../bench/peers/rows';
import type { PeerEngine } from '../../bench/peers/peer';
import { isChosen } from '../../kernels-test/filter';
import { openPeers } from '../../src/cli/peers';
import { reason } from '../../src/node/failure';

/** What an engine dispatches in a row. */
export interface PeerDispatches {
  readonly engine: string;
  readonly row: string;
  /** Workgroups by the label of the pipeline: all dispatches of it together. */
  readonly workgroups: Readonly<Record<string, number>>;
  readonly dispatches: number;
}

/** What the process says of itself, a JSON object a line, beside what the driver writes of its pipelines. */
export type PeersSaid =
  | { readonly compiler: string }
  | { readonly label: string }
  | { readonly absent: string }
  | PeerDispatches
  | { readonly engine: string; readonly row: string; readonly failure: string };

/**
 * Has every engine of `npm run bench -- --peers` do each row once, on the adapter that is there: run under the driver
 * without hardware, which writes what its compiler makes of their kernels. Their results are not looked at.
 *
 * @param argv what a row's name must hold, or nothing for all rows
 */
export async function main(argv: readonly string[]): Promise<number> {
  const [, , filter = ''] = argv;
  // What engines print is no part of what is said.
  for (const name of ['log', 'info', 'debug'] as const) console[name] = console.error;
  const trace = new Trace();
  const { engine, engines, absent, dispose } = await openPeers('any');
  try {
    say({ compiler: engine.info.description });
    for (const why of absent) say({ absent: why });
    for (const row of PEER_ROWS.filter(({ work, name }) => isChosen(filter, work.kind, name))) {
      for (const peer of engines) await follow(trace, peer, row);
    }
  } finally {
    dispose();
  }
  return 0;
}

async function follow(trace: Trace, peer: PeerEngine, { work, name }: PeerRow): Promise<void> {
  const row = `${work.kind} ${name}`;
  try {
    const prepared = await peer.prepare(work, inputsOf(work));
    if (!prepared) return;
    trace.clear();
    await prepared.results();
    prepared.dispose();
    const { workgroups, dispatches } = trace;
    if (dispatches > 0) say({ engine: peer.name, row, workgroups: Object.fromEntries(workgroups), dispatches });
  } catch (error) {
    say({ engine: peer.name, row, failure: reason(error) });
  }
}

/** Follows what pipelines the process makes, on whichever device, and what it dispatches. */
class Trace {
  private readonly labels = new WeakMap<GPUComputePipeline, string>();
  private made = 0;
  /** Workgroups by the label of the pipeline. */
  readonly workgroups = new Map<string, number>();
  dispatches = 0;

  constructor() {
    const { GPUDevice: device, GPUComputePassEncoder: pass } = globals as DawnClasses;
    this.followPipelines(device.prototype);
    this.followDispatches(pass.prototype);
  }

  clear(): void {
    this.workgroups.clear();
    this.dispatches = 0;
  }

  /** The driver is told a pipeline's name by the environment, so they are made one by one. */
  private followPipelines(device: DeviceMethods): void {
    const { createComputePipeline, createComputePipelineAsync } = device;
    const nextLabel = (): string => (process.env['ISA_LABEL'] = `${this.made++}`);
    const keep = (pipeline: GPUComputePipeline, label: string): GPUComputePipeline => {
      this.labels.set(pipeline, label);
      say({ label });
      return pipeline;
    };
    let last: Promise<unknown> = Promise.resolve();
    device.createComputePipeline = function (descriptor) {
      const label = nextLabel();
      return keep(createComputePipeline.call(this, descriptor), label);
    };
    device.createComputePipelineAsync = async function (descriptor) {
      const made = last.then(async () => {
        const label = nextLabel();
        return keep(await createComputePipelineAsync.call(this, descriptor), label);
      });
      last = made.catch(() => undefined);
      return await made;
    };
  }

  private followDispatches(pass: PassMethods): void {
    const { setPipeline, dispatchWorkgroups, dispatchWorkgroupsIndirect } = pass;
    const current = new WeakMap<GPUComputePassEncoder, string>();
    const set = (of: GPUComputePassEncoder, pipeline: GPUComputePipeline): void => {
      current.set(of, this.labels.get(pipeline) ?? '');
    };
    const count = (of: GPUComputePassEncoder, groups: number): void => {
      const label = current.get(of) ?? '';
      this.dispatches++;
      this.workgroups.set(label, (this.workgroups.get(label) ?? 0) + groups);
    };
    pass.setPipeline = function (pipeline) {
      set(this, pipeline);
      return setPipeline.call(this, pipeline);
    };
    pass.dispatchWorkgroups = function (x, y = 1, z = 1) {
      count(this, x * y * z);
      return dispatchWorkgroups.call(this, x, y, z);
    };
    // How many there are is known to the GPU alone.
    pass.dispatchWorkgroupsIndirect = function (buffer, offset) {
      count(this, 1);
      return dispatchWorkgroupsIndirect.call(this, buffer, offset);
    };
  }
}

/** Of Dawn's own prototypes, which every device of the process has, what is followed. */
interface DawnClasses {
  readonly GPUDevice: { readonly prototype: DeviceMethods };
  readonly GPUComputePassEncoder: { readonly prototype: PassMethods };
}

interface DeviceMethods {
  createComputePipeline: (this: GPUDevice, descriptor: GPUComputePipelineDescriptor) => GPUComputePipeline;
  createComputePipelineAsync: (
    this: GPUDevice,
    descriptor: GPUComputePipelineDescriptor,
  ) => Promise<GPUComputePipeline>;
}

interface PassMethods {
  setPipeline: (this: GPUComputePassEncoder, pipeline: GPUComputePipeline) => undefined;
  dispatchWorkgroups: (this: GPUComputePassEncoder, x: number, y?: number, z?: number) => undefined;
  dispatchWorkgroupsIndirect: (this: GPUComputePassEncoder, buffer: GPUBuffer, offset: number) => undefined;
}

function say(said: PeersSaid): void {
  process.stdout.write(`${JSON.stringify(said)}\n`);
}
