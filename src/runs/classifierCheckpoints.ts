import { rmSync } from 'node:fs';
import type { FinetuneCheckpointing } from '../imae/classify/finetune';
import type { SavedState } from '../imae/checkpoint/namedFile';
import { listCheckpoints, saveCheckpoint } from './checkpoints';
import { readCheckpoint } from './folderStore';

/** Share of the time that saving may take: a checkpoint of a large model after each of many short epochs would take most of it. */
const SAVING_SHARE = 0.05;

/** The checkpoints of a fine-tuning, in a folder of their own until it is done. */
export class ClassifierCheckpoints {
  /** @param path asked for when one is read or written: the folder may be made later */
  constructor(private readonly path: () => string) {}

  /** The last; undefined before the first. @throws UserError where it is damaged */
  last(): (SavedState & { readonly step: number }) | undefined {
    const last = listCheckpoints<'classifier'>(this.path()).at(-1);
    return last && readCheckpoint(last);
  }

  /** What saves into the folder. @param stopRequested asked between steps */
  checkpointing(identity: string, resume: SavedState | undefined, stopRequested: () => boolean): FinetuneCheckpointing {
    let saved = performance.now();
    let took = 0;
    let asked = saved;
    return {
      identity,
      resume,
      stopRequested,
      isDue: () => {
        asked = performance.now();
        return took <= SAVING_SHARE * (asked - saved);
      },
      save: (step, model, state) => {
        saveCheckpoint(this.path(), { phase: 'classifier', step }, model, state);
        saved = performance.now();
        took = saved - asked;
      },
    };
  }

  remove(): void {
    rmSync(this.path(), { recursive: true, force: true });
  }
}
