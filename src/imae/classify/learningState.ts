import { digest } from '../../common/digest';
import { readSafetensors } from '../../formats/safetensors';
import { UserError } from '../../common/userError';
import type { Parameters } from '../../nn/parameters';
import type { AdamW } from '../../optim/adamw';
import {
  assertIntact,
  damaged,
  digestTensors,
  loadModel,
  loadState,
  saveModel,
  saveState,
} from '../checkpoint/checkpoint';
import type { LearningState } from './learning';
import type { SavedState } from '../checkpoint/namedFile';

/* Checkpoints of a classifier under training: two files, as those of a run; what a run has in its log is in the state. */

/** What is trained. */
export interface Learner {
  readonly parameters: Parameters;
  readonly optimizer: AdamW;
}

/**
 * @param metadata of the classifier's file
 * @param identity what the bits of the training follow from
 */
export async function saveLearning(
  { parameters, optimizer }: Learner,
  metadata: Readonly<Record<string, string>>,
  identity: string,
  at: LearningState,
): Promise<{ readonly model: Uint8Array; readonly state: Uint8Array }> {
  const about = { ...metadata, step: String(at.step) };
  const model = saveModel({ parameters }, await parameters.read(), about);
  const learning = JSON.stringify(at);
  const state = await saveState(optimizer, {
    ...about,
    run: identity,
    learning,
    learningDigest: await digestText(learning),
    model: await digestTensors(readSafetensors(model)),
  });
  return { model, state };
}

/**
 * Fills weights and moments from a checkpoint.
 *
 * @returns where it goes on
 * @throws UserError where the checkpoint is damaged, or of a training of another identity
 */
export async function restoreLearning(
  { parameters, optimizer }: Learner,
  { model, state }: SavedState,
  identity: string,
): Promise<LearningState> {
  await assertIntact(model, state);
  const { run, learning = '', learningDigest } = state.file.metadata;
  if (run !== identity) {
    throw new UserError(
      `${state.name} is of a fine-tuning with other settings, model or images. Put finetune.json back as it was, or begin anew.`,
    );
  }
  if ((await digestText(learning)) !== learningDigest) throw damaged(state.name);
  loadModel({ parameters }, model.file, model.name);
  loadState(optimizer, state.file, state.name);
  return JSON.parse(learning) as LearningState;
}

function digestText(text: string): Promise<string> {
  return digest([new TextEncoder().encode(text)]);
}
