import type { DeviceReport } from '../../../../bench/device';
import { BENCH_COLUMNS, benchCells, ceilingLines, startUpLine, stepLines } from '../../../../bench/formatResults';
import { formatBytes } from '../../../common/format';
import { tallyOf, type SavedResults } from './results';

/** What a device has, in one line. */
export function describeDevice({ features, limits }: DeviceReport): string {
  // Says of every device that it is no compatibility device.
  const optional = features.filter((feature) => feature !== 'core-features-and-limits');
  return [
    optional.length > 0 ? optional.join(', ') : 'no optional feature',
    `${limits.maxStorageBuffersPerShaderStage} storage buffers a kernel`,
    `${limits.maxComputeInvocationsPerWorkgroup} invocations and ${formatBytes(limits.maxComputeWorkgroupStorageSize)} a workgroup`,
    `bindings of ${formatBytes(limits.maxStorageBufferBindingSize)}`,
  ].join('; ');
}

/** What stands over the results: a word and what it says. */
function head({ date, palimpsest, runtime, device, warning }: SavedResults): readonly (readonly [string, string])[] {
  const { adapter, wanted } = device;
  return [
    ['date', date],
    ['version', palimpsest],
    ['adapter', `${adapter.software ? 'SOFTWARE, not a GPU: ' : ''}${adapter.name}`],
    ['device', `${wanted === 'baseline' ? 'baseline' : 'full'}: ${describeDevice(device)}`],
    ['browser', runtime],
    ...(warning === undefined ? [] : ([['WARNING', warning]] as const)),
  ];
}

/** What was measured beside the cases: the adapter's ceilings, steps and starts, each with a word before it. */
export function measuredLines({
  clock,
  ceilings,
  steps,
  startUp,
}: SavedResults): readonly (readonly [string, string])[] {
  return [
    ...(clock ? ([['timed by', `${clock.kind}: ${clock.note}`]] as const) : []),
    ...(ceilings ? ceilingLines(ceilings) : []),
    ...steps.flatMap((step) =>
      'failure' in step ? [['FAILED', `step ${step.name}: ${step.failure}`] as const] : stepLines(step, ceilings),
    ),
    ...startUp.flatMap((start) => ('failure' in start ? [] : [[start.name, startUpLine(start)] as const])),
  ];
}

/** For a spreadsheet: a row a test and a row a case, cells parted by tabs. */
export function asTable(saved: SavedResults): string {
  const rows: (string | number)[][] = [['palimpsest kernels'], ...head(saved).map((row) => [...row]), []];
  if (saved.tests.length > 0) {
    rows.push(['kernel', 'test', 'outcome', 'ms']);
    for (const { kernel, name, milliseconds, failure } of saved.tests) {
      rows.push([kernel, name, failure === undefined ? 'passed' : `FAILED ${failure}`, rounded(milliseconds)]);
    }
    rows.push([]);
  }
  if (saved.benches.length > 0) {
    rows.push(['kernel', 'case', ...BENCH_COLUMNS]);
    for (const result of saved.benches) {
      const { kernel, name } = result;
      if ('failure' in result) rows.push([kernel, name, `FAILED ${result.failure}`]);
      else if ('skipped' in result) rows.push([kernel, name, `left out ${result.skipped}`]);
      else
        rows.push([
          kernel,
          name,
          ...[result.microseconds, result.spread, result.gflops, result.gigabytes, result.share].map(rounded),
        ]);
    }
    rows.push([]);
  }
  rows.push(...measuredLines(saved).map((row) => [...row]));
  return `${rows
    .map((row) => row.map(inOneLine).join('\t'))
    .join('\n')
    .trimEnd()}\n`;
}

function rounded(value: number): number {
  return Number(value.toPrecision(4));
}

function inOneLine(text: string | number): string {
  return String(text).replace(/\s+/g, ' ');
}

/** For an issue or a note: a row a kernel's tests, a row a case. */
export function asMarkdown(saved: SavedResults): string {
  const parts = [
    `**palimpsest kernels**`,
    head(saved)
      .map(([word, text]) => `- ${word}: ${text}`)
      .join('\n'),
  ];
  if (saved.tests.length > 0) {
    const kernels = [...new Set(saved.tests.map(({ kernel }) => kernel))];
    const rows = kernels.map((kernel) => [kernel, tallyOf(saved.tests.filter((test) => test.kernel === kernel)).text]);
    parts.push(markdownTable(['kernel', 'tests'], [...rows, ['all', tallyOf(saved.tests).text]]));
    const failed = saved.tests.filter(({ failure }) => failure !== undefined);
    if (failed.length > 0)
      parts.push(
        failed.map(({ kernel, name, failure }) => `- FAILED ${kernel} ${name}: ${inOneLine(failure ?? '')}`).join('\n'),
      );
  }
  if (saved.benches.length > 0) {
    const rows = saved.benches.map((result) => [result.kernel, result.name, ...cellsOf(result)]);
    parts.push(markdownTable(['kernel', 'case', ...BENCH_COLUMNS], rows));
  }
  const measured = measuredLines(saved);
  if (measured.length > 0) parts.push(measured.map(([word, text]) => `- ${word}: ${text}`).join('\n'));
  return `${parts.join('\n\n')}\n`;
}

function cellsOf(result: SavedResults['benches'][number]): readonly string[] {
  if ('microseconds' in result) return benchCells(result);
  const text = 'failure' in result ? `FAILED ${result.failure}` : `left out ${result.skipped}`;
  return [text, ...BENCH_COLUMNS.slice(1).map(() => '')];
}

function markdownTable(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => inOneLine(cell).replaceAll('|', '\\|')).join(' | ')} |`;
  const ruler = columns.map((_, at) => (at < 2 ? '---' : '---:'));
  return [line(columns), line(ruler), ...rows.map(line)].join('\n');
}

export function asJson(saved: SavedResults): string {
  return `${JSON.stringify(saved, null, 2)}\n`;
}
