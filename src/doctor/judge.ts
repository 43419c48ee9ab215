import { dirname } from 'node:path';
import { formatBytes } from '../common/format';
import { shellQuoted } from '../common/shell';
import type { CheckResult } from './check';
import { fixFor, unsetFix } from './commands';
import type { AdapterDescription, AdapterFacts, Examined, Facts, Failure } from './facts';
import { hasGpu, isHardware, judgeGpus } from './judgeGpus';
import type { Finding, Fix, DoctorFinding, Mark, Report } from './report';

/** What Dawn's library is linked against. */
const GLIBC_NEEDED = '2.34';
const PLATFORMS = ['linux-x64', 'linux-arm64', 'darwin-x64', 'darwin-arm64', 'win32-x64', 'win32-arm64'];

const SYSTEMS: Readonly<Record<string, string>> = { linux: 'Linux', darwin: 'macOS', win32: 'Windows' };

/** The features that matter to this engine, now or soon. */
const FEATURES = [
  'subgroups',
  'shader-f16',
  'timestamp-query',
  'subgroup-size-control',
  'chromium-experimental-subgroup-matrix',
];

/** What the facts mean: what is there, what is not, what mends it, and what will be used. */
export function judge(facts: Facts): Report {
  const [machine, packages, vulkan] = [judgeMachine(facts), judgePackages(facts), judgeVulkan(facts)];
  const [gpus, adapters] = [judgeGpus(facts), judgeAdapters(facts)];
  const sections = Object.entries({
    Machine: machine,
    Packages: packages,
    Vulkan: vulkan,
    GPU: gpus,
    Adapters: adapters,
  })
    .map(([title, { findings }]) => ({ title, findings }))
    .filter(({ findings }) => findings.length > 0);
  // A GPU's driver comes before the software drivers that Vulkan may lack.
  const fixes = [
    ...judgeChoice(facts.adapters),
    ...[machine, packages, gpus, vulkan, adapters].flatMap(({ fixes }) => fixes),
  ];
  const key = ({ title, commands }: Fix): string => commands.join('\n') || title;
  return {
    sections,
    verdict: verdict(facts),
    fixes: fixes.filter((fix, index) => fixes.findIndex((other) => key(other) === key(fix)) === index),
    usable: examined(facts.adapters).some(isRight),
  };
}

function judgeMachine({ node, system }: Facts): DoctorFinding {
  const { platform, arch, libc, release, cores, memory, container, wsl } = system;
  const findings: Finding[] = [];
  const fixes: Fix[] = [];
  if (isOlder(node.version, node.needed)) {
    findings.push({ mark: 'broken', text: `Node.js ${node.version} is too old: ${node.needed} or newer is needed` });
    fixes.push({
      title: `Node.js ${node.needed} or newer, from nodejs.org, or with nvm:`,
      commands: ['nvm install --lts'],
    });
  } else findings.push({ mark: 'ok', text: `Node.js ${node.version} (${node.needed} or newer is needed)` });

  const name = [
    `${SYSTEMS[platform] ?? platform} on ${arch}`,
    ...(release ? [release.name] : []),
    ...(wsl ? ['under WSL'] : []),
  ].join(', ');
  if (!PLATFORMS.includes(`${platform}-${arch}`)) {
    findings.push({ mark: 'broken', text: `${name}: the package webgpu is not made for it` });
  } else if (platform === 'linux') findings.push({ mark: 'ok', text: name });
  else findings.push({ mark: 'warning', text: `${name}: should work, and is untested` });

  if (libc?.name === 'musl') {
    findings.push({
      mark: 'broken',
      text: 'libc is musl (as in Alpine): Dawn, which brings WebGPU to Node.js, needs glibc',
    });
    fixes.push({
      title: 'A system with glibc, such as Debian; in a container, from this folder:',
      commands: [
        `docker run --rm -it -v "$PWD":/palimpsest -w /palimpsest node:22-trixie bash -c 'npm ci && npm run doctor'`,
      ],
    });
  } else if (libc && isOlder(libc.version ?? '', GLIBC_NEEDED)) {
    findings.push({
      mark: 'broken',
      text: `glibc ${libc.version} is too old: Dawn needs ${GLIBC_NEEDED} (Debian 12, Ubuntu 22.04)`,
    });
  } else if (libc) findings.push({ mark: 'ok', text: `glibc ${libc.version}` });

  const where = container === undefined ? '' : `, in a container (${container})`;
  findings.push({
    mark: 'ok',
    text: `${cores} CPU ${cores === 1 ? 'core' : 'cores'}, ${formatBytes(memory.total)} of memory, ${formatBytes(memory.free)} free${where}`,
  });
  return { findings, fixes };
}

