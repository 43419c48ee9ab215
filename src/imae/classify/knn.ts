import type { TrainTest } from '../../data/imageSet';
import type { Engine } from '../../engine/engine';
import { f32 } from '../../engine/inputs';
import { pipeline } from '../../engine/pipeline';
import { matmul } from '../../ops/matmul';
import { exactExp } from '../../tensor/exactMath';
import { classificationOf, type Classification } from './classification';
import { assertClassifiable, extractFeatures, Featurer, type Pool, type Probed } from './features';
import type { NamedFile } from '../checkpoint/namedFile';

/** The settings of `runKnn`. */
export interface KnnSettings {
  readonly pool: Pool;
  /** Neighbours that vote. */
  readonly k: number;
  readonly batch: number;
  /** Of random weights. */
  readonly seed: number;
}

/** As Wu et al. 2018, but for their k of 200, which is for sets of a million images. */
export const KNN_DEFAULTS: KnnSettings = { pool: 'class', k: 20, batch: 256, seed: 0 };

/** A neighbour's vote is exactExp(similarity / this). */
const TEMPERATURE = 0.07;
/** What is multiplied at once, at most: rows of known features, and their bytes. */
const MOST_ROWS = 8192;
const MOST_BYTES = 2 ** 26;

/** What `runKnn` classifies: a model, data and settings. */
export interface KnnRun {
  readonly model: NamedFile;
  readonly probed: Probed;
  readonly data: TrainTest;
  readonly settings: KnnSettings;
}

/**
 * Classifies test images by their nearest training images, by the cosine of their features (Wu et al. 2018): nothing is
 * trained, so that it is a quick look at what features tell.
 *
 * @throws UserError where model and images don't fit
 */
export async function runKnn(engine: Engine, { model, probed, data, settings }: KnnRun): Promise<Classification> {
  const { train, test } = data;
  const featurer = Featurer.create(engine, model, probed, settings.pool, settings.seed);
  try {
    for (const set of [train, test]) assertClassifiable(set, featurer.size);
    const known = { features: await extractFeatures(engine, featurer, train, settings.batch), labels: train.labels };
    const asked = await extractFeatures(engine, featurer, test, settings.batch);
    const classes = train.classes.length;
    return classificationOf(
      await knnVotes(engine, known, asked, { width: featurer.width, classes, k: settings.k }),
      test.labels,
      classes,
    );
  } finally {
    featurer.dispose();
  }
}

/**
 * The votes of the `k` nearest of `known` for each class, exactExp(cosine / 0.07) each: [asked, classes]. Of equally near ones
 * the first count.
 *
 * @param known features [N, width] and a label each
 * @param asked features [M, width]
 * @param k all of `known`, where it has fewer
 */
export async function knnVotes(
  engine: Engine,
  known: { readonly features: Float32Array; readonly labels: ArrayLike<number> },
  asked: Float32Array,
  { width, classes, k }: { readonly width: number; readonly classes: number; readonly k: number },
): Promise<Float64Array> {
  const [knownUnit, askedUnit] = [unitRows(known.features, width), unitRows(asked, width)];
  const [knownCount, askedCount] = [known.features.length / width, asked.length / width];
  const chunk = Math.max(1, Math.min(knownCount, MOST_ROWS, Math.floor(MOST_BYTES / (4 * width))));
  const batch = Math.min(askedCount, 256);
  const nearest = Array.from({ length: askedCount }, () => new Nearest(Math.min(k, knownCount)));
  const program = await engine.compile(
    { asked: f32(batch, width), known: f32(chunk, width) },
    ({ asked: a, known: b }) => ({ cosines: matmul(a, b, 'nt') }),
  );
  const runs = Math.ceil(askedCount / batch);
  try {
    for (let first = 0; first < knownCount; first += chunk) {
      const inside = Math.min(chunk, knownCount - first);
      program.write({ known: rowsAt(knownUnit, first * width, chunk * width) });
      await pipeline(
        async (run) => {
          if (run === runs) return undefined;
          await program.run({ asked: rowsAt(askedUnit, run * batch * width, batch * width) });
          return { result: program.outputs.cosines.data() };
        },
        (found, run) => {
          for (const [row, best] of nearest.slice(run * batch, (run + 1) * batch).entries()) {
            best.offer(found.subarray(row * chunk, row * chunk + inside), first);
          }
        },
      );
    }
  } finally {
    program.dispose();
  }
  const votes = new Float64Array(askedCount * classes);
  for (const [row, { values, places }] of nearest.entries()) {
    for (const [i, place] of places.entries()) {
      const at = row * classes + (known.labels[place] as number);
      votes[at] = (votes[at] as number) + exactExp((values[i] as number) / TEMPERATURE);
    }
  }
  return votes;
}

/** So many numbers from a place on; zeros behind the last. */
function rowsAt(all: Float32Array, from: number, count: number): Float32Array {
  const rows = new Float32Array(count);
  rows.set(all.subarray(from, from + count));
  return rows;
}

/** Rows of length 1; one of zeros stays. */
function unitRows(rows: Float32Array, width: number): Float32Array {
  const unit = new Float32Array(rows.length);
  for (let at = 0; at < rows.length; at += width) {
    let squares = 0;
    for (let i = at; i < at + width; i++) squares += (rows[i] as number) * (rows[i] as number);
    const scale = squares > 0 ? 1 / Math.sqrt(squares) : 0;
    for (let i = at; i < at + width; i++) unit[i] = (rows[i] as number) * scale;
  }
  return unit;
}

/** The largest of many values, and where they stood, in descending order. */
class Nearest {
  readonly values: number[] = [];
  readonly places: number[] = [];

  constructor(private readonly k: number) {}

  /** @param first the place of the first of them */
  offer(candidates: Float32Array, first: number): void {
    const { values, places, k } = this;
    for (let i = 0; i < candidates.length; i++) {
      const value = candidates[i] as number;
      if (values.length === k && !(value > (values[k - 1] as number))) continue;
      let at = values.length;
      while (at > 0 && value > (values[at - 1] as number)) at--;
      values.splice(at, 0, value);
      places.splice(at, 0, first + i);
      values.length = Math.min(values.length, k);
      places.length = values.length;
    }
  }
}
