import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { reportDevice, type DeviceReport } from '../../bench/device';
import { startJax, startJaxWasm } from '../../bench/peers/jax';
import { startOnnx } from '../../bench/peers/onnx';
import { startOurs } from '../../bench/peers/ours';
import type { PeerEngine, PeerHost, StartPeer } from '../../bench/peers/peer';
import { PEER_ROWS } from '../../bench/peers/rows';
import { runPeers, type PeerResult } from '../../bench/peers/runPeers';
import { startTfjs } from '../../bench/peers/tfjs';
import { BEHIND, failureLines, isAhead, peerCells, readyLine, summaryLines } from '../../bench/peers/formatPeers';
import { SOFTWARE_WARNING } from '../../bench/formatResults';
import { isChosen } from '../../kernels-test/filter';
import { UserError } from '../common/userError';
import type { Engine } from '../engine/engine';
import { describeAdapter, isSoftware } from '../gpu/adapter';
import { requestAdapter } from '../node/adapter';
import { openEngineOn, quietWait } from '../node/dawn';
import { reason } from '../node/failure';
import { hanging } from '../common/textWrap';

const PEERS: Readonly<Record<string, StartPeer>> = {
  'TensorFlow.js': startTfjs,
  'jax-js': startJax,
  'jax-js wasm': startJaxWasm,
  'ONNX Runtime': startOnnx,
};

/** Columns of a terminal that texts keep to. */
const WIDTH = 120;

/**
 * Times the same work in this engine and in others, on one adapter, and prints a row a work. The others are packages of
 * their own in `bench/peers`.
 *
 * @param options.filter only rows that have this in their name
 * @param keep is given all rows so far, with every row
 * @returns every row, as plain data
 * @throws UserError where the packages are not installed, no row is left or there is no such adapter
 */
export async function benchPeers(
  options: { readonly filter: string; readonly adapter: string },
  keep: (device: DeviceReport, rows: readonly PeerResult[]) => void = () => undefined,
): Promise<PeerResult[]> {
  const rows = PEER_ROWS.filter(({ work, name }) => isChosen(options.filter, work.kind, name));
  if (rows.length === 0) {
    const kinds = [...new Set(PEER_ROWS.map(({ work }) => work.kind))].join(', ');
    throw new UserError(`--filter: no row of --peers has '${options.filter}' in its name. There are ${kinds}.`, {
      usage: true,
    });
  }
  const { engine, engines, absent, dispose } = await openPeers(options.adapter);
  const warning = isSoftware(engine.info) ? hanging('WARNING   ', SOFTWARE_WARNING, WIDTH).join('\n') : undefined;
  const results: PeerResult[] = [];
  try {
    console.log(`adapter   ${describeAdapter(engine.info)}`);
    if (warning) console.log(warning);
    for (const why of absent) console.log(hanging('absent    ', why, WIDTH).join('\n'));
    const print = tablePrinter(rows.map(({ name }) => name));
    print(
      'kernel',
      'work, µs',
      engines.map(({ name }) => name),
    );
    for await (const result of runPeers(engines, rows)) {
      results.push(result);
      keep(reportDevice(engine, 'full'), results);
      print(result.kernel, result.name, peerCells(result), isAhead(result) ? '' : BEHIND);
      const ready = readyLine(result);
      if (ready !== undefined) console.log(hanging('ready in  ', ready, WIDTH).join('\n'));
      for (const line of failureLines(result)) console.log(hanging('FAILED    ', line, WIDTH).join('\n'));
    }
    console.log(`\n${summaryLines(results).join('\n')}`);
    if (warning) console.log(`\n${warning}`);
  } finally {
    dispose();
  }
  return results;
}

/** Engines that are compared, on one adapter. */
export interface OpenPeers {
  /** Ours, which `engines` begins with. */
  readonly engine: Engine;
  readonly engines: readonly PeerEngine[];
  /** Of each that does not run here, why. */
  readonly absent: readonly string[];
  readonly dispose: () => void;
}

/**
 * Starts every engine that runs here.
 *
 * @param adapter as `requestAdapter` takes it
 * @throws UserError where the packages are not installed, or there is no such adapter
 */
export async function openPeers(adapter: string): Promise<OpenPeers> {
  const host: PeerHost = { load: await findPackages(), wait: quietWait };
  const opened = await requestAdapter(adapter);
  const engine = await openEngineOn(opened);
  const engines: PeerEngine[] = [startOurs(engine)];
  const absent: string[] = [];
  lendAdapter(opened.gpu);
  for (const [name, start] of Object.entries(PEERS)) {
    try {
      engines.push(await start(host));
    } catch (error) {
      absent.push(`${name} does not run here: ${reason(error)}.`);
    }
  }
  const dispose = (): void => {
    for (const started of engines) started.dispose();
    engine.dispose();
  };
  return { engine, engines, absent, dispose };
}

function tablePrinter(
  names: readonly string[],
): (kernel: string, name: string, cells: readonly string[], mark?: string) => void {
  const nameWidth = Math.max(...names.map(({ length }) => length));
  return (kernel, name, cells, mark = '') => {
    console.log(
      [kernel.padEnd(9), name.padEnd(nameWidth), ...cells.map((cell) => cell.padStart(20)), mark].join('  ').trimEnd(),
    );
  };
}

/**
 * What imports packages of `bench/peers/node_modules`: a file that lies beside them.
 *
 * @param root the project's folder
 * @throws UserError where they are not installed
 */
export async function findPackages(root = findRoot()): Promise<PeerHost['load']> {
  const folder = join(root, 'bench', 'peers');
  if (!existsSync(join(folder, 'node_modules'))) {
    throw new UserError(
      `--peers: the engines to compare with are not installed. Run \`npm ci --ignore-scripts --prefix bench/peers\` in ${root} first.`,
    );
  }
  const { load } = (await import(/* @vite-ignore */ pathToFileURL(join(folder, 'load.js')).href)) as Pick<
    PeerHost,
    'load'
  >;
  return load;
}

/** The project's folder, from dist/ or from src/node. */
function findRoot(): string {
  const above = join(import.meta.dirname, '..');
  return existsSync(join(above, 'bench', 'peers')) ? above : join(above, '..');
}

/** Puts WebGPU where the others look for it, as in a browser: each makes a device of its own on the same adapter. */
function lendAdapter(gpu: GPU): void {
  const value = { gpu, userAgent: `Node.js/${process.versions.node}`, hardwareConcurrency: availableParallelism() };
  Object.defineProperty(globalThis, 'navigator', { value, configurable: true });
}