function judgePackages({ packages, swiftshader, adapters, system }: Facts): DoctorFinding {
  const findings: Finding[] = [];
  const fixes: Fix[] = [];
  const there = packages.filter(({ version, optional }) => version !== undefined && !optional);
  const missing = packages.filter(({ version, optional }) => version === undefined && !optional);
  if (there.length > 0)
    findings.push({ mark: 'ok', text: there.map(({ name, version }) => `${name} ${version}`).join(', ') });
  if (missing.length > 0) {
    findings.push({ mark: 'missing', text: missing.map(({ name }) => name).join(', ') });
    fixes.push({ title: 'The npm packages:', commands: ['npm ci'] });
  }
  const { listed } = adapters;
  if ('failure' in listed && listed.failure === 'refused' && missing.length === 0) {
    findings.push({ mark: 'broken', text: listed.message });
    if (system.libc?.name !== 'musl')
      fixes.push({ title: 'The npm packages, for this machine:', commands: ['npm ci'] });
  }
  const { supported, unpacked, cache } = swiftshader;
  const brings = 'brings SwiftShader, a software adapter';
  for (const { name, version } of packages.filter(({ optional }) => optional && supported)) {
    if (version === undefined) {
      const needed = !examined(adapters).some(isRight);
      findings.push({ mark: needed ? 'missing' : 'warning', text: `${name}, which ${brings}, is not installed` });
      if (missing.length === 0 && !examined(adapters).some((each) => isHardware(each) && isRight(each))) {
        fixes.push({ title: 'SwiftShader, for where there is no driver:', commands: ['npm ci'] });
      }
    } else if (unpacked !== undefined || cache !== undefined) {
      const state = unpacked === undefined ? `will be unpacked in ${cache}` : `unpacked in ${dirname(unpacked)}`;
      findings.push({ mark: 'ok', text: `${name} ${version} ${brings}; ${state}` });
    } else {
      findings.push({
        mark: 'broken',
        text: `${name} ${version} ${brings}, and no folder can be written to unpack it`,
      });
      fixes.push({
        title: 'A folder with 40 MB of room for SwiftShader, one that you may write to:',
        commands: ['export XDG_CACHE_HOME=/FOLDER'],
      });
    }
  }
  return { findings, fixes };
}

function judgeVulkan({ vulkan, system, adapters }: Facts): DoctorFinding {
  if (vulkan === undefined || system.libc?.name === 'musl') return { findings: [], fixes: [] };
  const { loader, drivers, restriction } = vulkan;
  const hardware = examined(adapters).some((each) => isHardware(each) && isRight(each));
  const software = examined(adapters).some((each) => isSystemSoftware(each) && isRight(each));
  const lack: Mark = examined(adapters).some(isRight) ? 'warning' : 'missing';
  const findings: Finding[] = [];
  const fixes: Fix[] = [];
  findings.push(
    loader === undefined
      ? { mark: lack, text: 'no Vulkan loader (libvulkan.so.1): no driver of this system can be used' }
      : { mark: 'ok', text: `Vulkan loader ${loader}` },
  );
  if (restriction) {
    const { variable, value } = restriction;
    findings.push({
      mark: 'warning',
      text: `${variable}=${value} hides ${value === '' ? 'every driver' : 'every driver that it does not name'}`,
    });
  }
  const usable = drivers.filter(({ problem, foreign }) => problem === undefined && !foreign);
  for (const folder of new Set(usable.map(({ path }) => dirname(path)))) {
    const names = usable.flatMap(({ path }) => (dirname(path) === folder ? path.slice(folder.length + 1) : []));
    findings.push({ mark: 'ok', text: `driver files in ${folder}: ${names.join(', ')}` });
  }
  for (const { path, problem } of drivers) {
    if (problem !== undefined) findings.push({ mark: 'warning', text: `driver file ${path}: ${problem}` });
  }
  if (usable.length === 0) {
    findings.push({
      mark: lack,
      text: `no driver file${drivers.length > 0 ? ' that works' : ''}: the loader knows of no driver`,
    });
  }
  if (restriction && !hardware && (usable.length === 0 || !software)) {
    fixes.push(unsetFix(restriction.variable));
  }
  if (!hardware && !software) {
    findings.push(
      ...adapters.complaints.map((text): Finding => ({ mark: 'warning', text: `the loader says: ${text}` })),
    );
  }
  // Hardware needs no software driver; without a GPU, lavapipe is the fastest that there is.
  const lavapipe = loader !== undefined && (restriction !== undefined || usable.some(({ path }) => /lvp/.test(path)));
  if (!hardware && !software && !lavapipe) {
    fixes.push(fixFor('lavapipe', 'lavapipe, a software driver, some five times as fast as SwiftShader', system));
  }
  return { findings, fixes };
}

