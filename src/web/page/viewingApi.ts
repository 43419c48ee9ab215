import type { AttentionMap, Inspection } from '../../imae/inspect/inspector';
import type { ModelFacts } from '../../imae/checkpoint/modelFile';
import type { Blend, Reconstruction, ViewerTask } from '../../imae/inspect/viewer';
import type { Picture } from '../../imae/inspect/viewerPictures';
import type { ModelInHand } from './currentModel';

/** What the worker behind Unmix and Inside does. What fails is thrown with a message for the user. */
export interface ViewingApi {
  /** Opens a model in place of the one before, which stays open where this one cannot be. */
  open(model: ModelInHand): Promise<OpenedModel>;
  /** Takes a blend apart: of each branch of the model, the subordinate's first. Nothing where another model is open by now. */
  takeApart(question: UnmixingQuestion): Promise<RestoredImage[]>;
  /** Looks into the model at a blend. Nothing where another model is open by now. */
  inspect(question: InspectionQuestion): Promise<Inspection | undefined>;
  /**
   * What a token attends to in the blend inspected last: of each of the inspection's layers, undefined where the layer has
   * no token of that place. Of no layer where another model is open by now.
   *
   * @param model the opened model that it is meant for
   * @param place of the image; undefined for the class token
   */
  attentionOf(model: number, place: number | undefined): Promise<(AttentionMap | undefined)[]>;
}

/** A model that is ready to be looked at. */
export interface OpenedModel {
  /** Another each time that a model is opened. */
  readonly id: number;
  readonly name: string;
  readonly facts: ModelFacts;
  readonly task: ViewerTask;
  /** One line that names what computes, and a software adapter loudly as such. */
  readonly adapter: string;
  readonly software: boolean;
}

export interface InspectionQuestion extends Blend {
  /** The opened model that it is meant for. */
  readonly model: number;
}

export interface UnmixingQuestion extends InspectionQuestion {
  /** Whether both images are of the built-in set: its mean image is then compared with. */
  readonly builtIn: boolean;
}

export interface RestoredImage extends Pick<Reconstruction, 'of' | 'errors'> {
  readonly composite: Picture;
  readonly raw: Picture;
}
