import type { Safetensors } from '../../formats/safetensors';

/** A saved model with the name under which messages speak of it. */
export interface NamedFile {
  readonly name: string;
  readonly file: Safetensors;
}

/** The two files of a checkpoint: the model, and all else that going on takes. */
export interface SavedState {
  readonly model: NamedFile;
  readonly state: NamedFile;
}
