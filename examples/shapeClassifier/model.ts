// The convolutional network that tells shapes apart, and how it is trained.
// To run it: npm run examples, and the page shapeClassifier/
import { Conv2d, flatten, Linear, MaxPool2d, relu, Sequential } from 'palimpsest';

export const KINDS = ['disc', 'square', 'triangle'];
export const SIZE = 16;
export const [BATCH, STEPS] = [16, 120];
export const RECIPE = { learningRate: { peak: 5e-3, minimum: 0, warmupSteps: 5, steps: STEPS } };

/** Of [B, 1, SIZE, SIZE] it makes logits of kinds: [B, KINDS]. */
export function shapeClassifier(): Sequential {
  return new Sequential(
    ...[new Conv2d(1, 8, 3, { padding: 1 }), relu, new MaxPool2d(2)], // [B, 8, 8, 8]
    ...[new Conv2d(8, 16, 3, { padding: 1 }), relu, new MaxPool2d(2)], // [B, 16, 4, 4]
    (x) => flatten(x, 1),
    new Linear(16 * 4 * 4, KINDS.length),
  );
}
