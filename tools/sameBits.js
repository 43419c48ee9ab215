// node tools/sameBits.js BEFORE [AFTER]: whether two commits compute the same bits on this machine. AFTER is by default the
// working tree. Both train, evaluate and analyse the same small models on the same images, side by side; then everything
// that they left is compared, byte for byte but for what clocks measured. Bits depend on driver and processor, so none are kept.
//
//   VK_DRIVER_FILES=… node tools/sameBits.js HEAD~3        before and after, on the adapter that the variable names
//   node tools/sameBits.js v0.1.0 HEAD --only mae,probe    some of the cases
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import sharp from 'sharp';

const root = join(import.meta.dirname, '..');

const SMALL =
  '--patch 8 --dim 24 --depth 2 --heads 3 --decoder-dim 16 --decoder-depth 1 --decoder-heads 2 --batch 16 --log-every 1';
const FEW =
  '--teacher-steps 3 --steps 4 --teacher-lr 3e-3 --lr 3e-3 --teacher-warmup-steps 1 --warmup-steps 1 --score-every 2 --checkpoint-every 2';
const CIFAR = `--preset cifar --data ../data/cifar ${SMALL} ${FEW}`;

/** Each case is one command, or several, run in a folder of its own. `RUN` is where training leaves its run; others are named. */
const CASES = {
  demo: ['--teacher-steps 6 --steps 8 --log-every 1 --score-every 4 --out run'],
  cifar: [`${CIFAR} --out run`],
  half: [`${CIFAR} --precision f16 --out run`],
  accumulate: [`${CIFAR} --accumulate 4 --out run`],
  recompute: [`${CIFAR} --recompute blocks --branches subordinate --out run`],
  muon: [`${CIFAR} --muon 10 --decay 0.5 --clip-norm 1 --start scratch --out run`],
  mae: [`${CIFAR} --only mae --norm-pix --same-prob random --out run`],
  lcmae: [`${CIFAR} --only lcmae --mask block --out run`, 'analyse --checkpoint run --images 8 --out analysis'],
  grid: [`${CIFAR} --mask grid --alpha 0.3 --out run`],
  variance: [`${CIFAR} --mask variance --alpha uniform(0.1,0.45) --alpha-per sample --same-prob 0.5 --out run`],
  attention: [
    `${CIFAR} --mask attention --teacher-input mixed --teacher-dim 32 --teacher-heads 4 --start scratch --out run`,
  ],
  streamed: [
    `--preset tiny-imagenet --data ../data/tree --image 16 ${SMALL} ${FEW} --batch 8 --stream yes --workers 1 --out run`,
  ],
  resumed: [{ args: `${CIFAR} --steps 40 --seed 3 --out run`, stopAt: /i-MAE +[1-9]/ }, '--resume run'],
  finetuned: [
    `${CIFAR} --out run`,
    'finetune --checkpoint run --epochs 2 --batch 16 --images 64 --out finetuned',
    'probe --checkpoint run --epochs 2 --batch 16 --images 64 --out probed',
    'knn --checkpoint run --out neighbours',
  ],
  evaluated: [
    `${CIFAR} --out run`,
    'evaluate separability --run run --images 32 --fit-images 48 --out separability',
    'evaluate unmixing --run run --images 32 --out unmixing',
    'export run --out exported.safetensors',
    'reconstruct ../data/tree/train/a/0.png ../data/tree/train/b/1.png --checkpoint run --out picture.png',
  ],
};

/** A generator for pixels, the same everywhere: values from 0 to 255. */
function* bytes(seed) {
  for (let state = seed >>> 0; ;) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    yield state >>> 24;
  }
}

const take = (count, source) => Uint8Array.from({ length: count }, () => source.next().value);

/** Images to train on: a CIFAR-10 of 160 + 96, and a tree of 3 × 16 files that differ in size. */
async function makeData(folder) {
  const cifar = join(folder, 'cifar');
  mkdirSync(cifar, { recursive: true });
  const batch = (count, seed) => {
    const source = bytes(seed);
    return Buffer.concat(Array.from({ length: count }, (_, index) => Buffer.from([index % 10, ...take(3072, source)])));
  };
  writeFileSync(join(cifar, 'data_batch_1.bin'), batch(160, 1));
  writeFileSync(join(cifar, 'test_batch.bin'), batch(96, 2));
  writeFileSync(join(cifar, 'batches.meta.txt'), Array.from({ length: 10 }, (_, index) => `class${index}\n`).join(''));
  for (const [at, name] of ['a', 'b', 'c'].entries()) {
    const into = join(folder, 'tree', 'train', name);
    mkdirSync(into, { recursive: true });
    for (let index = 0; index < 16; index++) {
      const [width, height] = [18 + index, 30 - index];
      const raw = { width, height, channels: 3 };
      await sharp(take(3 * width * height, bytes(100 * at + index)), { raw })
        .png()
        .toFile(join(into, `${index}.png`));
    }
  }
}

/** @returns {Promise<{ code: number | null; output: string }>} */
function runProgram(checkout, cwd, { args, stopAt }) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(checkout, 'train.js'), ...args.split(' ')], {
      cwd,
      env: { ...process.env, CI: '1' },
    });
    let output = '';
    const gather = (data) => {
      output += data;
      if (stopAt?.test(output) && !child.killed) child.kill('SIGINT');
    };
    child.stdout.on('data', gather);
    child.stderr.on('data', gather);
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, output }));
  });
}

