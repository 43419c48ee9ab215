import { mixImages } from '../src/ops/mixImages';
import { Graph } from '../src/tensor/graph';
import { expectClose, random } from './allclose';
import { mixed, type Mix } from './mixImages.reference';
import { refusalTest } from './expectBadShape';
import { suite, type KernelTest } from './suite';

const NONE = [0, 0, 0, 0] as const;
const COUNTER = [12345, 6, 7, 8] as const;

function mixTest(name: string, shape: readonly [number, number, number, number], mix: Mix): KernelTest {
  return {
    name: `${shape.join('×')}, ${name}`,
    run: async (engine) => {
      const graph = new Graph(engine);
      const images = random(shape, 1);
      const out = mixImages(graph.input('images', shape, 'f32', Float32Array.from(images.data)), {
        erased: graph.input('erased', [shape[0], 4], 'f32', Float32Array.from(mix.erased.flat())),
        mix: graph.input('mix', [5], 'f32', Float32Array.of(mix.lambda, ...mix.box)),
        counter: graph.input('counter', [4], 'u32', Uint32Array.from(mix.counter)),
      });
      graph.output(out);
      const program = await graph.compile();
      program.run();
      // WGSL's cosine may be 2⁻¹¹ off, its logarithm 2⁻²¹: only noise is that far from exact.
      const tolerance = mix.erased.some((box) => box !== NONE) ? 1e-3 : 1e-6;
      expectClose('out', await program.read(out), mixed(images, mix).data, tolerance);
      program.dispose();
    },
  };
}

export default suite('mixImages', [
  mixTest('nothing', [3, 3, 5, 7], { erased: [NONE, NONE, NONE], lambda: 1, box: NONE, counter: COUNTER }),
  mixTest('mixup', [3, 3, 5, 7], { erased: [NONE, NONE, NONE], lambda: 0.3, box: NONE, counter: COUNTER }),
  mixTest('cutmix', [4, 1, 17, 9], {
    erased: [NONE, NONE, NONE, NONE],
    lambda: 1,
    box: [3, 11, 0, 5],
    counter: COUNTER,
  }),
  mixTest('erasing', [2, 3, 9, 9], { erased: [[1, 5, 2, 9], NONE], lambda: 1, box: NONE, counter: COUNTER }),
  mixTest('erasing, then mixup', [3, 3, 9, 8], {
    erased: [[1, 5, 2, 8], NONE, [0, 9, 0, 1]],
    lambda: 0.7,
    box: NONE,
    counter: COUNTER,
  }),
  {
    name: 'noise is standard normal',
    run: async (engine) => {
      const graph = new Graph(engine);
      const shape = [1, 3, 64, 64];
      const out = mixImages(graph.input('images', shape), {
        erased: graph.input('erased', [1, 4], 'f32', Float32Array.of(0, 64, 0, 64)),
        mix: graph.input('mix', [5], 'f32', Float32Array.of(1, 0, 0, 0, 0)),
        counter: graph.input('counter', [4], 'u32', Uint32Array.of(...COUNTER)),
      });
      graph.output(out);
      const program = await graph.compile();
      program.run();
      const noise = Array.from(await program.read(out));
      const moment = (power: number): number => noise.reduce((sum, x) => sum + x ** power, 0) / noise.length;
      // Five standard errors, of 12,288 draws: √(1/n), √(2/n), √(96/n) for moments 1, 2 and 4.
      for (const [power, expected, variance] of [
        [1, 0, 1],
        [2, 1, 2],
        [4, 3, 96],
      ] as const) {
        const found = moment(power);
        if (!(Math.abs(found - expected) < 5 * Math.sqrt(variance / noise.length)))
          throw new Error(`moment ${power} is ${found}`);
      }
      program.dispose();
    },
  },
  refusalTest('boxes of another batch', 'erased has shape', (graph) =>
    mixImages(graph.input('images', [2, 3, 4, 4]), {
      erased: graph.input('erased', [3, 4]),
      mix: graph.input('mix', [5]),
      counter: graph.input('counter', [4], 'u32'),
    }),
  ),
]);
