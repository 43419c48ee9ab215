import { describeClasses } from '../data/sources/fileTree';
import type { LoadWatcher } from '../data/sources/fileSet';
import { createProgress, type Progress } from './progress';
import type { LoadedData } from './trainingInputs';

/** Shows how far images are decoded. */
export function showLoading(progress: Progress): LoadWatcher {
  return {
    note: (text) => progress.note('data', text),
    begin: (what, images) => progress.phase('decode', images, 0, what),
    done: (images) => progress.step(images),
  };
}

/** Loads images, shows how far it is, and names the files that are passed over, when they are met. */
export async function loadShown(load: (watcher: LoadWatcher) => Promise<LoadedData>): Promise<LoadedData> {
  const progress = createProgress({ logEvery: 1 });
  try {
    const data = await load(showLoading(progress));
    progress.stop();
    progress.note('data', describeClasses(data.train.classes, data.train.labels));
    const { broken } = data;
    if (broken) {
      const say: typeof broken.listener = ({ path, why }) =>
        progress.note('broken', `${path}: ${why}; another image of its class is in its place`);
      broken.all.forEach(say);
      broken.listener = say;
    }
    return data;
  } finally {
    progress.stop();
  }
}
