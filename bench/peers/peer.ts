import type { References } from '../../kernels-test/allclose';
import type { Wait } from '../../src/gpu/gpuEngine';
import type { Results, Work } from './rows';

/** One row's work, made ready on an engine. */
export interface PreparedWork {
  /** What the work gives. Called once, before anything is timed. */
  results(): Promise<Results>;
  /** Does the work so many times over, as a user of the engine would, and waits until the last of it is done. */
  run(repetitions: number): Promise<void>;
  dispose(): void;
}

/** An engine of the comparison. */
export interface PeerEngine {
  readonly name: string;
  /** Uploads the inputs; undefined where the engine has nothing that does this work. */
  prepare(work: Work, inputs: References): Promise<PreparedWork | undefined>;
  dispose(): void;
}

/** What an engine needs of the platform. */
export interface PeerHost {
  /** Imports a package of `bench/peers/node_modules`. */
  readonly load: (name: string) => Promise<unknown>;
  readonly wait: Wait;
}

/** Starts an engine. It rejects where the engine can't run here. */
export type StartPeer = (host: PeerHost) => Promise<PeerEngine>;