/** Runs a case of one checkout. @returns {Promise<string | undefined>} what went wrong */
async function runCase(checkout, folder, commands) {
  mkdirSync(folder, { recursive: true });
  for (const command of commands) {
    const step = typeof command === 'string' ? { args: command } : command;
    const { code, output } = await runProgram(checkout, folder, step);
    if (code !== (step.stopAt ? 130 : 0))
      return `train.js ${step.args}\n  ends with ${code}: ${output.trim().split('\n').slice(-3).join(' ')}`;
  }
  return undefined;
}

/** What clocks measured, and what tells where something was made. */
const CLOCKS = ['imagesPerSecond', 'waiting', 'seconds', 'made', 'command'];
/** Files that tell of the session and not of the result. */
const TELLS = /(^|\/)(sessions\.jsonl|report\.html|figures\.html|config\.json|kernels\.json|lock)$/;

const withoutClocks = (text) =>
  JSON.stringify(JSON.parse(text), (key, value) => (CLOCKS.includes(key) ? undefined : value));

/** @returns {Map<string, string>} a digest of every file that a case left */
function digests(folder) {
  const files = readdirSync(folder, { recursive: true })
    .map(String)
    .filter((path) => statSync(join(folder, path)).isFile() && !TELLS.test(path));
  return new Map(
    files.sort().map((path) => {
      const data = readFileSync(join(folder, path));
      let content = data;
      if (/\.jsonl?$/.test(path)) {
        const text = data.toString().replaceAll(dirname(folder), '').trimEnd();
        content = (path.endsWith('.jsonl') ? text.split('\n') : [text]).map(withoutClocks).join('\n');
      }
      return [path, createHash('sha256').update(content).digest('hex').slice(0, 16)];
    }),
  );
}

function git(...args) {
  const { status, stdout, stderr } = spawnSync('git', args, { cwd: root, encoding: 'utf8' });
  if (status !== 0) throw new Error(`git ${args.join(' ')}: ${stderr.trim()}`);
  return stdout.trim();
}

/** Checks a commit out, with its packages: those of this checkout where it asks for the same. */
function checkOut(commit, folder) {
  git('worktree', 'add', '--detach', '--force', folder, commit);
  const lock = (at) => readFileSync(join(at, 'package-lock.json'), 'utf8');
  if (lock(folder) === lock(root)) symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  else spawnSync('npm', ['ci', '--no-audit', '--no-fund'], { cwd: folder, stdio: 'inherit' });
}

async function main() {
  const { positionals, values } = parseArgs({ allowPositionals: true, options: { only: { type: 'string' } } });
  const [before, after] = positionals;
  if (!before) {
    console.error(
      'Usage: node tools/sameBits.js BEFORE [AFTER] [--only CASE,…]: commits; AFTER is the working tree by default.',
    );
    return 2;
  }
  const names = values.only?.split(',') ?? Object.keys(CASES);
  const unknown = names.find((name) => !CASES[name]);
  if (unknown !== undefined) {
    console.error(`There is no case '${unknown}'. There are: ${Object.keys(CASES).join(', ')}.`);
    return 2;
  }
  const base = mkdtempSync(join(tmpdir(), 'same-bits-'));
  const checkouts = [before, ...(after ? [after] : [])].map((commit, index) => ({
    commit,
    folder: join(base, `checkout${index}`),
  }));
  let differing = 0;
  try {
    for (const { commit, folder } of checkouts) checkOut(commit, folder);
    const sides = [...checkouts.map(({ folder }) => folder), ...(after ? [] : [root])];
    for (const side of sides) spawnSync(process.execPath, ['tools/build.js'], { cwd: side, stdio: 'inherit' });
    const work = sides.map((_, index) => join(base, `side${index}`));
    for (const folder of work) await makeData(join(folder, 'data'));
    for (const name of names) {
      const wrong = await Promise.all(sides.map((side, index) => runCase(side, join(work[index], name), CASES[name])));
      const [one, two] = work.map((folder) => digests(join(folder, name)));
      const paths = [...new Set([...one.keys(), ...two.keys()])];
      const different = paths.filter((path) => one.get(path) !== two.get(path));
      const failed = wrong.filter((text) => text !== undefined);
      if (failed.length === 2 && failed[0] === failed[1] && name === 'half') {
        console.log(`skipped   ${name}: this adapter has no half precision`);
      } else if (failed.length > 0) {
        differing++;
        console.log(`FAILED    ${name}: ${failed.join('\n')}`);
      } else if (different.length > 0) {
        differing++;
        console.log(`DIFFERENT ${name}: ${different.join(', ')}`);
      } else {
        console.log(`same      ${name}: ${paths.length} files`);
      }
    }
  } finally {
    for (const { folder } of checkouts) if (existsSync(folder)) git('worktree', 'remove', '--force', folder);
    if (differing === 0) rmSync(base, { recursive: true, force: true });
    else console.log(`What both left is in ${relative(process.cwd(), base) || base}.`);
  }
  return differing === 0 ? 0 : 1;
}

process.exitCode = await main();
