import { BENCH_COLUMNS, benchCells } from '../../../../bench/formatResults';
import { isChosen } from '../../../../kernels-test/filter';
import { counted } from '../../../common/format';
import { element } from '../../components/dom';
import type { Catalogue, Item } from '../../workers/kernels';
import type { BenchOutcome } from '../../../../bench/runBenches';
import { formatKernelTime, tallyOf, type Results } from './results';

export interface KernelTable {
  readonly element: HTMLElement;
  /** Shows what was found of the tests and cases that the filter leaves: of one kernel, or of all. */
  show(results: Results | undefined, filter: string, kernel?: string): void;
}

/** A table of all kernels: how the tests of each went, then a row a case that was timed. */
export function kernelTable(catalogue: Catalogue): KernelTable {
  const kernels = [...new Set([...catalogue.tests, ...catalogue.benches].map(({ kernel }) => kernel))].sort((a, b) =>
    a.localeCompare(b, 'en'),
  );
  const groups = kernels.map((kernel) => kernelGroup(kernel, catalogue));
  const columns = element(
    'thead',
    {},
    element(
      'tr',
      {},
      ['kernel and case', ...BENCH_COLUMNS].map((title) => element('th', { scope: 'col' }, title)),
    ),
  );
  const table = element(
    'table',
    { class: 'results' },
    element('caption', { class: 'unseen' }, 'Kernels: their tests, and times of their cases'),
    element(
      'colgroup',
      {},
      element('col'),
      BENCH_COLUMNS.map(() => element('col', { class: 'figures' })),
    ),
    columns,
    groups.map((group) => group.element),
  );
  const nothing = element('p', { class: 'note', hidden: true });
  return {
    element: element('div', {}, table, nothing),
    show: (results, filter, kernel) => {
      for (const group of groups) if (kernel === undefined || group.kernel === kernel) group.show(results, filter);
      nothing.hidden = groups.some((group) => !group.element.hidden);
      nothing.textContent = `No kernel, test or case has '${filter.trim()}' in its name.`;
      columns.hidden = !catalogue.benches.some((item) => results?.benchOf(item));
    },
  };
}

interface KernelGroup {
  readonly kernel: string;
  readonly element: HTMLElement;
  show(results: Results | undefined, filter: string): void;
}

function kernelGroup(kernel: string, catalogue: Catalogue): KernelGroup {
  const all = {
    tests: catalogue.tests.filter((item) => item.kernel === kernel),
    benches: catalogue.benches.filter((item) => item.kernel === kernel),
  };
  const source = catalogue.sources[kernel];
  const state = element('span', { class: 'state' });
  const list = element('ul', { class: 'tests' });
  const more = [
    fold(kernel, 'tests', list),
    ...(source === undefined
      ? []
      : [fold(kernel, 'WGSL', element('pre', { class: 'source', tabindex: 0 }, element('code', {}, source.trim())))]),
  ];
  const head = element(
    'tr',
    { class: 'kernel' },
    element('th', { scope: 'rowgroup' }, kernel, ' ', element('span', { class: 'about' }, aboutOf(kernel, source))),
    element(
      'td',
      { colspan: BENCH_COLUMNS.length },
      element(
        'div',
        {},
        state,
        more.map(({ button }) => button),
      ),
    ),
  );
  const body = element(
    'tbody',
    {},
    head,
    more.map(({ row }) => row),
  );
  let found: readonly HTMLElement[] = [];
  return {
    kernel,
    element: body,
    show: (results, filter) => {
      const chosen = (item: Item): boolean => isChosen(filter, kernel, item.name);
      const tests = all.tests.filter(chosen);
      const benches = all.benches.filter(chosen);
      body.hidden = tests.length + benches.length === 0;
      const outcomes = tests.map((item) => results?.testOf(item));
      const timed = benches.flatMap((item) => results?.benchOf(item) ?? []);
      const standing = tallyOf(outcomes);
      const untimed =
        standing.state === 'untested' && timed.length === 0 && benches.length > 0
          ? [`${counted(benches.length, 'case')} to time`]
          : [];
      state.className = `state ${{ untested: '', passed: 'good', failed: 'bad' }[standing.state]}`;
      state.replaceChildren(mark(standing.state), [standing.text, ...untimed].join(' · '));
      list.replaceChildren(
        ...tests.map(({ name }, at) => {
          const outcome = outcomes[at];
          const failed = outcome?.failure !== undefined;
          return element(
            'li',
            { class: failed ? 'bad' : '' },
            mark(outcome ? (failed ? 'failed' : 'passed') : 'untested'),
            element('span', {}, name),
            element('span', { class: 'number' }, outcome ? formatKernelTime(outcome.milliseconds) : 'not run'),
          );
        }),
      );
      for (const row of found) row.remove();
      found = [
        ...outcomes.flatMap((outcome) =>
          outcome?.failure === undefined ? [] : [failureRow('test', outcome.name, outcome.failure)],
        ),
        ...timed.map(benchRow),
      ];
      body.append(...found);
    },
  };
}

/** What a kernel's file says first, without its name; nothing where the kernel is made of others. */
function aboutOf(kernel: string, source = ''): string {
  const [paragraph = ''] = source.split(/^\/\/\s*$/m);
  const [sentence = ''] = paragraph
    .replace(/^\/\/ ?/gm, '')
    .trim()
    .replace(/\s+/g, ' ')
    .split(/(?<=\.) /);
  return sentence.replace(`${kernel}: `, '').replace(/[.:]$/, '');
}

/** A button, and a row of the table that it opens and closes. */
function fold(
  kernel: string,
  title: string,
  content: HTMLElement,
): { readonly button: HTMLElement; readonly row: HTMLElement } {
  const row = element(
    'tr',
    { class: 'more', hidden: true },
    element('td', { colspan: 1 + BENCH_COLUMNS.length }, content),
  );
  const button = element(
    'button',
    {
      type: 'button',
      class: 'quiet',
      'aria-expanded': 'false',
      'aria-label': `${title} of ${kernel}`,
      onclick: () => {
        row.hidden = !row.hidden;
        button.setAttribute('aria-expanded', String(!row.hidden));
      },
    },
    title,
  );
  return { button, row };
}

function benchRow(result: BenchOutcome): HTMLElement {
  if ('failure' in result) return failureRow('case', result.name, result.failure);
  if ('skipped' in result) {
    const text = [`${result.name}: left out, `, result.skipped];
    return element('tr', { class: 'case' }, element('th', { scope: 'row', colspan: 1 + BENCH_COLUMNS.length }, text));
  }
  return element(
    'tr',
    { class: 'case' },
    element('th', { scope: 'row' }, result.name),
    benchCells(result).map((cell) => element('td', { class: 'number' }, cell)),
  );
}

function failureRow(kind: 'test' | 'case', name: string, failure: string): HTMLElement {
  const text = [mark('failed'), `${kind} `, element('strong', {}, name), `: ${failure}`];
  return element(
    'tr',
    { class: 'case' },
    element('th', { scope: 'row', colspan: 1 + BENCH_COLUMNS.length, class: 'bad' }, text),
  );
}

function mark(state: 'untested' | 'passed' | 'failed'): HTMLElement {
  const [sign, word] = { untested: ['', ''], passed: ['✓', 'passed: '], failed: ['✗', 'failed: '] }[state];
  return element(
    'span',
    { class: 'mark' },
    element('span', { 'aria-hidden': 'true' }, sign),
    element('span', { class: 'unseen' }, word),
  );
}
