import type { Engine } from '../../engine/engine';
import { Inspector, type AttentionMap, type Inspection } from './inspector';
import { normalise, type Blend, type Viewer } from './viewer';

/**
 * Looks into a viewer's model at the blends that it is given. A number of visible patches is compiled when it is asked
 * for; only the latest stays.
 */
export class BlendInspector {
  private inspector: Inspector | undefined;
  private layers = 0;
  private queue: Promise<void> = Promise.resolve();

  /** @param viewer stays its owner's, and is disposed after this */
  constructor(
    private readonly engine: Engine,
    private readonly viewer: Viewer,
  ) {}

  /** A call may come while others are under way. */
  inspect({ images, alpha, order, keep }: Blend): Promise<Inspection> {
    const { model, facts } = this.viewer;
    const [image1, image2] = images.map((pixels) => normalise(pixels, facts.normalisation)) as [
      Float32Array,
      Float32Array,
    ];
    return this.inTurn(async () => {
      if (this.inspector?.keep !== keep) {
        this.inspector?.dispose();
        this.inspector = undefined;
        this.inspector = await Inspector.create(this.engine, model, keep);
      }
      const inspection = await this.inspector.inspect({ image1, image2, alpha, order });
      this.layers = inspection.layers.length;
      return inspection;
    });
  }

  /**
   * What a token attends to in the blend inspected last: of each of the inspection's layers, undefined where the layer has
   * no token of that place.
   *
   * @param place of the image; undefined for the class token
   */
  attentionOf(place: number | undefined): Promise<(AttentionMap | undefined)[]> {
    return this.inTurn(async () =>
      Array.from({ length: this.layers }, (_, layer) => this.inspector?.attentionOf(layer, place)),
    );
  }

  /** Frees what it has on the GPU, after what is under way. */
  async dispose(): Promise<void> {
    await this.queue;
    this.inspector?.dispose();
    this.inspector = undefined;
    this.layers = 0;
  }

  /** One after the other: a program that is in use is neither written to nor let go of. */
  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.queue.then(work);
    this.queue = done.then(
      () => undefined,
      () => undefined, // thrown to who asked
    );
    return done;
  }
}
