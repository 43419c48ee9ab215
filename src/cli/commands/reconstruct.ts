import { UserError } from '../../common/userError';
import { describeAdapter } from '../../gpu/adapter';
import { visiblePatches, patchCount } from '../../imae/config/config';
import { describeLoaded } from '../../imae/checkpoint/loadReport';
import { maeParameters } from '../../imae/model/mae';
import { FREE_MASKS, freeMaskOf } from '../../imae/mask/maskOrders';
import { describeModel, type ModelFacts, type ModelOverrides } from '../../imae/checkpoint/modelFile';
import { choice, integer, nullable, number, text } from '../../imae/config/optionKinds';
import { errorWords, reconstructPictures, usualMaskRatio, type NamedPicture } from '../../imae/eval/reconstruction';
import type { NamedFile } from '../../imae/checkpoint/namedFile';
import { runName } from '../../imae/train/runFiles';
import { Viewer } from '../../imae/inspect/viewer';
import { openEngine } from '../../node/dawn';
import { assertWritable, writeWhole } from '../../node/durableFile';
import { readPicture } from '../../node/images/readPicture';
import { readModel } from '../../runs/modelPath';
import { panelsPng } from '../../node/picture';
import { commandOption, makeCommand, neededOption } from './command';
import { MODEL_FLAGS, modelOverrides } from './modelFlags';

/** i-MAE's demo on the user's own pictures. */
export const reconstructCommand = makeCommand({
  name: 'reconstruct',
  about: "i-MAE's demo on your pictures: a mixture taken apart, or one picture completed",
  operands: { shown: 'A.jpg [B.jpg]', least: 1, most: 2 },
  options: {
    checkpoint: neededOption(
      text('RUN|FILE', "a model's file or a run folder"),
      "the model: ours or a published one (.safetensors, .pth), or a run's last",
    ),
    alpha: commandOption(number({ min: 0, max: 1 }), 0.3, 'weight of A in the mixture; B has the rest'),
    'mask-ratio': commandOption(
      nullable(number({ above: 0, below: 1 }), 'auto'),
      null,
      'share of the patches that are hidden; as in training, else 0.5 (one picture: 0.75)',
    ),
    mask: commandOption(nullable(choice(...FREE_MASKS), 'auto'), null, 'what is hidden; as in training, else random'),
    seed: commandOption(integer({ min: 0, max: 0xffffffff }), 0, 'of the mask'),
    image: commandOption(
      nullable(integer({ min: 1 }), 'auto'),
      null,
      "side in pixels that pictures are scaled to; the model's own. Its positions are interpolated",
    ),
    out: commandOption(
      nullable(text('PICTURE.png', 'a file name that ends in .png'), 'runs/…'),
      null,
      'the picture to write',
    ),
    adapter: commandOption(text('NAME', 'a part of an adapter’s name'), 'any', 'GPU to run on, as in training'),
    ...MODEL_FLAGS,
  },
  examples: [
    'node train.js reconstruct cat.jpg dog.jpg --alpha 0.3 --checkpoint runs/2025-01-31_12-00-00-tiny-imagenet',
    'node train.js reconstruct cat.jpg --checkpoint mae_visualize_vit_base.pth --mask-ratio 0.75 --out cat.png',
  ],
  run: async (values, paths) => {
    const { alpha, seed, image } = values;
    const out = values.out ?? `runs/${runName(new Date(), 'reconstruct')}.png`;
    if (!out.endsWith('.png'))
      throw new UserError(`--out: ${out} does not end in .png, which is what is written. Name it so.`, { usage: true });
    assertWritable('--out', out);
    const model = readModel(values.checkpoint, '--checkpoint');
    const overrides = { ...modelOverrides(values), ...(image === null ? {} : { image }) };
    const { facts, notes, told } = modelFor(model, paths.length, overrides);
    const maskRatio = values['mask-ratio'] ?? usualMaskRatio(facts, paths.length);
    assertVisible(facts, maskRatio);
    const pictures = await Promise.all(paths.map((path) => readPicture(path, facts.size)));
    const engine = await openEngine({ adapterName: values.adapter });
    try {
      console.log(`adapter   ${describeAdapter(engine.info)}`);
      console.log(`model     ${describeLoaded(model, maeParameters(facts.size, facts.branches))}`);
      for (const note of notes) console.log(`assumed   ${note}`);
      const viewer = await Viewer.load(engine, model.file, model.name, { overrides: told });
      const { sheet, errors } = await reconstructPictures(viewer, pictures as [NamedPicture, NamedPicture?], {
        alpha,
        mask: values.mask ?? freeMaskOf(facts.mask),
        maskRatio,
        seed,
      });
      for (const { of, errors: found } of errors) console.log(`error     ${errorWords(of, found)}`);
      writeWhole(out, await panelsPng(sheet));
      console.log(`written   ${out}`);
      await viewer.dispose();
      return 0;
    } finally {
      engine.dispose();
    }
  },
});

interface Chosen {
  readonly facts: ModelFacts;
  /** What the viewer is to be told of the model. */
  readonly told: ModelOverrides;
  readonly notes: readonly string[];
}

/** @throws UserError where the model takes another number of pictures */
function modelFor({ name, file }: NamedFile, pictures: number, overrides: ModelOverrides): Chosen {
  const facts = describeModel(file, name, overrides);
  const notes = facts.assumed ?? [];
  const isImae = facts.branches === 2 || facts.phase === 'imae';
  if (isImae && pictures === 1) {
    throw new UserError(`${name} is an i-MAE: it takes a mixture apart. Give two pictures.`, { usage: true });
  }
  if (isImae || facts.phase !== undefined) return { facts, told: overrides, notes };
  // Of one branch, the tensors of an i-MAE are those of a vanilla MAE.
  const told = { ...overrides, phase: pictures === 2 ? 'imae' : 'mae' };
  const as =
    pictures === 2
      ? 'an i-MAE with one branch, since there are two pictures'
      : 'a vanilla MAE, since there is one picture';
  return { facts, told, notes: [...notes, as] };
}

function assertVisible({ size }: ModelFacts, maskRatio: number): void {
  const visible = visiblePatches(size, maskRatio);
  if (visible >= 1 && visible < patchCount(size)) return;
  throw new UserError(
    `--mask-ratio: ${maskRatio} leaves ${visible} of ${patchCount(size)} patches visible. At least one must be visible and at least one hidden.`,
    { usage: true },
  );
}
