import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { UserError } from '../common/userError';
import {
  OPSET,
  type OnnxAttribute,
  type OnnxConstant,
  type OnnxGraph,
  type OnnxNode,
  type OnnxValue,
} from '../imae/checkpoint/onnxGraph';

/*
 * A graph as an ONNX file: a ModelProto in protobuf's wire format. Numbers of fields and types are those of
 * https://github.com/onnx/onnx/blob/main/onnx/onnx.proto. Bytes are kept in pieces until the end, so that weights are copied once.
 */

/** Of the file's format: the one that came with opset 17. */
const IR_VERSION = 8;
/** Types of elements. */
const TYPES = { f32: 1, i64: 7 } as const;
/** Types of attributes. */
const [FLOAT, INT, INTS] = [1, 2, 7] as const;
/** Protobuf's bound. */
const MAX_BYTES = 2 ** 31 - 1;

/** A message, or a part of one. */
type Pieces = readonly Uint8Array[];

/**
 * The bytes of a graph's file.
 *
 * @param metadata what programs show of the model, and none needs
 * @throws UserError where it is larger than the format allows
 */
export function onnxFile(graph: OnnxGraph, metadata: Readonly<Record<string, string>>): Uint8Array {
  const body = [
    ...graph.nodes.flatMap((node) => message(1, nodeOf(node))),
    ...text(2, 'palimpsest'),
    ...graph.constants.flatMap((constant) => message(5, constantOf(constant))),
    ...graph.inputs.flatMap((value) => message(11, valueOf(value))),
    ...graph.outputs.flatMap((value) => message(12, valueOf(value))),
  ];
  const model = [
    ...integer(1, IR_VERSION),
    ...text(2, 'palimpsest'),
    ...message(7, body),
    ...message(8, integer(2, OPSET)), // of the domain '', ONNX's own
    ...Object.entries(metadata).flatMap(([key, value]) => message(14, [...text(1, key), ...text(2, value)])),
  ];
  const size = bytesOf(model);
  if (size > MAX_BYTES) {
    throw new UserError('The model is larger than 2 GiB, and an ONNX file of one piece is not. Give --part encoder.');
  }
  const file = new Uint8Array(size);
  let at = 0;
  for (const piece of model) {
    file.set(piece, at);
    at += piece.length;
  }
  return file;
}

function nodeOf({ operator, inputs, outputs, attributes }: OnnxNode): Pieces {
  return [
    ...inputs.flatMap((name) => text(1, name)),
    ...outputs.flatMap((name) => text(2, name)),
    ...text(3, outputs[0] ?? ''),
    ...text(4, operator),
    ...Object.entries(attributes).flatMap(([name, value]) => message(5, attributeOf(name, value))),
  ];
}

function attributeOf(name: string, value: OnnxAttribute): Pieces {
  if ('float' in value)
    return [
      ...text(1, name),
      new BinaryWriter().tag(2, WireType.Bit32).float(value.float).finish(),
      ...integer(20, FLOAT),
    ];
  if ('int' in value) return [...text(1, name), ...integer(3, value.int), ...integer(20, INT)];
  return [...text(1, name), ...value.ints.flatMap((each) => integer(8, each)), ...integer(20, INTS)];
}

function constantOf({ name, shape, data }: OnnxConstant): Pieces {
  return [
    ...shape.flatMap((side) => integer(1, side)),
    ...integer(2, data instanceof Float32Array ? TYPES.f32 : TYPES.i64),
    ...text(8, name),
    ...message(9, [new Uint8Array(data.buffer, data.byteOffset, data.byteLength)]), // raw_data: little-endian
  ];
}

function valueOf({ name, type, shape }: OnnxValue): Pieces {
  const sides = shape.flatMap((side) => message(1, typeof side === 'number' ? integer(1, side) : text(2, side)));
  const tensor = [...integer(1, TYPES[type]), ...message(2, sides)];
  return [...text(1, name), ...message(2, message(1, tensor))];
}

function message(field: number, content: Pieces): Pieces {
  return [new BinaryWriter().tag(field, WireType.LengthDelimited).uint32(bytesOf(content)).finish(), ...content];
}

function text(field: number, value: string): Pieces {
  return [new BinaryWriter().tag(field, WireType.LengthDelimited).string(value).finish()];
}

function integer(field: number, value: number): Pieces {
  return [new BinaryWriter().tag(field, WireType.Varint).int64(value).finish()];
}

function bytesOf(pieces: Pieces): number {
  return pieces.reduce((sum, { length }) => sum + length, 0);
}
