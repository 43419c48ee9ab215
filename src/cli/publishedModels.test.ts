import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadImage } from '@napi-rs/canvas';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { readSafetensors, storedTensor, writeSafetensors } from '../formats/safetensors';
import { exportCommand } from './commands/export';
import { reconstructCommand } from './commands/reconstruct';
import type { Config } from '../imae/config/config';
import type { PartialSettings } from '../imae/config/options';
import { createPicture } from '../node/picture';
import { readTensors } from '../node/readTensors';
import { tinyConfig } from '../testing/tinyRun';
import { TINY_CONFIG, tinyMae } from '../testing/transformersModel';
import { readTeacher } from './trainingInputs';

const base = mkdtempSync(join(tmpdir(), 'palimpsest-'));
afterAll(() => rmSync(base, { recursive: true }));
const at = (name: string): string => join(base, name);
const inSource = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url));

/** A masked autoencoder as PyTorch saved it, 8 × 8 pixels; see src/imae/checkpoint/encoderSource.test.ts. */
const MAE = inSource('imae/checkpoint/testFiles/mae.pth');
/** The page's i-MAE with two branches, 32 × 32 pixels. */
const DEMO = inSource('web/page/demo.safetensors');
const HEADS = ['--heads', '2', '--decoder-heads', '1'];

function picture(name: string, width: number, height: number, colour: string): string {
  const canvas = createPicture(width, height);
  const context = canvas.getContext('2d');
  context.fillStyle = colour;
  context.fillRect(0, 0, width, height);
  writeFileSync(at(name), canvas.toBuffer('image/png'));
  return at(name);
}
const red = picture('red.png', 50, 40, '#d02010');
const blue = picture('blue.png', 21, 64, '#1030c0');

/** Runs a command, and gives its exit code and what it said. */
async function call(
  command: { run(args: readonly string[]): Promise<number> },
  ...args: string[]
): Promise<{ code: number; out: string; err: string }> {
  const said = { out: '', err: '' };
  const log = vi.spyOn(console, 'log').mockImplementation((text: string) => void (said.out += `${text}\n`));
  const error = vi.spyOn(console, 'error').mockImplementation((text: string) => void (said.err += `${text}\n`));
  try {
    return { code: await command.run(args), ...said };
  } finally {
    log.mockRestore();
    error.mockRestore();
  }
}

