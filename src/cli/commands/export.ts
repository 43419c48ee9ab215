import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { counted } from '../../common/format';
import { UserError } from '../../common/userError';
import { exportTimm, exportTransformers, type ExportedFolder } from '../../imae/checkpoint/exportFolder';
import { exportModel } from '../../imae/checkpoint/exportModel';
import { describeLoad } from '../../imae/checkpoint/loadReport';
import { choice, text } from '../../imae/config/optionKinds';
import { assertWritable, writeWhole } from '../../node/durableFile';
import { readModel } from '../../runs/modelPath';
import { commandOption, makeCommand, neededOption } from './command';
import { MODEL_FLAGS, modelOverrides } from './modelFlags';

/** The libraries that load a folder of a model. */
const LIBRARIES = { huggingface: exportTransformers, timm: exportTimm };

/** Models for PyTorch. */
export const exportCommand = makeCommand({
  name: 'export',
  about:
    'write a model for PyTorch: as safetensors, strict=True into the published one, or as transformers or timm load it',
  operands: { shown: 'RUN|CHECKPOINT', least: 1, most: 1 },
  options: {
    out: neededOption(
      text('FILE|FOLDER', 'a file name that ends in .safetensors, or for --as a folder'),
      'the file to write; of another form than safetensors, a new or an empty folder',
    ),
    as: commandOption(
      choice('safetensors', 'huggingface', 'timm'),
      'safetensors',
      'whose form it has: one file under the published names, or a folder as transformers (from_pretrained) or timm ' +
        '(local-dir:) load it',
    ),
    part: commandOption(
      choice('model', 'encoder'),
      'model',
      'the whole model, or its encoder as a Vision Transformer without a head',
    ),
    ...MODEL_FLAGS,
  },
  examples: [
    'node train.js export runs/2025-01-31_12-00-00-cifar --out imae.safetensors',
    'node train.js export mae_pretrain_vit_base.pth --part encoder --out encoder.safetensors',
    'node train.js export runs/2025-01-31_12-00-00-cifar --as huggingface --out vit-mae-cifar',
  ],
  run: async (values, [path = '']) => {
    const { out, part, as } = values;
    if (as !== 'safetensors') {
      assertEmptyFolder(out);
      const model = readModel(path, 'RUN');
      const { files, is, facts, report, notes }: ExportedFolder = LIBRARIES[as](model, part, modelOverrides(values));
      for (const [name, content] of files) writeWhole(join(out, name), content);
      console.log(`model     ${model.name}: ${describeLoad(report)}`);
      for (const each of facts.assumed ?? []) console.log(`assumed   ${each}`);
      for (const each of notes) console.log(`note      ${each}`);
      console.log(`written   ${out}: ${is}, ${[...files.keys()].join(', ')}`);
      return 0;
    }
    if (!out.endsWith('.safetensors'))
      throw new UserError(`--out: ${out} does not end in .safetensors, which is what is written. Name it so.`, {
        usage: true,
      });
    assertWritable('--out', out);
    if (existsSync(out))
      throw new UserError(
        `--out: there is a file ${out} already, which would be lost. Give another name, or delete it.`,
        { usage: true },
      );
    const model = readModel(path, 'RUN');
    const { bytes, facts, report } = exportModel(model, part, modelOverrides(values));
    writeWhole(out, bytes);
    console.log(`model     ${model.name}: ${describeLoad(report)}`);
    for (const each of facts.assumed ?? []) console.log(`assumed   ${each}`);
    console.log(`written   ${out}: ${part}, ${counted(report.used.length, 'tensor')} in float32`);
    return 0;
  },
});

/** @throws UserError (usage) where there is something in the folder already, or it can't be written */
function assertEmptyFolder(out: string): void {
  if (existsSync(out)) {
    if (!statSync(out).isDirectory())
      throw new UserError(`--out: ${out} is a file. Give a new or an empty folder.`, { usage: true });
    const [first] = readdirSync(out);
    if (first !== undefined)
      throw new UserError(`--out: ${out} is not empty (${first} …). Give a new or an empty folder.`, { usage: true });
  }
  assertWritable('--out', join(out, 'config.json'));
}
