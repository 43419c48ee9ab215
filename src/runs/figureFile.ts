import { join } from 'node:path';
import type { FigurePage } from '../report/figures';
import { fillTemplate } from '../report/template';
import { writeWhole } from '../node/durableFile';
import { readTemplate } from './reportFile';

/** What the file is called, as a template and beside results. */
export const FIGURES_FILE = 'figures.html';

/**
 * Writes a page of figures, whole or not at all.
 *
 * @param template the page without data, as the build leaves it beside the programs
 * @returns the path
 * @throws UserError where the template was not built; StorageError
 */
export function writeFigures(
  path: string,
  page: FigurePage,
  template = readTemplate(join(import.meta.dirname, FIGURES_FILE)),
): string {
  writeWhole(path, fillTemplate(template, page));
  return path;
}
