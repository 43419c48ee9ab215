import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createCanvas } from '@napi-rs/canvas';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ReportData } from '../report/report';
import { TEST_SESSION } from '../testing/testSession';
import { DATA_PLACE } from '../report/template';
import { UserError } from '../common/userError';
import { resolveConfig, type ConfigLayer } from '../imae/config/config';
import { readRun, readTemplate, writeReport } from './reportFile';
import { PanelReader } from './reportPanels';
import { ReportWriter } from './reportWriter';
import { RunFolder } from './runFolder';

const root = join(import.meta.dirname, '..', '..');
const TEMPLATE = `<p>page</p>${DATA_PLACE}`;

let path: string;
let folder: RunFolder;

beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), 'report-'));
  folder = newRun();
});

afterEach(() => rmSync(path, { recursive: true }));

function newRun(values: ConfigLayer['values'] = { training: { batch: 64 } }): RunFolder {
  const run = RunFolder.create({ out: join(path, `run ${String(Math.random())}`), name: 'demo' });
  run.writeConfig(resolveConfig([{ source: 'test', values }]));
  return run;
}

const read = (run = folder): Promise<ReportData> => readRun(run, new PanelReader(run.path));

/** The data in a report as a browser would read it. */
function dataIn(page: string): ReportData {
  const match = /<script type="application\/json" id="data">([\s\S]*?)<\/script>/.exec(page);
  return JSON.parse(match?.[1] ?? '') as ReportData;
}

function session(more: object = {}): void {
  writeFileSync(join(folder.path, 'sessions.jsonl'), `${JSON.stringify({ ...TEST_SESSION, ...more })}\n`);
}

/** A sheet of one colour; noise makes it large. */
function sheet(name: string, { width = 8, height = 8, noise = false } = {}): void {
  const canvas = createCanvas(width, height);
  const context = canvas.getContext('2d');
  const image = context.createImageData(width, height);
  for (let i = 0; i < image.data.length; i++) image.data[i] = i % 4 === 3 ? 255 : noise ? Math.random() * 256 : 80;
  context.putImageData(image, 0, 0);
  mkdirSync(join(folder.path, 'panels'), { recursive: true });
  writeFileSync(join(folder.path, 'panels', name), canvas.toBuffer('image/png'));
}

describe('readRun', () => {
  it('has a run that has only begun', async () => {
    const { phases, sessions, preset, dataSet } = await read();
    expect({ sessions, preset, dataSet }).toEqual({ sessions: [], preset: 'demo', dataSet: 'shapes' });
    expect(phases.map(({ id, done, steps }) => ({ id, done, steps }))).toEqual([
      { id: 'teacher', done: 0, steps: 80 },
      { id: 'imae', done: 0, steps: 800 },
    ]);
  });

  it('reads curves and scores, and how far each phase is', async () => {
    const errors = { own: 1, other: 2, mean: 3, mixture: 4, score: 0.5 };
    folder.appendMetrics({ phase: 'teacher', step: 0, loss: 1.4901223182678223, lr: 0 });
    folder.appendMetrics({ phase: 'teacher', step: 79, loss: 0.5, lr: 1e-7 });
    folder.appendMetrics({ phase: 'imae', step: 100, unmixing: { subordinate: errors, takenApart: true } });
    folder.close();
    const [teacher, imae] = (await read()).phases;
    expect(teacher).toMatchObject({
      done: 80,
      curves: { steps: [0, 79], values: { loss: [1.49012, 0.5], lr: [0, 1e-7] } },
    });
    expect(imae).toMatchObject({ done: 100, scores: [{ step: 100, takenApart: true }] });
  });

  it('marks the settings that are not those of the preset', async () => {
    const settings = (await read()).settings.flatMap((section) => section.settings);
    expect(settings.filter(({ preset }) => preset !== undefined)).toMatchObject([
      { name: 'training.batch', value: '64', preset: '24' },
    ]);
    expect(settings).toContainEqual(expect.objectContaining({ name: 'masking.alpha', value: 'uniform(0.1,0.45)' }));
  });

  it('tells epochs in steps once a session names the size of the set', async () => {
    folder = newRun({ preset: 'cifar', training: { mode: 'teacher' } });
    expect((await read()).phases[0]).not.toHaveProperty('steps');
    session({ trainingImages: 50_000 });
    expect((await read()).phases[0]?.steps).toBe(400 * Math.floor(50_000 / 256));
  });

  it('has eight sheets a phase, the last always', async () => {
    for (let step = 1; step <= 20; step++) sheet(`teacher-${String(step).padStart(6, '0')}.png`);
    sheet('imae-000100.png');
    sheet('imae-000100.png.tmp');
    const [teacher, imae] = (await read()).phases;
    expect(teacher?.panelCount).toBe(20);
    expect(teacher?.panels).toHaveLength(8);
    expect(teacher?.panels.at(-1)?.step).toBe(20);
    expect(imae?.panels).toMatchObject([{ step: 100, width: 8, height: 8 }]);
    expect(imae?.panels[0]?.image).toMatch(/^data:image\/png;base64,[\w+/=]+$/);
  });

  it('makes a sheet smaller that is too large to be mailed', async () => {
    sheet('imae-000100.png', { width: 3000, height: 100, noise: true });
    const [panel] = (await read()).phases[1]?.panels ?? [];
    expect(panel).toMatchObject({ width: 2400, height: 80 });
    expect(panel?.image).toMatch(/^data:image\/webp;base64,/);
  });
});

