import { existsSync } from 'node:fs';
import { counted } from '../../common/format';
import { UserError } from '../../common/userError';
import { exportModel } from '../../imae/checkpoint/exportModel';
import { describeLoad } from '../../imae/checkpoint/loadReport';
import { choice, text } from '../../imae/config/optionKinds';
import { assertWritable, writeWhole } from '../../node/durableFile';
import { readModel } from '../../runs/modelPath';
import { commandOption, makeCommand, neededOption } from './command';
import { MODEL_FLAGS, modelOverrides } from './modelFlags';

/** Models for PyTorch. */
export const exportCommand = makeCommand({
  name: 'export',
  about: 'write a model as safetensors for PyTorch: strict=True into the published one',
  operands: { shown: 'RUN|CHECKPOINT', least: 1, most: 1 },
  options: {
    out: neededOption(text('FILE', 'a file name that ends in .safetensors'), 'the file to write'),
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
  ],
  run: async (values, [path = '']) => {
    const { out, part } = values;
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
