// Fits a line to points of y = 3x + 1 by gradient descent. main.ts calls it in a page, node.ts in Node: it is the same engine.
// To run it: npm run examples linearRegression, or npm run examples and the page linearRegression/
import { f32, Linear, mse, Sgd, type Engine } from 'palimpsest';

const POINTS = 64;
const STEPS = 100;

export async function fit(engine: Engine, log: (line: string) => void): Promise<void> {
  const xs = Float32Array.from({ length: POINTS }, (_, i) => i / POINTS);
  const ys = xs.map((x) => 3 * x + 1);

  const model = engine.init(new Linear(1, 1), { seed: 0 });
  const sgd = new Sgd(model, { learningRate: 0.1, momentum: 0.9 });
  const step = await engine.compile({ x: f32(POINTS, 1), y: f32(POINTS, 1) }, ({ x, y }) => {
    const loss = mse(model.forward(x), y);
    sgd.minimize(loss);
    return { loss };
  });

  for (let i = 0; i < STEPS; i++) {
    await step.run({ x: xs, y: ys });
    if (i % 20 === 0) log(`step ${i}: loss ${(await step.outputs.loss.item()).toFixed(5)}`);
  }
  const state = await model.stateDict();
  const [slope, offset] = ['weight', 'bias'].map((name) => state.get(name)?.data[0]?.toFixed(3));
  log(`y = ${slope}x + ${offset}`);
}
