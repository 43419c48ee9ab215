import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../engine/engine';
import { gelu } from '../ops/gelu';
import { Graph } from '../tensor/graph';
import { testEngine } from '../testing/testEngine';
import { zeros } from './initializers';
import { Linear } from './linear';
import { Module, ModuleParameter } from './module';
import { Parameters } from './parameters';

class Inner extends Module {
  readonly lastLayer = new Linear(3, 2);
  readonly name = 'no parameter';
  readonly table = new ModuleParameter([5], zeros, { trained: false });
}

class Outer extends Module {
  readonly clsToken = new ModuleParameter([1, 3], zeros);
  readonly absent?: Linear;
  readonly decoderBlocks = [new Inner(), new Inner()];
}

describe('a module', () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await testEngine();
  });
  afterAll(() => {
    engine.dispose();
  });

  it('names its parameters by the paths of its fields, in their order', () => {
    const inner = ['last_layer.weight 2×3', 'last_layer.bias 2', 'table 5'];
    expect(new Outer().namedParameters().map(({ name, shape }) => `${name} ${shape.join('×')}`)).toEqual([
      'cls_token 1×3',
      ...inner.map((name) => `decoder_blocks.0.${name}`),
      ...inner.map((name) => `decoder_blocks.1.${name}`),
    ]);
  });

  it('is no use before it has memory, nor afterwards', () => {
    const graph = new Graph(engine);
    const outer = new Outer();
    const use = (): unknown => gelu(graph.use(outer.clsToken));
    expect(use).toThrow("Parameter 'parameter [1, 3]' has no memory yet. Give its model to engine.init(model)");
    const parameters = new Parameters(engine, 'model', outer);
    expect(outer.clsToken.name).toBe('cls_token');
    expect(use).not.toThrow();
    parameters.dispose();
    expect(use).toThrow("Parameter 'cls_token' has no memory yet.");
  });

  it('is not made of sizes that are none', () => {
    const unset = undefined as unknown as number; // as untyped callers have it
    expect(() => new Linear(unset, 3)).toThrow(
      "'parameter [3, undefined]' has shape [3, undefined]. Extents are whole",
    );
  });

  it('has memory once at a time', () => {
    const outer = new Outer();
    const parameters = new Parameters(engine, 'model', outer);
    expect(() => new Parameters(engine, 'again', outer)).toThrow("Parameter 'cls_token' has memory already.");
    parameters.dispose();
    new Parameters(engine, 'again', outer).dispose();
    expect(engine.pool.liveBuffers).toBe(0);
  });
});