function judgeAdapters({ adapters, system, vulkan }: Facts): DoctorFinding {
  const findings: Finding[] = [];
  const fixes: Fix[] = [];
  const { listed, chosen, others } = adapters;
  if ('failure' in listed && listed.failure !== 'refused') {
    const { culprits } = adapters;
    const who = culprits.length > 0 ? `the driver of ${culprits.join(', ')}` : 'a driver';
    findings.push({ mark: 'broken', text: `${who} ${verb(listed)} while adapters are listed (${listed.message})` });
    const others = (vulkan?.drivers ?? []).filter(
      ({ path, problem }) => problem === undefined && !culprits.includes(path),
    );
    if (culprits.length > 0 && others.length > 0) {
      fixes.push({
        title: 'To do without that driver until there is a newer one:',
        commands: [`export VK_DRIVER_FILES=${shellQuoted(others.map(({ path }) => path).join(':'))}`],
      });
    }
  }
  // What is refused without an adapter is told by the others, or there is none.
  const refused = 'failure' in chosen.outcome && chosen.outcome.failure === 'refused';
  if (chosen.adapter || !refused) findings.push(describe(chosen, true));
  findings.push(...others.map((other) => describe(other, false)));
  if (findings.length === 0) findings.push({ mark: 'missing', text: 'none' });
  for (const { adapter } of examined(adapters)) {
    const version = adapter && mesaOf(adapter);
    if (version === undefined || Number.parseInt(version) >= 25) continue;
    findings.push({ mark: 'warning', text: `lavapipe is of Mesa ${version}; Dawn wants 25 or later` });
    fixes.push(fixFor('lavapipe', 'lavapipe of a newer Mesa', system));
  }
  return { findings, fixes };
}

function describe({ name, adapter, outcome }: Examined, chosen: boolean): Finding {
  const arrow = chosen ? '   <- node train.js' : '';
  if (adapter === undefined) {
    const details = 'failure' in outcome ? `opening it ${verb(outcome)}: ${outcome.message}`.split('\n') : [];
    return { mark: 'broken', text: `${chosen ? 'the foremost adapter' : name}${arrow}`, details };
  }
  const { software, bundled, description, features, limits, subgroups } = adapter;
  const has = FEATURES.filter((feature) => features.includes(feature));
  const sizes =
    subgroups && (subgroups.min === subgroups.max ? `${subgroups.min}` : `${subgroups.min} to ${subgroups.max}`);
  const shown = has.map((feature) => (feature === 'subgroups' && sizes ? `subgroups of ${sizes}` : feature));
  const lacks = FEATURES.filter((feature) => !features.includes(feature));
  return {
    mark: isRight({ name, outcome }) ? (software ? 'warning' : 'ok') : 'broken',
    text: `${bundled ? 'SwiftShader of the npm packages' : name === 'any' ? description : name}${arrow}`,
    details: [
      `${software ? 'SOFTWARE, slow' : 'GPU'}: ${description}`,
      `features ${shown.join(', ') || 'none that matter'}${lacks.length > 0 ? `; not ${lacks.join(', ')}` : ''}`,
      `limits   buffer ${formatBytes(limits.maxBufferSize)}, binding ${formatBytes(limits.maxStorageBufferBindingSize)}, ` +
        `${limits.maxStorageBuffersPerShaderStage} bindings; workgroup ${formatBytes(limits.maxComputeWorkgroupStorageSize)}, ` +
        `${limits.maxComputeInvocationsPerWorkgroup} invocations`,
      `check    ${describeOutcome(outcome)}`,
    ],
  };
}

