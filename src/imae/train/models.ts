import { RandomStream } from '../../data/philox';
import * as purposes from '../../data/purposes';
import type { Engine } from '../../engine/engine';
import type { Parameters } from '../../nn/parameters';
import { AdamW } from '../../optim/adamw';
import type { LossScaling } from '../../optim/lossScaling';
import { Muon } from '../../optim/muon';
import { studentSize, teacherSize, type Config, type Phase } from '../config/config';
import { allocateModel, type Model } from '../model/mae';
import { objectiveOf } from './objectives';

/** The model of a phase, with memory but without values. */
export function makeModel(
  engine: Engine,
  config: Config,
  phase: Phase,
  options: { readonly frozen?: boolean } = {},
): Model {
  const size = phase === 'teacher' ? teacherSize(config) : studentSize(config);
  const { branches } = objectiveOf(config, phase);
  return allocateModel(engine, phase, { size, branches }, { ...options, precision: config.device.precision });
}

/** Weights of an MAE that are products' matrices, embedding and prediction among them; queries, keys and values are three. */
const MUON_MATRIX =
  /(?:\.attn\.(?:(qkv)|proj)|\.mlp\.fc[12]|^decoder_embed\d?|^decoder_pred|^patch_embed\.proj)\.weight$/;

/** AdamW, or Muon for the matrices where the configuration says so. */
export function makeOptimizer(config: Config, parameters: Parameters, scaling?: LossScaling): AdamW {
  const { muon: rate, betas, eps, weightDecay } = config.optimizer;
  const options = { betas, eps, weightDecay };
  const matrices = ({ name }: { readonly name: string }): number => {
    const match = MUON_MATRIX.exec(name);
    return match ? (match[1] ? 3 : 1) : 0;
  };
  return rate > 0
    ? new Muon(parameters, { ...options, rate, matrices }, scaling)
    : new AdamW(parameters, options, scaling);
}

/** Random initial weights; each parameter has a stream of its own. */
export function initializeModel({ parameters }: Model, seed: number): void {
  parameters.initialize((index) => RandomStream.at(seed, purposes.init, index));
}

/** Random weights to compare trained ones with: others than any model begins with, whatever its seed. */
export function randomizeModel({ parameters }: Pick<Model, 'parameters'>, seed: number): void {
  parameters.initialize((index) => RandomStream.at(seed, purposes.baseline, index));
}
