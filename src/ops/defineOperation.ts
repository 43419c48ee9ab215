import type { ParamValues } from '../gpu/expression';
import { EngineError } from '../gpu/errors';
import { workgroupRow } from '../gpu/recording';
import { kernelsOf, type Kernel } from '../gpu/shader';
import { graphOf, type Graph } from '../tensor/graph';
import type { Shape } from '../tensor/shape';
import { takesGradients, type DType, type Tensor } from '../tensor/tensor';

/** The shape and type of a tensor that an operation makes. */
export interface TensorSpec {
  readonly shape: Shape;
  readonly dtype: DType;
}

/** A tensor of the shape and type of another. */
export function like({ shape, dtype }: Tensor<DType>): TensorSpec {
  return { shape, dtype };
}

/** Tensors by the names that a kernel binds them by. */
type Named<Names extends string> = Readonly<Record<Names, Tensor<DType>>>;

/** What a kernel may bind: inputs, outputs, and on the way back `dNAME`, the gradient of each. */
type Bound = Readonly<Record<string, Tensor<DType>>>;

/** An operation: one kernel forward, and one back where it has gradients. */
export interface OperationDefinition<I extends string, O extends string, Options> {
  /** Its kernels are `NAMEForward` and `NAMEBackward`. */
  readonly name: string;
  /** The text of its shader file: see docs/kernels.md. Kernels bind tensors by their names. */
  readonly shader: string;
  /** Names of its operands. */
  readonly inputs: readonly I[];
  /** The shapes of what it makes. It throws an `EngineError` where operands do not fit. */
  readonly forward: (inputs: Named<I>, options: Options) => Readonly<Record<O, TensorSpec>>;
  /** The operands that take gradients: the kernel on the way back writes `dNAME` of each. */
  readonly gradients?: readonly NoInfer<I>[];
  /** Run-time sizes, the fields of the kernels' uniform. `count`, where a kernel has it, is given: see `work`. */
  readonly uniforms?: (bound: Bound, options: Options) => Readonly<Record<string, number>>;
  /** Compile-time constants. */
  readonly params?: (bound: Bound, options: Options) => ParamValues;
  /**
   * Invocations that a kernel needs; by default one for each element of its first output, and on the way back of its first
   * gradient: that is `count`, too.
   */
  readonly work?: (bound: Bound, options: Options) => number;
}

/** An operation that was defined: from operands by name to what it makes by name. */
export type Operation<I extends string, O extends string, Options = undefined> = (
  inputs: Named<I>,
  ...options: undefined extends Options ? [options?: Options] : [options: Options]
) => Readonly<Record<O, Tensor>>;

/**
 * Defines an operation of one kernel each way. What needs more (several kernels, variants, work of its own) is a function like
 * those of this package: `graphOf` its operands, `dispatch`, `record`.
 *
 * @throws EngineError `bad-kernel` where the shader lacks a kernel
 */
export function defineOperation<const I extends string, const O extends string, Options = undefined>(
  definition: OperationDefinition<I, O, Options>,
): Operation<I, O, Options> {
  const { name, shader, inputs: names, gradients = [] } = definition;
  const [forwardName, backwardName] = [`${name}Forward`, `${name}Backward`];
  const kernels = kernelsOf(name, shader, gradients.length > 0 ? [forwardName, backwardName] : [forwardName]);

  return (inputs, ...[options]) => {
    const given = options as Options; // it may be left out only where Options allows it
    const unknown = Object.keys(inputs).find((input) => !names.some((known) => known === input));
    if (unknown !== undefined) {
      const fix = `Its operands are ${names.join(', ')}.`;
      throw new EngineError('bad-program', `${name}: it has no operand '${unknown}'.`, fix);
    }
    const graph = graphOf(name, ...names.map((input) => operand(name, inputs, input)));
    const specs = Object.entries<TensorSpec>(definition.forward(inputs, given));
    const takesAny = gradients.some((input) => inputs[input].requiresGrad);
    const outputs = Object.fromEntries(
      specs.map(([output, { shape, dtype }]) => [output, graph.empty(`${name} ${output}`, shape, dtype, takesAny)]),
    ) as Record<O, Tensor>; // one for each name of `forward`
    const made = Object.values<Tensor>(outputs);
    const bound = { ...inputs, ...outputs };
    dispatch(graph, kernels[forwardName] as Kernel, { definition, options: given, bound, first: made[0] });
    graph.record(name, made, (arrived) => {
      const upstream = Object.entries<Tensor>(outputs).map(
        ([output, tensor]) => [`d${output}`, arrived.of(tensor)] as const,
      );
      const downstream = gradients.map((input) => {
        const { shape, dtype } = inputs[input];
        return { input, gradient: graph.empty(`${name} d${input}`, shape, dtype) };
      });
      const back = {
        ...bound,
        ...Object.fromEntries(upstream.flatMap(([key, tensor]) => (tensor ? [[key, tensor]] : []))),
        ...Object.fromEntries(downstream.map(({ input, gradient }) => [`d${input}`, gradient])),
      };
      const first = downstream[0]?.gradient;
      dispatch(graph, kernels[backwardName] as Kernel, { definition, options: given, bound: back, first });
      for (const { input, gradient } of downstream) {
        const to: Tensor<DType> = inputs[input];
        if (takesGradients(to) && takesFloats(gradient)) arrived.pass(to, gradient);
      }
    });
    return outputs;
  };
}

function operand(operation: string, inputs: Bound, name: string): Tensor<DType> {
  const tensor = inputs[name];
  if (tensor) return tensor;
  const fix = `It takes ${Object.keys(inputs).length > 0 ? 'tensors by these names' : 'an object of tensors'}.`;
  throw new EngineError('bad-program', `${operation}: '${name}' was not given.`, fix);
}

/** A gradient is of its operand's type, which is one that takes gradients. */
function takesFloats(tensor: Tensor<DType>): tensor is Tensor {
  return tensor.dtype === 'f32' || tensor.dtype === 'f16';
}

interface Call<Options> {
  readonly definition: Pick<OperationDefinition<never, never, Options>, 'uniforms' | 'params' | 'work'>;
  readonly options: Options;
  readonly bound: Bound;
  /** Whose elements are counted. */
  readonly first: Tensor<DType> | undefined;
}

/** Appends a kernel, with what it binds of all there is. */
function dispatch<Options>(graph: Graph, kernel: Kernel, { definition, options, bound, first }: Call<Options>): void {
  const chosen = definition.params?.(bound, options) ?? {};
  const params = Object.fromEntries(Object.entries(chosen).filter(([name]) => kernel.params.has(name)));
  const { code, bindings, uniforms: fields } = kernel.specialize(params);
  const count = definition.work?.(bound, options) ?? first?.size ?? 0;
  const values: Readonly<Record<string, number>> = { count, ...definition.uniforms?.(bound, options) };
  const wanted = bindings.filter(({ access }) => access !== 'uniform').map(({ name }) => name);
  graph.dispatch({
    kernel,
    params,
    uniforms: Object.fromEntries(
      fields.flatMap(({ name }) => (name in values ? [[name, values[name] as number]] : [])),
    ),
    bindings: Object.fromEntries(wanted.flatMap((name) => (bound[name] ? [[name, bound[name]]] : []))),
    workgroups: workgroupRow(Math.ceil(count / workgroupSize(code))),
  });
}

/** Invocations of a workgroup. */
function workgroupSize(code: string): number {
  const extents = /@workgroup_size\(([^)]*)\)/.exec(code)?.[1]?.split(',') ?? [];
  return extents.reduce((product, extent) => product * (parseInt(extent, 10) || 1), 1);
}
