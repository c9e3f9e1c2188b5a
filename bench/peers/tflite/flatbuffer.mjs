/**
 * A TensorFlow Lite file: tensors, their data and operators as a FlatBuffer. Tables are written by the numbers of their
 * fields. flatc's classes of that schema would be some hundred generated files, of which this takes ten.
 *
 * @see https://github.com/google-ai-edge/LiteRT/blob/main/tflite/converter/schema/schema.fbs
 */

import { Builder } from 'flatbuffers';

/**
 * Opcodes, with the version of each that has the fields used here. @type {Readonly<Record<string, readonly [code:
 * number, version?: number]>>}
 */
const OPCODES = {
  ADD: [0],
  AVERAGE_POOL_2D: [1],
  CONCATENATION: [2],
  CONV_2D: [3],
  DEPTHWISE_CONV_2D: [4, 2],
  FULLY_CONNECTED: [9],
  LOGISTIC: [14],
  MAX_POOL_2D: [17],
  MUL: [18],
  RELU: [19],
  RELU6: [21],
  RESHAPE: [22],
  RESIZE_BILINEAR: [23, 3],
  PAD: [34],
  TRANSPOSE: [39],
  MEAN: [40],
  SUB: [41],
  SLICE: [65],
  RSQRT: [76],
  RESIZE_NEAREST_NEIGHBOR: [97],
  SQUARED_DIFFERENCE: [99],
  HARD_SWISH: [117],
  GELU: [150],
};

/** Types of elements. */
export const FLOAT32 = 0;
export const INT32 = 2;

/** Bytes before the alignment of the data that readers expect. */
const ALIGNMENT = 16;

/** @typedef {{ shape: readonly number[], type: number, data: Uint8Array | null }} Tensor */
/**
 * @typedef {{ type: number, fields: readonly (readonly [kind: 'byte' | 'int', value: number, unless?: number])[] }}
 * Options
 */
/** @typedef {{ opcode: string, inputs: number[], outputs: number[], options: Options | null }} Operator */

/**
 * The bytes of a model with one graph.
 *
 * @param {{ tensors: readonly Tensor[], operators: readonly Operator[], inputs: number[], outputs: number[] }} graph
 * @returns {Uint8Array}
 */
export function modelBytes({ tensors, operators, inputs, outputs }) {
  const size = tensors.reduce((sum, { data }) => sum + 256 + (data?.byteLength ?? 0), 2 ** 20);
  const b = new Builder(size);

  /** @param {readonly number[]} values @param {(value: number) => void} add */
  const vector = (values, add) => {
    b.startVector(4, values.length, 4);
    for (const value of [...values].reverse()) add(value);
    return b.endVector();
  };
  const ints = (/** @type {readonly number[]} */ values) => vector(values, (value) => b.addInt32(value));
  const offsets = (/** @type {readonly number[]} */ values) => vector(values, (value) => b.addOffset(value));
  /** @param {number} fields @param {() => void} write */
  const table = (fields, write) => {
    b.startObject(fields);
    write();
    return b.endObject();
  };

  const opcodes = [...new Set(operators.map(({ opcode }) => opcode))];
  const data = [null, ...tensors.filter((tensor) => tensor.data).map((tensor) => tensor.data)];
  const buffers = data.map((bytes) => {
    const values = bytes ? byteVector(b, bytes) : 0;
    return table(1, () => values && b.addFieldOffset(0, values, 0));
  });
  let buffer = 0;
  const tensorTables = tensors.map(({ shape, type, data }, i) => {
    const sizes = ints(shape);
    const name = b.createString(`t${i}`);
    return table(4, () => {
      b.addFieldOffset(0, sizes, 0);
      b.addFieldInt8(1, type, 0);
      b.addFieldInt32(2, data ? ++buffer : 0, 0);
      b.addFieldOffset(3, name, 0);
    });
  });
  const operatorTables = operators.map(({ opcode, inputs, outputs, options }) => {
    const [read, written] = [ints(inputs), ints(outputs)];
    const optionsTable = options && optionsOf(options);
    return table(5, () => {
      b.addFieldInt32(0, opcodes.indexOf(opcode), 0);
      b.addFieldOffset(1, read, 0);
      b.addFieldOffset(2, written, 0);
      if (!optionsTable) return;
      b.addFieldInt8(3, options.type, 0);
      b.addFieldOffset(4, optionsTable, 0);
    });
  });
  const codeTables = opcodes.map((opcode) => {
    const [code, version = 1] = OPCODES[opcode];
    return table(4, () => {
      // A byte, from when there were fewer; the last field has the code.
      b.addFieldInt8(0, Math.min(code, 127), 0);
      b.addFieldInt32(2, version, 1);
      b.addFieldInt32(3, code, 0);
    });
  });
  const parts = [offsets(tensorTables), ints(inputs), ints(outputs), offsets(operatorTables), b.createString('main')];
  const graph = table(5, () => {
    for (const [i, part] of parts.entries()) b.addFieldOffset(i, part, 0);
  });
  const codes = offsets(codeTables);
  const graphs = offsets([graph]);
  const description = b.createString('layertap-bench');
  const bufferTables = offsets(buffers);
  const model = table(5, () => {
    b.addFieldInt32(0, 3, 0);
    for (const [i, part] of [codes, graphs, description, bufferTables].entries()) b.addFieldOffset(i + 1, part, 0);
  });
  b.finish(model, 'TFL3');
  return b.asUint8Array();

  /** @param {Options} options */
  function optionsOf({ fields }) {
    return table(fields.length, () => {
      for (const [i, [kind, value, unless = 0]] of fields.entries()) {
        if (kind === 'byte') b.addFieldInt8(i, value, unless);
        else b.addFieldInt32(i, value, unless);
      }
    });
  }
}

/** A vector of bytes, copied at once. @param {Builder} b @param {Uint8Array} bytes @returns {number} */
function byteVector(b, bytes) {
  b.startVector(1, bytes.length, ALIGNMENT);
  b.space -= bytes.length;
  b.bb.setPosition(b.space);
  b.bb.bytes().set(bytes, b.space);
  return b.endVector();
}
