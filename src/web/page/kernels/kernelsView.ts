import type { DeviceReport, DeviceWanted } from '../../../../bench/device';
import { SHARE_NOTE } from '../../../../bench/formatResults';
import { isChosen } from '../../../../kernels-test/filter';
import { element } from '../../components/dom';
import type { Catalogue, Item } from '../../workers/kernels';
import type { View } from '../view';
import { deviceCard } from './deviceCard';
import { measuredLines } from './formats';
import './kernels.css';
import { kernelTable, type KernelTable } from './kernelTable';
import { Results, type SavedResults } from './results';
import { RunControls } from './runControls';
import { RUNS, type Outcome, type RunKind } from './runs';
import { saveButtons } from './saveButtons';
import { inWorker, Stopped, type KernelTask } from './task';

/** Runs the tests and the benches of all kernels in this browser, and shows what they say. */
export function kernelsView(): View {
  return new KernelsView();
}

class KernelsView implements View {
  readonly element: HTMLElement;
  private wanted: DeviceWanted = 'full';
  private filter = '';
  private catalogue: Catalogue | undefined;
  private device: DeviceReport | undefined;
  private results: Results | undefined;
  private table: KernelTable | undefined;
  private asking: KernelTask<DeviceReport> | undefined;
  private running: KernelTask<Outcome> | undefined;

  private readonly card = deviceCard(this.wanted, (chosen) => {
    this.wanted = chosen;
    void this.ask();
  });
  private readonly controls = new RunControls({
    filter: (text) => {
      this.filter = text;
      this.offer();
      this.table?.show(this.results, text);
    },
    run: (kind) => void this.run(kind),
    stop: () => this.running?.stop(),
  });
  private readonly found = element('div', {});
  private readonly place = element('div', {});

  constructor() {
    this.element = element(
      'div',
      { class: 'kernels' },
      element('h1', {}, 'Kernels'),
      element('p', { class: 'lead' }, LEAD),
      this.card.element,
      this.controls.element,
      this.found,
      this.place,
    );
  }

  shown(): void {
    if (!this.device && !this.running) void this.ask();
  }

  private chosen(items: readonly Item[] = []): readonly Item[] {
    return items.filter(({ kernel, name }) => isChosen(this.filter, kernel, name));
  }

  private offer(): void {
    const { tests, benches } = this.catalogue ?? {};
    const counts = { tests: this.chosen(tests).length, benches: this.chosen(benches).length };
    this.controls.offer(counts, this.device !== undefined);
  }

  /** What the worker knows, and the device that it gets. */
  private async ask(): Promise<void> {
    this.asking?.stop();
    this.device = undefined;
    this.card.show(undefined);
    this.offer();
    try {
      this.asking = inWorker(async (api) => {
        if (!this.catalogue) this.list(await api.catalogue());
        return await api.describeDevice(this.wanted);
      });
      this.device = await this.asking.result;
      this.card.show(this.device);
      this.offer();
    } catch (error) {
      if (!(error instanceof Stopped)) this.card.show({ problem: messageOf(error) });
    }
  }

  private list(catalogue: Catalogue): void {
    this.catalogue = catalogue;
    this.table = kernelTable(catalogue);
    this.table.show(this.results, this.filter);
    this.place.replaceChildren(this.table.element);
    this.offer();
  }

  private async run(kind: RunKind): Promise<void> {
    const { catalogue, device, wanted, filter, controls, card } = this;
    if (!catalogue || !device || this.running) return;
    if (this.results?.device.wanted !== device.wanted) this.results = new Results(catalogue, device);
    const current = this.results;
    const items = kind === 'step' ? [] : this.chosen(catalogue[kind]);
    let done = 0;
    let ended = false;
    card.lock(true);
    this.table?.show(current, filter);
    this.running = RUNS[kind]({
      wanted,
      filter,
      items,
      results: current,
      onProgress: (progress) => {
        if (ended) return; // what was on its way when it was stopped
        done = progress.done;
        controls.progress(progress);
        if (progress.kernel !== undefined) this.table?.show(current, this.filter, progress.kernel);
      },
    });
    const outcome = await this.running.result.catch((error: unknown): Outcome => {
      if (!(error instanceof Stopped)) return { state: 'failed', text: messageOf(error) };
      return { state: 'stopped', text: items.length > 0 ? `Stopped after ${done} of ${items.length}.` : 'Stopped.' };
    });
    ended = true;
    this.running = undefined;
    controls.end(outcome);
    card.lock(false);
    this.found.replaceChildren(...(current.isEmpty ? [] : [resultsCard(current)]));
  }
}

const LEAD =
  'Every kernel, run in this browser: compared with a plain reference in float64, its gradients with finite differences, on odd ' +
  'shapes and on ones long enough for the fast paths; then timed, each result checked first, beside what the adapter can do at most. Nothing leaves this page unless you ' +
  'copy or save it.';

/** What there is to copy and save, with the training step where it was timed. */
function resultsCard(results: Results): HTMLElement {
  const { wanted, adapter } = results.device;
  const saved = (): SavedResults => results.toSaved(new Date(), navigator.userAgent);
  const lines = measuredLines(saved());
  return element(
    'section',
    { class: 'card found', 'aria-label': 'Results' },
    element(
      'h2',
      {},
      `Results on ${wanted === 'full' ? 'the full device' : 'the baseline device'}`,
      adapter.software ? element('small', { class: 'loud' }, 'SOFTWARE adapter: times are no result') : undefined,
    ),
    saveButtons(saved),
    lines.length > 0
      ? element(
          'dl',
          { class: 'step' },
          lines.flatMap(([lead, text]) => [element('dt', {}, lead), element('dd', {}, text)]),
        )
      : undefined,
    results.measure
      ? element('p', { class: 'note' }, `${SHARE_NOTE[0]?.toUpperCase() ?? ''}${SHARE_NOTE.slice(1)}`)
      : undefined,
  );
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
