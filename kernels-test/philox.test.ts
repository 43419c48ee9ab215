import type { Engine } from '../src/engine/engine';
import { philoxFill, type PhiloxStream } from '../src/ops/philox';
import { Graph } from '../src/tensor/graph';
import type { TensorData } from '../src/tensor/tensor';
import { expectClose } from './allclose';
import * as reference from './philox.reference';
import { suite, type KernelTest } from './suite';

const ALL = 0xffffffff;

const STREAMS: readonly PhiloxStream[] = [
  { key: [0, 0], counter: [0, 0, 0] },
  { key: [ALL, ALL], counter: [ALL, ALL, ALL] },
  { key: [0xa4093822, 0x299f31d0], counter: [0x85a308d3, 0x13198a2e, 0x03707344] },
];

const COUNTS = [1, 3, 4, 255, 257, 4099];

async function fill(engine: Engine, count: number, stream: PhiloxStream): Promise<TensorData> {
  const graph = new Graph(engine);
  const words = philoxFill(graph, count, stream);
  graph.output(words);
  const program = await graph.compile();
  try {
    program.run();
    return await program.read(words);
  } finally {
    program.dispose();
  }
}

/** The answer that the generator's authors publish for a counter and key of zeros. */
const published: KernelTest = {
  name: 'the published words of zeros',
  run: async (engine) => {
    const words = await fill(engine, 4, { key: [0, 0], counter: [0, 0, 0] });
    expectClose('words', words, [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8], 0);
  },
};

const twins = STREAMS.flatMap((stream, index) =>
  COUNTS.map((count): KernelTest => ({
    name: `stream ${index}, ${count} words`,
    run: async (engine) => {
      expectClose('words', await fill(engine, count, stream), reference.philoxFill(count, stream), 0);
    },
  })),
);

export default suite('philox', [published, ...twins]);