describe('writeReport', () => {
  it('leaves one file with everything that the folder holds', async () => {
    session({ command: 'node train.js --data "</script><!--"' });
    const file = await writeReport(folder, TEMPLATE);
    expect(file).toBe(join(folder.path, 'report.html'));
    expect(dataIn(readFileSync(file, 'utf8')).sessions[0]?.command).toBe('node train.js --data "</script><!--"');
    expect(existsSync(`${file}.tmp`)).toBe(false);
  });

  it('says what is wrong with a configuration that cannot be read', async () => {
    writeFileSync(join(folder.path, 'config.json'), '{');
    await expect(writeReport(folder, TEMPLATE)).rejects.toThrow(UserError);
    expect(existsSync(join(folder.path, 'report.html'))).toBe(false);
  });
});

/** A report waits for the disk. */
const PATIENT = { timeout: 10_000 };

describe('ReportWriter', () => {
  const notes: string[] = [];
  const report = (): string => join(folder.path, 'report.html');
  let template: string;

  beforeEach(() => {
    notes.length = 0;
    template = join(path, 'template.html');
    writeFileSync(template, TEMPLATE);
  });

  const writer = (): ReportWriter =>
    new ReportWriter(folder, (label, text) => notes.push(`${label} ${text}`), template);
  const donePhase = (): number | undefined => dataIn(readFileSync(report(), 'utf8')).phases[0]?.done;
  const log = (step: number): void => {
    folder.appendMetrics({ phase: 'teacher', step, loss: 1 });
  };

  it('writes at once, then rarely, unless it must', async () => {
    const reports = writer();
    log(0);
    reports.update();
    await expect.poll(() => existsSync(report()), PATIENT).toBe(true);
    log(1);
    reports.update();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(donePhase()).toBe(1);
    reports.update({ now: true });
    await expect.poll(donePhase, PATIENT).toBe(2);
  });

  it('loses no wish that comes while it writes', async () => {
    const reports = writer();
    reports.update();
    log(5);
    reports.update({ now: true });
    await expect.poll(() => existsSync(report()) && donePhase(), PATIENT).toBe(6);
  });

  it('ends with what the run left last', async () => {
    const reports = writer();
    reports.update();
    log(9);
    await reports.close();
    expect(donePhase()).toBe(10);
    expect(notes).toEqual([]);
  });

  it('never ends a run, and says once what is wrong', async () => {
    rmSync(template);
    const reports = writer();
    reports.update({ now: true });
    reports.update({ now: true });
    await reports.close();
    expect(notes).toHaveLength(1);
    expect(notes[0]).toContain('npm run build');
  });
});

describe('the built page', () => {
  let template: string;

  beforeAll(() => {
    execFileSync(process.execPath, [join(root, 'tools', 'build.js')]);
    template = readTemplate(join(root, 'dist', 'report.html'));
  });

  it('takes data', async () => {
    const file = await writeReport(folder, template);
    expect(dataIn(readFileSync(file, 'utf8')).preset).toBe('demo');
  });

  it('refers to nothing outside itself', async () => {
    const page = readFileSync(await writeReport(folder, template), 'utf8');
    // The name of SVG's elements looks like an address, but nothing is fetched by it.
    const addresses = page
      .replaceAll('http://www.w3.org/2000/svg', '')
      .match(/https?:\/\/|\/\/[a-z0-9-]+\.[a-z]{2,}/gi);
    expect(addresses).toBeNull();
    expect(page).not.toMatch(/<(link|img|iframe|script src|base)\b/i);
    expect(page).not.toMatch(/@import|url\(/);
    expect(page).toContain("default-src 'none'");
  });

  it('is small', () => {
    expect(statSync(join(root, 'dist', 'report.html')).size).toBeLessThan(120_000);
  });
});
