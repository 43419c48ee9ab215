/** `palimpsest/imae`: masked autoencoders, what trains them and what measures them. Everything else may change without a word. */
export { configure, readCheckpoint, train, type PartialStore, type TrainOptions } from './train/train';
export type { ResumePoint, RunResult, RunWatcher } from './train/runStore';
export type { StepMetrics } from './train/trainer';
export { DivergedError } from './train/run';
export { rehearse } from './train/phaseResources';
export type { Config, ModelSize, Phase, PhasePlan } from './config/config';
export type { PartialSettings } from './config/options';
export type { PresetName } from './config/presets';

export { Attention, Block, Mlp } from '../nn/layers';
export { MaskedAutoencoder, VisionTransformer, type Branches, type Model } from './model/mae';
export { imaeObjective, maeObjective } from './model/objective';
export { lcmaeObjective } from './lcmae/objective';
export { Muon, type MuonOptions } from '../optim/muon';
export { recordMasks, type MaskKind } from './mask/masks';
export type { Normalisation } from './model/normalisation';

export { makeImageSets, type ImageSet, type RawImages, type TrainTest } from '../data/imageSet';
export { drawBuiltIn } from './train/trainingData';

export { describeModel, type ModelFacts, type ModelOverrides } from './checkpoint/modelFile';
export type { NamedFile } from './checkpoint/namedFile';
export { readEncoder, type EncoderSource } from './checkpoint/encoderSource';
export { exportModel } from './checkpoint/exportModel';

export { Viewer, type Blend, type Reconstruction } from './inspect/viewer';
export type { BranchScore, UnmixingScore } from './eval/unmixing';
export { evaluateSeparability } from './eval/separability';
export type { SeparabilityOptions, SeparabilityResult } from './eval/separabilityResult';
export { KNN_DEFAULTS, runKnn, type KnnRun, type KnnSettings } from './classify/knn';
export { PROBE_DEFAULTS, runProbe, type ProbeRun, type ProbeSettings } from './classify/probe';
export { FINETUNE_DEFAULTS, runFinetune, type FinetuneSettings } from './classify/finetune';
export type { Classification } from './classify/classification';

export { UserError } from '../common/userError';
