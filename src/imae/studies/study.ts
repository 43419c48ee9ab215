import type { FigureSection } from '../../report/figures';
import type { Config } from '../config/config';
import type { StudyCell } from './studyCell';
import type { Table } from './table';

/** What a cell is asked once it is trained. */
export type Measure = 'unmixing' | 'separability' | 'probe' | 'finetune';

/** A question that a grid of runs answers. */
export interface Study {
  readonly name: string;
  /** In one line, for the help. */
  readonly question: string;
  /** What is varied and how to read the figures, for the head of the page. */
  readonly lead: readonly string[];
  /** In the order of the figures. */
  readonly measures: readonly Measure[];
  /**
   * @param base what every cell shares
   * @param trainingImages of the set
   * @throws UserError where the base leaves no room for the grid
   */
  cells(base: Config, trainingImages: number): readonly StudyCell[];
  /** @param caption configuration, image budget, seeds and adapter, for every caption */
  sections(table: Table, caption: string): readonly FigureSection[];
}