describe('readTensors', () => {
  it('goes by what is in a file, not by its name', () => {
    writeFileSync(at('model.bin'), readFileSync(MAE));
    expect(readTensors(at('model.bin')).metadata).toMatchObject({ epoch: '7', 'args.mask_ratio': '0.6' });
    writeFileSync(at('model.pth'), writeSafetensors(new Map([['a', storedTensor([1], Float32Array.of(2))]])));
    expect([...readTensors(at('model.pth')).tensors.keys()]).toEqual(['a']);
  });

  it.each([
    ['nowhere.pth', /nowhere\.pth cannot be read: /],
    ['', /cannot be read: /],
    ['page.pth', /page\.pth: it is a web page, not the file/],
    ['cut.pth', /cut\.pth: .*cut short/],
    ['evil.pth', /evil\.pth: at byte \d+, it asks for Python's posix\.system.*Nothing was executed/],
  ])('refuses %s', (name, message) => {
    writeFileSync(at('page.pth'), '<!DOCTYPE html><title>Not found</title>');
    writeFileSync(at('cut.pth'), readFileSync(MAE).subarray(0, 9000));
    const magic = readFileSync(MAE).subarray(0, 15);
    writeFileSync(
      at('evil.pth'),
      Buffer.concat([magic, Buffer.from("M\xe9\x03.}.cposix\nsystem\n(S'true'\ntR.", 'latin1')]),
    );
    expect(() => readTensors(at(name))).toThrow(message);
  });
});

describe('export', () => {
  it('writes a model, and says what became of its tensors', async () => {
    const out = at('encoder.safetensors');
    expect(await call(exportCommand, MAE, '--part', 'encoder', '--heads', '2', '--out', out)).toEqual({
      code: 0,
      err: '',
      out: expect.stringMatching(
        /^model .*mae\.pth: 18 tensors used; left over: mask_token, .*\nassumed   ImageNet's mean and deviation\nwritten .*: encoder, 18 tensors in float32\n$/,
      ) as string,
    });
    expect(readSafetensors(readFileSync(out)).tensors.size).toBe(18);
    const again = await call(exportCommand, MAE, '--heads', '2', '--out', out);
    expect([again.code, again.err]).toEqual([2, expect.stringContaining('which would be lost. Give another name')]);
  });

  it.each<[string[], number, RegExp]>([
    [[MAE, ...HEADS], 2, /--out is missing/],
    [[MAE, ...HEADS, '--out', 'x.pth'], 2, /--out: x\.pth does not end in \.safetensors/],
    [[MAE, '--out', at('x.safetensors')], 1, /does not say in its metadata how many heads/],
    [[base, '--out', at('x.safetensors')], 2, /RUN: .* is no run folder/],
  ])('refuses %j', async (args, code, message) => {
    expect(await call(exportCommand, ...args)).toEqual({
      code,
      out: '',
      err: expect.stringMatching(message) as string,
    });
  });
});

describe('a teacher of transformers', () => {
  it('is told by all options that it asks for, and taken with these', () => {
    mkdirSync(at('teacher'));
    writeFileSync(at('teacher/model.safetensors'), writeSafetensors(tinyMae().transformers));
    writeFileSync(at('teacher/config.json'), JSON.stringify(TINY_CONFIG));
    const config = (model: PartialSettings['model'] = {}): Config =>
      tinyConfig({ teacher: { checkpoint: at('teacher') }, data: { statistics: 'imagenet' }, model });
    expect(() => readTeacher(config())).toThrow(
      'All that this teacher asks for: --layer-norm-eps 1e-12 --patch 8 --dim 12 --depth 2 --heads 3 --decoder-dim 8 --norm-pix.',
    );
    const sizes = { layerNormEps: 1e-12, patch: 8, dim: 12, depth: 2, heads: 3, decoderDim: 8, normPix: true };
    expect(readTeacher(config(sizes))?.name).toBe(at('teacher'));
  });
});

describe('export --as', () => {
  it.each([
    ['huggingface', 'ViTMAEForPreTraining'],
    ['timm', 'VisionTransformer'],
  ])('%s writes a folder, from which the same is read', async (as, is) => {
    const [folder, file] = [at(`as-${as}`), at(`as-${as}.safetensors`)];
    const { code, out: said, err } = await call(exportCommand, MAE, ...HEADS, '--as', as, '--out', folder);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(said).toMatch(new RegExp(`^written {3}.*as-${as}: ${is}, model\\.safetensors, config\\.json`, 'm'));
    const part = as === 'timm' ? 'encoder' : 'model';
    expect(await call(exportCommand, folder, '--part', part, '--out', file)).toMatchObject({ code: 0, err: '' });
    const direct = at(`direct-${as}.safetensors`);
    await call(exportCommand, MAE, ...HEADS, '--part', part, '--out', direct);
    const [read, wanted] = [file, direct].map((path) => readSafetensors(new Uint8Array(readFileSync(path))));
    expect(read?.tensors).toEqual(wanted?.tensors);
    expect(await call(exportCommand, MAE, ...HEADS, '--as', as, '--out', folder)).toMatchObject({
      code: 2,
      err: expect.stringMatching(/is not empty \(config\.json …\)\. Give a new or an empty folder/) as string,
    });
  });
});

describe('export --as onnx', () => {
  it('says what goes in and what comes out', async () => {
    const { code, out: said } = await call(exportCommand, MAE, ...HEADS, '--as', 'onnx', '--out', at('mae.onnx'));
    expect(code).toBe(0);
    expect(said).toContain(
      'mae.onnx: model: pixel_values [batch, 3, 8, 8], ids_keep [batch, visible], ids_restore [batch, 16] → ' +
        'last_hidden_state [batch, 1 + visible, 8], logits [batch, 16, 12]',
    );
    expect(await call(exportCommand, MAE, ...HEADS, '--as', 'onnx', '--out', at('mae.pt'))).toMatchObject({
      code: 2,
      err: expect.stringContaining('mae.pt does not end in .onnx, which is what is written') as string,
    });
  });
});

describe('reconstruct', () => {
  it('shows a mixture taken apart: composites first, then the six panels', { tags: ['device'] }, async () => {
    const out = at('pair.png');
    const {
      code,
      out: said,
      err,
    } = await call(reconstructCommand, red, blue, '--alpha', '0.35', '--checkpoint', DEMO, '--out', out);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(said).toMatch(
      /^error {5}Mean squared error of the composite to red\.png, in normalised pixels: \d+\.\d{3} \(to the other picture .*\n(.*to blue\.png.*)\nwritten/m,
    );
    // Eight panels of 192 pixels in a row.
    const sheet = await loadImage(out);
    expect(sheet.width).toBe(28 + 8 * (192 + 12) - 12 + 28);
    const canvas = createPicture(sheet.width, sheet.height);
    const context = canvas.getContext('2d');
    context.drawImage(sheet, 0, 0);
    const colours = Array.from({ length: 8 }, (_, panel) => [
      ...context.getImageData(28 + panel * 204 + 100, 200, 1, 1).data.slice(0, 3),
    ]);
    expect(colours.slice(6)).toEqual([
      [208, 32, 16],
      [16, 48, 192],
    ]); // subordinate and dominant
    expect(colours[2]).toEqual([83, 42, 130]); // 0.35 × red + 0.65 × blue
  });

  it('completes one picture by a published MAE, at a size of its own', { tags: ['device'] }, async () => {
    const out = at('one.png');
    const {
      code,
      out: said,
      err,
    } = await call(
      reconstructCommand,
      blue,
      '--checkpoint',
      MAE,
      ...HEADS,
      '--image',
      '12',
      '--seed',
      '3',
      '--out',
      out,
    );
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(said).toMatch(/pos_embed interpolated from 4 × 4 to 6 × 6 patches; decoder_pos_embed interpolated/);
    expect(said).toMatch(/assumed {3}a vanilla MAE, since there is one picture/);
    expect((await loadImage(out)).width).toBe(28 + 5 * (192 + 12) - 12 + 28);
  });

  it.each<[string[], number, RegExp]>([
    [[red, '--checkpoint', DEMO], 2, /is an i-MAE: it takes a mixture apart\. Give two pictures/],
    [[red, blue, red, '--checkpoint', DEMO], 2, /is too much/],
    [[red, blue], 2, /--checkpoint is missing/],
    [[red, blue, '--checkpoint', DEMO, '--alpha', '1.5'], 2, /--alpha: 1\.5 is not allowed/],
    [
      [red, blue, '--checkpoint', DEMO, '--mask-ratio', '0.99'],
      2,
      /--mask-ratio: 0\.99 leaves 0 of 16 patches visible/,
    ],
    [[red, at('nowhere.jpg'), '--checkpoint', DEMO], 1, /nowhere\.jpg cannot be decoded: there is no such file/],
    [[red, MAE, '--checkpoint', DEMO], 1, /mae\.pth cannot be decoded: it is no image/],
    [[red, '--checkpoint', MAE, ...HEADS, '--out', 'x.jpg'], 2, /--out: x\.jpg does not end in \.png/],
  ])('refuses %j', async (args, code, message) => {
    expect(await call(reconstructCommand, ...args)).toEqual({
      code,
      out: '',
      err: expect.stringMatching(message) as string,
    });
  });
});
