/*
 * ONNX models of a few nodes, written as protocol buffers field by field: ONNX Runtime runs nothing else.
 * https://github.com/onnx/onnx/blob/main/onnx/onnx.proto names the fields and their numbers.
 */

export interface OnnxNode {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Whole numbers or fractions, as the operator declares them. */
  readonly attributes?: Readonly<Record<string, { readonly int: number } | { readonly float: number }>>;
  /** Whose operator it is, where not ONNX's own. */
  readonly domain?: string;
}

export type Shapes = Readonly<Record<string, readonly number[]>>;

const IR_VERSION = 9;
/** The first with Gelu. */
const OPSET = 20;
const MICROSOFT = 'com.microsoft';
const FLOAT = 1;
const ATTRIBUTE_FLOAT = 1;
const ATTRIBUTE_INT = 2;

/** A model of f32 tensors. */
export function onnxModel(nodes: readonly OnnxNode[], inputs: Shapes, outputs: Shapes): Uint8Array {
  const graph = [
    ...nodes.flatMap((node) => message(1, nodeBytes(node))),
    ...text(2, 'graph'),
    ...Object.entries(inputs).flatMap(([name, shape]) => message(11, valueBytes(name, shape))),
    ...Object.entries(outputs).flatMap(([name, shape]) => message(12, valueBytes(name, shape))),
  ];
  return Uint8Array.from([
    ...whole(1, IR_VERSION),
    ...message(7, graph),
    ...message(8, whole(2, OPSET)),
    ...message(8, [...text(1, MICROSOFT), ...whole(2, 1)]),
  ]);
}

function nodeBytes({ op, inputs, outputs, attributes = {}, domain }: OnnxNode): number[] {
  return [
    ...inputs.flatMap((name) => text(1, name)),
    ...outputs.flatMap((name) => text(2, name)),
    ...text(4, op),
    ...Object.entries(attributes).flatMap(([name, value]) =>
      message(5, [
        ...text(1, name),
        ...('int' in value
          ? [...whole(3, value.int), ...whole(20, ATTRIBUTE_INT)]
          : [...fraction(2, value.float), ...whole(20, ATTRIBUTE_FLOAT)]),
      ]),
    ),
    ...(domain === undefined ? [] : text(7, domain)),
  ];
}

function valueBytes(name: string, shape: readonly number[]): number[] {
  const extents = shape.flatMap((extent) => message(1, whole(1, extent)));
  return [...text(1, name), ...message(2, message(1, [...whole(1, FLOAT), ...message(2, extents)]))];
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))];
}

const whole = (field: number, value: number): number[] => [...varint(field * 8), ...varint(value)];
const message = (field: number, bytes: readonly number[]): number[] => [
  ...varint(field * 8 + 2),
  ...varint(bytes.length),
  ...bytes,
];
const text = (field: number, value: string): number[] => message(field, [...new TextEncoder().encode(value)]);
const fraction = (field: number, value: number): number[] => [
  ...varint(field * 8 + 5),
  ...new Uint8Array(Float32Array.of(value).buffer),
];
