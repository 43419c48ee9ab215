import { join } from 'node:path';
import { counted } from '../common/format';
import { describeBase, findStudy, planRuns, type StudyPlan } from '../imae/studies/plan';
import { Table, type CellValues } from '../imae/studies/table';
import { writeWhole } from '../node/durableFile';
import { FIGURES_FILE, writeFigures } from './figureFile';
import type { StudyFile, StudyFolder } from './studyFolder';

/**
 * Writes a study's `figures.html` and `result.json` from the runs that are done.
 *
 * @returns the page's path
 */
export function writeStudyReport(folder: StudyFolder, { plan, data }: StudyFile, command: string): string {
  const study = findStudy(plan.study);
  const runs = planRuns(plan, data.trainingImages);
  const done = runs.flatMap((run) => {
    const result = folder.result(run.name);
    return result ? [{ run, result }] : [];
  });
  const cells = study.cells(plan.base, data.trainingImages);
  const values = new Map(cells.map(({ name }) => [name, new Map<number, CellValues>()]));
  for (const { run, result } of done) values.get(run.cell.name)?.set(run.seed, result.values);
  const table = new Table(cells, plan.alphas, values);
  const adapters = [...new Set(done.map(({ result }) => result.adapter))];
  const unfinished =
    done.length < runs.length
      ? [`So far ${done.length} of ${counted(runs.length, 'run')} ${done.length === 1 ? 'is' : 'are'} done.`]
      : [];
  const caption = `${describeBase(plan, data.name, data.trainingImages)} Adapter: ${adapters.join('; ')}.`;
  writeWhole(
    join(folder.path, 'result.json'),
    `${JSON.stringify({ plan, data, adapters, runs: done.map(({ result }) => result) }, null, 1)}\n`,
  );
  return writeFigures(join(folder.path, FIGURES_FILE), {
    title: `Study: ${study.name}`,
    lead: [`The question: ${study.question}?`, ...study.lead, ...unfinished],
    made: new Date().toISOString(),
    adapter: adapters.join('; '),
    software: done.some(({ result }) => result.software),
    command,
    settings: [
      {
        name: 'runs',
        value: `${counted(cells.length, 'cell')} × ${counted(plan.seeds.length, 'seed')}, ${done.length} done`,
      },
      { name: 'configuration', value: describeBase(plan, data.name, data.trainingImages) },
      { name: 'α', value: plan.alphas.join(', ') },
      ...(study.measures.includes('probe') ? [{ name: 'linear probe', value: describeProbe(plan) }] : []),
      ...(study.measures.includes('finetune')
        ? [
            {
              name: 'fine-tuning',
              value: plan.finetuneEpochs === 0 ? 'left out' : `${plan.finetuneEpochs} epochs, mean pool`,
            },
          ]
        : []),
    ],
    sections: done.length > 0 ? study.sections(table, caption) : [],
  });
}

function describeProbe({ probeEpochs, probeBlr, probeCrop }: StudyPlan): string {
  const views = probeCrop ? `random resized crops ${probeCrop.join('–')} and flips` : 'whole images';
  return `${probeEpochs} epochs, LARS, blr ${probeBlr}, class token, ${views}`;
}
