import type { PartialSettings } from '../config/options';

/** One setting of a study's grid, trained with every seed. */
export interface StudyCell {
  /** For folders and results: letters, digits, dots and dashes. */
  readonly name: string;
  readonly title: string;
  /** Over the base configuration. */
  readonly settings: PartialSettings;
  /** Where the cell lies on the axis of what is varied, if that is a number. */
  readonly x?: number;
  /** What others are compared with. */
  readonly reference?: boolean;
}
