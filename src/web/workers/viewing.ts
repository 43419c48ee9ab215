import { expose, transfer } from 'comlink';
import { makeShapes } from '../../data/shapes';
import { readTensorFile } from '../../formats/tensorFile';
import { UserError } from '../../common/userError';
import { describeAdapter } from '../../gpu/adapter';
import { completeModel } from '../../imae/checkpoint/modelConfig';
import { BlendInspector } from '../../imae/inspect/blendInspector';
import type { AttentionMap, Inspection } from '../../imae/inspect/inspector';
import { meanTarget } from '../../imae/eval/meanImage';
import { Viewer } from '../../imae/inspect/viewer';
import { pictureOf, type Picture } from '../../imae/inspect/viewerPictures';
import { openBrowserEngine } from '../device';
import type { ModelInHand } from '../page/currentModel';
import { sourceOf } from '../page/fileSource';
import type { InspectionQuestion, OpenedModel, RestoredImage, UnmixingQuestion, ViewingApi } from '../page/viewingApi';

/** Of how many images the mean image is, and up to which side it is drawn: that takes some 0.1 s. */
const AVERAGED = 256;
const LARGEST_AVERAGED = 64;

/** The page's model on the GPU. */
class ViewingWorker implements ViewingApi {
  /** Opened while the model is still on its way. */
  private readonly engine = openBrowserEngine();
  private viewer: Viewer | undefined;
  private inspector: BlendInspector | undefined;
  private id = 0;
  private mean: Promise<Float32Array> | undefined;

  constructor() {
    this.engine.catch(() => undefined); // thrown where a model is opened
  }

  async open({ name, content }: ModelInHand): Promise<OpenedModel> {
    const engine = await this.engine;
    const file = completeModel(readTensorFile(sourceOf(content, name), name), name);
    const viewer = await measured('open model', () => Viewer.load(engine, file, name));
    const { facts, task } = viewer;
    const { channels } = facts.size;
    if (channels !== 1 && channels !== 3) {
      await viewer.dispose();
      throw new UserError(`${name} is a model of images with ${channels} channels. This page shows those with 1 or 3.`);
    }
    const { viewer: before, inspector: inspectorBefore } = this;
    [this.viewer, this.inspector, this.mean] = [viewer, new BlendInspector(engine, viewer), undefined];
    const id = ++this.id;
    await inspectorBefore?.dispose();
    await before?.dispose();
    return { id, name, facts, task, adapter: describeAdapter(engine.info), software: engine.traits.software };
  }

  async takeApart({ model, builtIn, ...blend }: UnmixingQuestion): Promise<RestoredImage[]> {
    const { viewer } = this;
    if (!viewer || model !== this.id) return [];
    const { size, normalisation } = viewer.facts;
    const mean =
      builtIn && size.channels === 3 && size.image <= LARGEST_AVERAGED ? await this.meanOfShapes(viewer) : undefined;
    const reconstructions = await measured(`take apart, ${blend.keep} visible`, () => viewer.takeApart(blend, mean));
    const restored = reconstructions.map(({ of, errors, target, composite, raw }) => ({
      of,
      errors,
      composite: pictureOf(size, composite, target, normalisation),
      raw: pictureOf(size, raw, target, normalisation),
    }));
    return transfer(
      restored,
      restored.flatMap(({ composite, raw }) => [...buffersOf(composite), ...buffersOf(raw)]),
    );
  }

  async inspect({ model, ...blend }: InspectionQuestion): Promise<Inspection | undefined> {
    const { inspector } = this;
    if (!inspector || model !== this.id) return undefined;
    return await measured(`inspect, ${blend.keep} visible`, () => inspector.inspect(blend));
  }

  async attentionOf(model: number, place: number | undefined): Promise<(AttentionMap | undefined)[]> {
    return !this.inspector || model !== this.id ? [] : await this.inspector.attentionOf(place);
  }

  private meanOfShapes({ facts }: Viewer): Promise<Float32Array> {
    const { size, normalisation } = facts;
    this.mean ??= meanTarget(size, makeShapes({ count: AVERAGED, size: size.image, seed: 0 }), normalisation, facts);
    return this.mean;
  }
}

function buffersOf({ rgba, distances }: Picture): ArrayBuffer[] {
  return [rgba.buffer, distances.buffer];
}

/** Does some work, and leaves its duration among the browser's measurements. */
async function measured<T>(name: string, work: () => Promise<T>): Promise<T> {
  const start = performance.now();
  const result = await work();
  performance.measure(name, { start });
  return result;
}

expose(new ViewingWorker());
