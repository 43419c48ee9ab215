import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { counted } from '../../common/format';
import { UserError } from '../../common/userError';
import { exportTimm, exportTransformers, type ExportedFolder } from '../../imae/checkpoint/exportFolder';
import { collectModel, exportModel, type ExportedPart } from '../../imae/checkpoint/exportModel';
import { describeLoad } from '../../imae/checkpoint/loadReport';
import type { ModelOverrides } from '../../imae/checkpoint/modelFile';
import type { NamedFile } from '../../imae/checkpoint/namedFile';
import { encoderGraph, maeGraph, type OnnxValue } from '../../imae/checkpoint/onnxGraph';
import { choice, text } from '../../imae/config/optionKinds';
import { assertWritable, writeWhole } from '../../node/durableFile';
import { onnxFile } from '../../node/onnxFile';
import { readModel } from '../../runs/modelPath';
import { commandOption, makeCommand, neededOption } from './command';
import { MODEL_FLAGS, modelOverrides } from './modelFlags';

/** Models for PyTorch and the libraries on it, and for ONNX. */
export const exportCommand = makeCommand({
  name: 'export',
  about:
    'write a model for PyTorch (safetensors, strict=True into the published one), or as transformers, timm or ONNX Runtime load it',
  operands: { shown: 'RUN|CHECKPOINT', least: 1, most: 1 },
  options: {
    out: neededOption(
      text('FILE|FOLDER', 'a file name that ends in .safetensors or .onnx, or a folder'),
      'the file to write; for huggingface and timm, a new or an empty folder',
    ),
    as: commandOption(
      choice('safetensors', 'huggingface', 'timm', 'onnx'),
      'safetensors',
      'its form: a file under the published names, a folder as transformers (from_pretrained) or timm (local-dir:) load it, ' +
        'or a graph for ONNX Runtime',
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
    const form = FORMS[as];
    if (form.ending === undefined) assertEmptyFolder(out);
    else assertNewFile(out, form.ending);
    const model = readModel(path, 'RUN');
    const { files, is, facts, report, notes } = form.write(model, part, modelOverrides(values));
    for (const [name, content] of files) writeWhole(join(out, name), content);
    console.log(`model     ${model.name}: ${describeLoad(report)}`);
    for (const each of facts.assumed ?? []) console.log(`assumed   ${each}`);
    for (const each of notes) console.log(`note      ${each}`);
    console.log(`written   ${out}: ${is}`);
    return 0;
  },
});

/** A form in which a model is written: a file with an ending, whose name is left out in `files`, or a folder of files. */
interface Form {
  readonly ending?: string;
  write(model: NamedFile, part: ExportedPart, overrides: ModelOverrides): ExportedFolder;
}

const FORMS: Readonly<Record<'safetensors' | 'huggingface' | 'timm' | 'onnx', Form>> = {
  safetensors: {
    ending: '.safetensors',
    write: (model, part, overrides) => {
      const { bytes, facts, report } = exportModel(model, part, overrides);
      const is = `${part}, ${counted(report.used.length, 'tensor')} in float32`;
      return { files: new Map([['', bytes]]), is, facts, report, notes: [] };
    },
  },
  huggingface: { write: folder(exportTransformers) },
  timm: { write: folder(exportTimm) },
  onnx: { ending: '.onnx', write: writeOnnx },
};

function folder(write: Form['write']): Form['write'] {
  return (model, part, overrides) => {
    const written = write(model, part, overrides);
    return { ...written, is: `${written.is}, ${[...written.files.keys()].join(', ')}` };
  };
}

function writeOnnx(model: NamedFile, part: ExportedPart, overrides: ModelOverrides): ExportedFolder {
  const { tensors, facts, metadata, report } = collectModel(model, part, overrides);
  const graph = 'branches' in facts ? maeGraph(tensors, facts.size, facts.branches) : encoderGraph(tensors, facts.size);
  const values = (all: readonly OnnxValue[]): string =>
    all.map(({ name, shape }) => `${name} [${shape.join(', ')}]`).join(', ');
  return {
    files: new Map([['', onnxFile(graph, metadata)]]),
    is: `${part}: ${values(graph.inputs)} → ${values(graph.outputs)}`,
    facts,
    report,
    notes: [`pixel_values are normalised: mean ${metadata['mean'] ?? ''}, deviation ${metadata['std'] ?? ''}`],
  };
}

/** @throws UserError (usage) where the file is called otherwise, is there already or can't be written */
function assertNewFile(out: string, ending: string): void {
  if (!out.endsWith(ending))
    throw new UserError(`--out: ${out} does not end in ${ending}, which is what is written. Name it so.`, {
      usage: true,
    });
  assertWritable('--out', out);
  if (existsSync(out))
    throw new UserError(
      `--out: there is a file ${out} already, which would be lost. Give another name, or delete it.`,
      { usage: true },
    );
}

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
