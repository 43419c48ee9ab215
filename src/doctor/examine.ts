import { spawn } from 'node:child_process';
import { pathToFileURL } from 'node:url';
import { describeAdapter, isSoftware } from '../gpu/adapter';
import { adapterNames, requestAdapter } from '../node/adapter';
import { openEngineOn } from '../node/dawn';
import { reason } from '../node/failure';
import { checkComputing, type CheckResult } from './check';
import { LIMITS, type AdapterDescription, type AdapterFacts, type Examined, type Failure, type Limit } from './facts';

// A driver may crash its process or never return. So everything that loads one happens in a child process: the program
// itself with `--list` or `--check=NAME`, which prints a line of JSON after each thing it knows.

/** As `requestAdapter` takes it: what `node train.js` asks for. */
const CHOSEN = 'any';

/** Kernels may have to be compiled first, which takes a slow driver ten seconds; one that needs a minute hangs. */
const LIMITS_SECONDS = { list: 20, check: 60 };

type Line =
  | { readonly names: readonly string[] }
  | { readonly adapter: AdapterDescription }
  | { readonly check: CheckResult }
  | { readonly refused: string };

const OWN_LINE = /^\{"(names|adapter|check|refused)":.*\}$/;

/** What a child process does: names the adapters of the system's drivers, or opens one and checks it. */
export async function runTask(task: { readonly check?: string }, print: (line: string) => void): Promise<void> {
  const say = (line: Line): void => print(JSON.stringify(line));
  try {
    if (task.check === undefined) say({ names: await adapterNames() });
    else await examine(task.check, say);
  } catch (error) {
    say({ refused: reason(error) });
  }
}

async function examine(name: string, say: (line: Line) => void): Promise<void> {
  const opened = await requestAdapter(name);
  // Dawn shows experimental features only to who asks; listing them is safe, and some GPUs are bought for them.
  const { adapter } = await requestAdapter(name, ['enable-dawn-features=allow_unsafe_apis']);
  say({ adapter: describe(opened.adapter, opened.bundled, adapter.features) });
  const engine = await openEngineOn(opened);
  try {
    say({ check: await checkComputing(engine) });
  } finally {
    engine.dispose();
  }
}

function describe({ info, limits }: GPUAdapter, bundled: boolean, features: ReadonlySet<string>): AdapterDescription {
  const { vendor, device, subgroupMinSize: min, subgroupMaxSize: max } = info;
  return {
    description: describeAdapter(info).replace(/^SOFTWARE.*?: /, ''),
    vendor,
    device,
    software: isSoftware(info),
    bundled,
    features: [...features].sort(),
    limits: Object.fromEntries(LIMITS.map((name) => [name, limits[name]])) as Record<Limit, number>,
    ...(features.has('subgroups') ? { subgroups: { min, max } } : {}),
  };
}

interface ExamineOptions {
  /** The driver files that the Vulkan loader reads. */
  readonly drivers: readonly string[];
  /** Whether SwiftShader of the npm packages is to be looked at. */
  readonly bundled: boolean;
  readonly limits?: { readonly list: number; readonly check: number };
}

/**
 * Opens and checks what `node train.js` would use, and every other adapter.
 *
 * @param program the path of a module whose `main` takes `--list` and `--check=NAME`
 * @param tell is told what is being done
 */
export async function examineAdapters(
  program: string,
  { drivers, bundled, limits = LIMITS_SECONDS }: ExamineOptions,
  tell: (text: string) => void,
): Promise<AdapterFacts> {
  const runList = (env: Readonly<Record<string, string>>): Promise<Ended> =>
    runChild(program, '--list', limits.list, env);
  const check = async (name: string): Promise<Examined> => {
    const { lines, failure } = await runChild(program, `--check=${name}`, limits.check);
    const adapter = lines.flatMap((line) => ('adapter' in line ? [line.adapter] : []))[0];
    const result = lines.flatMap((line) => ('check' in line ? [line.check] : []))[0];
    return { name, ...(adapter ? { adapter } : {}), outcome: result ?? failure };
  };
  tell('listing adapters');
  const list = await runList({ VK_LOADER_DEBUG: 'error' });
  const names = list.lines.flatMap((line) => ('names' in line ? [line.names] : []))[0];
  const culprits: string[] = [];
  if (names === undefined && list.failure.failure !== 'refused') {
    for (const path of drivers) {
      tell(`looking for the driver that fails: ${path}`);
      const alone = await runList({ VK_DRIVER_FILES: path });
      if (alone.lines.length === 0) culprits.push(path);
    }
  }
  tell('checking the adapter that node train.js uses; the first time, its kernels are compiled');
  const any = await check(CHOSEN);
  const isChosen = (name: string): boolean =>
    any.adapter !== undefined && !any.adapter.bundled && normalized(name) === any.adapter.device;
  const own = any.adapter?.bundled ? 'swiftshader' : names?.find(isChosen);
  const chosen = { ...any, name: own ?? any.name };
  const others: Examined[] = [];
  for (const name of new Set([...(names ?? []), ...(bundled ? ['swiftshader'] : [])])) {
    if (name === chosen.name) continue;
    tell(`checking ${name}`);
    others.push(await check(name));
  }
  return { listed: names ? { names } : list.failure, chosen, others, culprits, complaints: complaintsIn(list.errors) };
}

/** As Dawn writes an adapter's name into its info. */
function normalized(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]+/g, '-');
}

/** Each complaint of the loader once, without its mark. */
function complaintsIn(errors: string): string[] {
  const found = errors
    .split('\n')
    .flatMap((line) => /^(?:\[Vulkan Loader\] )?(?:ERROR|Warning)[^:]*: *(.*)$/.exec(line)?.[1] ?? []);
  return [...new Set(found)].filter((line) => !line.startsWith('maxDynamic'));
}

interface Ended {
  readonly lines: readonly Line[];
  readonly errors: string;
  /** Why there is no more than these lines. */
  readonly failure: Failure;
}

function runChild(
  program: string,
  task: string,
  seconds: number,
  env: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  const start = 'const { main } = await import(process.argv[1]); process.exitCode = await main(process.argv);';
  return new Promise((resolve) => {
    const child = spawn(
      process.execPath,
      ['--input-type=module', '-e', start, '--', pathToFileURL(program).href, task],
      {
        env: { ...process.env, ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    let out = '';
    let errors = '';
    const end = (how: Failure['failure'], message: string): void => {
      clearTimeout(timer);
      // A process that hangs inside a driver can't always be killed; it must not be waited for.
      child.stdout.destroy();
      child.stderr.destroy();
      child.unref();
      // Drivers print what they like, and a crash cuts the last line.
      const own = out
        .split('\n')
        .slice(0, -1)
        .filter((line) => OWN_LINE.test(line));
      const lines = own.map((line) => JSON.parse(line) as Line);
      const refusal = lines.flatMap((line) => ('refused' in line ? [line.refused] : []))[0];
      const failure =
        refusal === undefined ? { failure: how, message } : { failure: 'refused' as const, message: refusal };
      resolve({ lines, errors, failure });
    };
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      end('hung', `no answer within ${seconds} s`);
    }, seconds * 1000);
    child.stdout.on('data', (text: Buffer) => (out += text.toString()));
    child.stderr.on('data', (text: Buffer) => (errors += text.toString()));
    child.on('error', (error) => end('crashed', error.message));
    child.on('close', (code, signal) => {
      const last = complaintsIn(errors).at(-1);
      end('crashed', `${signal ?? `exit code ${code}`}${last ? `: ${last}` : ''}`);
    });
  });
}
