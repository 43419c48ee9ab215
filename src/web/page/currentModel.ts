/** A model to look at: the page has one at a time, which all views share. */
export interface ModelInHand {
  /** What the page calls it: `the model shipped with this page`, `teacher-300.safetensors`. */
  readonly name: string;
  /** The content of a file of tensors: at hand, or to be read from the disk as far as it is wanted. */
  readonly content: Uint8Array | Blob;
}

/** What files of models are called: safetensors, and what PyTorch saves. */
export const MODEL_ENDINGS = ['.safetensors', '.pth', '.pt', '.ckpt'] as const;
export const OF_A_MODEL = new RegExp(`(${MODEL_ENDINGS.map((ending) => `\\${ending}`).join('|')})$`, 'i');

type Listener = (model: ModelInHand) => void;

/** The model that Unmix and Inside show: the shipped one at first, then what was trained or opened last. */
export class CurrentModel {
  private model: ModelInHand | undefined;
  private readonly listeners = new Set<Listener>();

  set(model: ModelInHand): void {
    this.model = model;
    for (const listener of this.listeners) listener(model);
  }

  /** Calls back now, if there is a model, and with every model that comes. */
  follow(listener: Listener): void {
    this.listeners.add(listener);
    if (this.model) listener(this.model);
  }
}
