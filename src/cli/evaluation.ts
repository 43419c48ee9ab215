import { constants } from 'node:os';
import type { FigurePage } from '../report/figures';
import type { Engine } from '../engine/engine';
import { describeAdapter, isSoftware, nameAdapter } from '../gpu/adapter';
import { openEngine } from '../node/dawn';
import { writeFigures, FIGURES_FILE } from '../runs/figureFile';
import { RESULT } from '../imae/train/runFiles';
import { createProgress, type Progress } from './progress';
import { rootOfRun } from '../runs/modelPath';
import { RunFolder } from '../runs/runFolder';

/** What an evaluation found: for machines, and for people. */
export interface Found {
  readonly result: object;
  readonly page: Pick<FigurePage, 'title' | 'lead' | 'settings' | 'sections'>;
  /** What else is left beside them, by its name. */
  readonly files?: Readonly<Record<string, Uint8Array>>;
}

/**
 * Opens an adapter, evaluates, and leaves `result.json` and `figures.html` in a folder.
 *
 * @param name of the folder, where the user gives none: what is evaluated, and on which images
 * @param model whose run the folder is to lie beside
 * @param evaluate is given what to call with the parts that are done, of how many
 * @returns the process's exit code
 * @throws UserError before anything is computed where the folder cannot be made
 */
export async function runEvaluation(
  options: {
    readonly name: string;
    readonly model: string;
    readonly out: string | null;
    readonly adapter: string;
    readonly command: string;
  },
  evaluate: (engine: Engine, progress: Progress) => Promise<Found>,
): Promise<number> {
  const { name, model, out, adapter, command } = options;
  RunFolder.assertCreatable(out ?? undefined);
  return await withEngine(adapter, async (engine, progress) => {
    const stop = (): never => {
      progress.stop();
      console.log('stopped   nothing is kept');
      process.exit(128 + constants.signals.SIGINT);
    };
    process.once('SIGINT', stop);
    const found = await evaluate(engine, progress).finally(() => process.off('SIGINT', stop));
    progress.stop();
    const root = rootOfRun(model);
    const folder = RunFolder.create({
      ...(out === null ? {} : { out }),
      ...(root === undefined ? {} : { root }),
      name,
    });
    try {
      leaveResults(folder, found, { engine, progress, command });
    } finally {
      folder.close();
    }
    return 0;
  });
}

/** Opens an adapter for something that shows how it comes along. */
export async function withEngine<T>(
  adapter: string,
  work: (engine: Engine, progress: Progress) => Promise<T>,
): Promise<T> {
  const progress = createProgress({ logEvery: 1 });
  const engine = await openEngine({ adapterName: adapter });
  try {
    progress.note('adapter', describeAdapter(engine.info));
    return await work(engine, progress);
  } finally {
    progress.stop();
    engine.dispose();
  }
}

/** Writes what was found into a folder: `result.json` comes last, so that where it is, all is. @throws StorageError */
export function leaveResults(
  folder: RunFolder,
  { result, page, files = {} }: Found,
  { engine, progress, command }: { readonly engine: Engine; readonly progress: Progress; readonly command: string },
): void {
  const about = {
    made: new Date().toISOString(),
    adapter: nameAdapter(engine.info),
    software: isSoftware(engine.info),
    command,
  };
  progress.note(
    'figures',
    `${writeFigures(`${folder.path}/${FIGURES_FILE}`, { ...page, ...about })}: open it in a browser`,
  );
  for (const [file, bytes] of Object.entries(files)) progress.note('file', folder.writeFile(file, bytes));
  progress.note('result', folder.writeFile(RESULT, `${JSON.stringify({ ...about, ...result }, null, 1)}\n`));
}