function describeOutcome(outcome: CheckResult | Failure): string {
  if ('failure' in outcome) return `${verb(outcome).toUpperCase()}: ${outcome.message}`;
  const { right, error, limit, tensor, seconds, compileSeconds } = outcome;
  const size = `error ${error?.toExponential(1) ?? 'not a number'} (limit ${limit.toExponential(0)})`;
  if (!right) return `COMPUTES WRONG: ${size} in ${tensor}`;
  return `computes right: ${size}; a step ${(1000 * seconds).toFixed(0)} ms, first start ${compileSeconds.toFixed(1)} s`;
}

function verb({ failure }: Failure): string {
  return { refused: 'fails', crashed: 'crashes', hung: 'hangs' }[failure];
}

/** Where the adapter that would be chosen does not work, another that does. */
function judgeChoice(adapters: AdapterFacts): Fix[] {
  const { chosen } = adapters;
  const other = workingOther(adapters);
  if (isRight(chosen) || other === undefined) return [];
  return [
    {
      title: 'Until that is mended, name an adapter that works:',
      commands: [`node train.js --adapter ${shellQuoted(other.name)}`],
    },
  ];
}

function workingOther({ others }: AdapterFacts): Examined | undefined {
  const right = others.filter(isRight);
  return right.find(isHardware) ?? right.find(isSystemSoftware) ?? right[0];
}

function verdict(facts: Facts): Finding {
  const { adapters } = facts;
  const { chosen } = adapters;
  if (isRight(chosen) && chosen.adapter) return usedVerdict(chosen.adapter, facts);
  const other = workingOther(adapters);
  const what =
    'failure' in chosen.outcome
      ? `${verb(chosen.outcome)} (${chosen.outcome.message.split('\n')[0] ?? ''})`
      : 'COMPUTES WRONG';
  const opened = chosen.adapter
    ? `node train.js would use ${chosen.adapter.description}, and that ${what}.`
    : `node train.js finds no adapter: it ${what}.`;
  if (other) {
    const newer = isHardware(chosen) ? ['A newer driver of the GPU may mend that.'] : [];
    const works = `${other.adapter?.description ?? other.name} works; it has to be named, see below.`;
    return { mark: 'broken', text: opened, details: [works, ...newer] };
  }
  if (chosen.adapter)
    return { mark: 'broken', text: opened, details: ['There is no other adapter: nothing here can train.'] };
  return { mark: 'missing', text: 'Nothing here can train: no adapter works.' };
}

function usedVerdict(used: AdapterDescription, facts: Facts): Finding {
  const { adapters, vulkan } = facts;
  const { software, bundled, description } = used;
  if (!software)
    return { mark: 'ok', text: `node train.js uses the GPU ${description}: a GPU comes before any software.` };
  const gpu = hasGpu(facts);
  const why = [gpu ? 'this machine has a GPU, but no driver shows it' : 'no GPU was found'];
  const lavapipe = mesaOf(used) !== undefined;
  const restriction = vulkan?.restriction;
  if (bundled)
    why.push(
      restriction ? `${restriction.variable} hides the drivers of the system` : 'the system has no driver that works',
    );
  else if (lavapipe && adapters.others.some(({ adapter }) => adapter?.bundled)) {
    why.push('lavapipe comes before SwiftShader, as it is faster');
  }
  return {
    mark: 'warning',
    text: `node train.js uses ${lavapipe ? `lavapipe (${description})` : description}: ${why.join('; ')}.`,
    details: [
      'SLOW: this is the processor in the place of a GPU. It is enough to try things out and to run the tests, not to train.',
      gpu
        ? 'The commands below bring the driver of the GPU; then run this again.'
        : 'On a machine with a GPU, npm run doctor names the command that brings its driver.',
    ],
  };
}

function examined({ chosen, others }: AdapterFacts): Examined[] {
  return [chosen, ...others];
}

function isRight({ outcome }: Pick<Examined, 'name' | 'outcome'>): boolean {
  return 'right' in outcome && outcome.right;
}

function isSystemSoftware({ adapter }: Examined): boolean {
  return adapter !== undefined && adapter.software && !adapter.bundled;
}

/** The version of Mesa that lavapipe tells. */
function mesaOf({ description }: AdapterDescription): string | undefined {
  return /llvmpipe|lavapipe/i.test(description) ? /Mesa (\d+\.\d+)/.exec(description)?.[1] : undefined;
}

function isOlder(version: string, needed: string): boolean {
  const parts = (text: string): number[] => text.split('.').map(Number);
  const [major = 0, minor = 0] = parts(version);
  const [neededMajor = 0, neededMinor = 0] = parts(needed);
  return major < neededMajor || (major === neededMajor && minor < neededMinor);
}
