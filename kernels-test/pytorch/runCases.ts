import type { Engine } from '../../src/engine/engine';
import { EngineError } from '../../src/gpu/errors';
import { add, mul, sum } from '../../src/index';
import { Graph } from '../../src/tensor/graph';
import type { TensorProgram } from '../../src/tensor/tensorProgram';
import { createTensor, disposeTensor, LastingTensor, Tensor, type DType } from '../../src/tensor/tensor';
import { difference } from './closeness';
import { golden, nameOf, resolve, type StoredCase, type StoredRefusal } from './goldens';
import { comparedOf, rulesOf } from './rules';

/** Any operation, as JavaScript calls it. */
export type Operation = (...operands: readonly unknown[]) => unknown;

/** A case as part of a program. */
interface RecordedCase {
  readonly stored: StoredCase;
  readonly outputs: readonly Tensor<DType>[];
  readonly lasting: readonly LastingTensor<DType>[];
  readonly gradients: readonly (Tensor | undefined)[];
}

/** Runs cases of one operation in one program. @returns what is wrong, one line a case that is */
export async function runCases(engine: Engine, operation: Operation, cases: readonly StoredCase[]): Promise<string[]> {
  const graph = new Graph(engine);
  const wrong: string[] = [];
  const recorded: RecordedCase[] = [];
  // SwiftShader's exp(NaN) is infinite, its log(0) −88: WGSL defines neither.
  const isFiniteOnly = /swiftshader/i.test(engine.info.description);
  for (const stored of cases) {
    if (isFiniteOnly && !isFinite(stored)) continue;
    try {
      recorded.push(recordCase(graph, operation, stored));
    } catch (error) {
      wrong.push(`${nameOf(stored)}: ${String(error)}`);
    }
  }
  const program = await graph.compile();
  try {
    program.run();
    const found = await Promise.all(
      recorded.map((each) =>
        compare(program, each).catch((error: unknown) => [`${nameOf(each.stored)}: ${String(error)}`]),
      ),
    );
    return [...wrong, ...found.flat()];
  } finally {
    program.dispose();
    for (const { lasting } of recorded) for (const tensor of lasting) disposeTensor(engine, tensor);
  }
}

/** Whether all numbers of a case are. */
function isFinite({ inputs, outputs, gradients = [] }: StoredCase): boolean {
  return [...inputs, ...outputs, ...gradients].every(({ data }) => data.every((each) => typeof each === 'number'));
}

function recordCase(graph: Graph, operation: Operation, stored: StoredCase): RecordedCase {
  const inputs = stored.inputs.map((input, number) => {
    const { shape, dtype, data } = golden(input);
    if (stored.lasting?.includes(number)) return createTensor(graph.engine, `input ${number}`, shape, dtype, data);
    const takes = stored.taking?.includes(number) ?? false;
    return graph.input(`input ${number}`, shape, dtype, data, takes);
  });
  const lasting = inputs.filter((input) => input instanceof LastingTensor);
  const result = operation(...stored.arguments.map((argument) => resolve(argument, inputs, graph)));
  const made = (Array.isArray(result) ? result : [result]) as readonly Tensor<DType>[];
  for (const output of made) if (!(output instanceof Tensor)) throw new Error('it gave no tensor');
  graph.output(...made);
  const outputs = [...made, ...lasting];
  if (!stored.dOutputs || !made.some(({ requiresGrad }) => requiresGrad)) {
    return { stored, outputs, lasting, gradients: (stored.gradients ?? []).map(() => undefined) };
  }
  const dOutputs = stored.dOutputs.map((given, number) => {
    const { shape, data } = golden(given);
    return graph.input(`d output ${number}`, shape, 'f32', data);
  });
  const [output, ...others] = made as readonly Tensor[]; // what takes gradients is made of floats
  if (others.length === 0) graph.backward(output as Tensor, dOutputs[0]);
  else {
    // Σ y·dy has the gradients dy: a tape is walked from one loss.
    const parts = made.map((y, number) => sum(mul(y as Tensor, dOutputs[number] as Tensor)) as Tensor);
    graph.backward(parts.reduce((total, part) => add(total, part)));
  }
  const gradients = (stored.taking ?? []).map((number) => gradientOf(graph, inputs[number] as Tensor));
  graph.output(...gradients.filter((gradient) => gradient !== undefined));
  return { stored, outputs, lasting, gradients };
}

/** The gradient of an input; undefined where none reached it. */
function gradientOf(graph: Graph, input: Tensor): Tensor | undefined {
  try {
    return graph.gradientOf(input);
  } catch (error) {
    if (error instanceof EngineError && error.message.includes('has no gradient')) return undefined;
    throw error;
  }
}

async function compare(program: TensorProgram, { stored, outputs, gradients }: RecordedCase): Promise<string[]> {
  const compared = comparedOf(stored.operation, stored.about);
  const rules = rulesOf(stored.operation);
  const wrong = compared.value ? [await compareOutputs(program, stored, outputs)] : [];
  for (const [place, wanted] of (compared.gradient ? (stored.gradients ?? []) : []).entries()) {
    const tensor = gradients[place];
    const right = golden(wanted);
    const found = tensor ? await program.read(tensor) : new Float32Array(right.data.length); // none is zero
    const what = difference(found, right, rules.gradient);
    if (what !== undefined) wrong.push(`gradient of input ${stored.taking?.[place] ?? ''} ${what}`);
  }
  return wrong.flatMap((what) => (what === undefined ? [] : [`${nameOf(stored)}: ${what}${values(stored)}`]));
}

async function compareOutputs(
  program: TensorProgram,
  stored: StoredCase,
  outputs: readonly Tensor<DType>[],
): Promise<string | undefined> {
  if (outputs.length !== stored.outputs.length) return `${outputs.length} outputs, not ${stored.outputs.length}`;
  for (const [place, wanted] of stored.outputs.entries()) {
    const output = outputs[place] as Tensor<DType>;
    const right = golden(wanted);
    if (output.shape.join() !== right.shape.join())
      return `shape [${output.shape.join()}], not [${right.shape.join()}]`;
    if (output.dtype !== right.dtype) return `it is of ${output.dtype}, not ${right.dtype}`;
    const found = await program.read(output);
    const what = difference(found, right, rulesOf(stored.operation).value);
    if (what !== undefined) return `output ${place} ${what}`;
  }
  return undefined;
}

/** The inputs of a small case, for messages. */
function values({ inputs }: StoredCase): string {
  const all = inputs.map(({ data }) => `[${data.join(' ')}]`).join(' ');
  return all.length <= 200 ? ` of ${all}` : '';
}

/** @returns what is wrong, one line a case that is not refused by an error that names the operation */
export function runRefusals(engine: Engine, operation: Operation, refusals: readonly StoredRefusal[]): string[] {
  return refusals.flatMap((stored) => {
    const graph = new Graph(engine);
    const inputs = stored.inputs.map(({ shape, dtype }, number) => graph.input(`input ${number}`, shape, dtype));
    try {
      operation(...stored.arguments.map((argument) => resolve(argument, inputs, graph)));
    } catch (error) {
      if (error instanceof EngineError && error.message.includes(stored.operation)) return [];
      return [`${nameOf(stored)}: refused by ${String(error)}`];
    }
    return [`${nameOf(stored)}: not refused`];
  });
}
