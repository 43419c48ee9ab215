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
import { runControls } from './runControls';
import { RUNS, type Outcome, type RunKind } from './runs';
import { saveButtons } from './saveButtons';
import { inWorker, Stopped, type KernelTask } from './task';

/** Runs the tests and the benches of all kernels in this browser, and shows what they say. */
export function kernelsView(): View {
  let wanted: DeviceWanted = 'full';
  let filter = '';
  let catalogue: Catalogue | undefined;
  let device: DeviceReport | undefined;
  let results: Results | undefined;
  let table: KernelTable | undefined;
  let asking: KernelTask<DeviceReport> | undefined;
  let running: KernelTask<Outcome> | undefined;

  const card = deviceCard(wanted, (chosen) => {
    wanted = chosen;
    void ask();
  });
  const controls = runControls({
    filter: (text) => {
      filter = text;
      offer();
      table?.show(results, filter);
    },
    run: (kind) => void run(kind),
    stop: () => running?.stop(),
  });
  const found = element('div', {});
  const place = element('div', {});

  const chosen = (items: readonly Item[] = []): readonly Item[] =>
    items.filter(({ kernel, name }) => isChosen(filter, kernel, name));

  const offer = (): void => {
    controls.offer(
      { tests: chosen(catalogue?.tests).length, benches: chosen(catalogue?.benches).length },
      device !== undefined,
    );
  };

  /** What the worker knows, and the device that it gets. */
  const ask = async (): Promise<void> => {
    asking?.stop();
    device = undefined;
    card.show(undefined);
    offer();
    try {
      asking = inWorker(async (api) => {
        if (!catalogue) {
          catalogue = await api.catalogue();
          table = kernelTable(catalogue);
          table.show(results, filter);
          place.replaceChildren(table.element);
          offer();
        }
        return await api.describeDevice(wanted);
      });
      device = await asking.result;
      card.show(device);
      offer();
    } catch (error) {
      if (!(error instanceof Stopped)) card.show({ problem: messageOf(error) });
    }
  };

  const run = async (kind: RunKind): Promise<void> => {
    if (!catalogue || !device || running) return;
    if (results?.device.wanted !== device.wanted) results = new Results(catalogue, device);
    const current = results;
    const items = kind === 'step' ? [] : chosen(catalogue[kind]);
    let done = 0;
    let ended = false;
    card.lock(true);
    table?.show(current, filter);
    running = RUNS[kind]({
      wanted,
      filter,
      items,
      results: current,
      onProgress: (progress) => {
        if (ended) return; // what was on its way when it was stopped
        done = progress.done;
        controls.progress(progress);
        if (progress.kernel !== undefined) table?.show(current, filter, progress.kernel);
      },
    });
    const outcome = await running.result.catch((error: unknown): Outcome => {
      if (!(error instanceof Stopped)) return { state: 'failed', text: messageOf(error) };
      return { state: 'stopped', text: items.length > 0 ? `Stopped after ${done} of ${items.length}.` : 'Stopped.' };
    });
    ended = true;
    running = undefined;
    controls.end(outcome);
    card.lock(false);
    found.replaceChildren(...(current.isEmpty ? [] : [resultsCard(current)]));
  };

  return {
    element: element(
      'div',
      { class: 'kernels' },
      element('h1', {}, 'Kernels'),
      element('p', { class: 'lead' }, LEAD),
      card.element,
      controls.element,
      found,
      place,
    ),
    shown: () => {
      if (!device && !running) void ask();
    },
  };
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
