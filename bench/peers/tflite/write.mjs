/** A lowered program as a TensorFlow Lite model: NHWC, activations fused where operators take them. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { constantsOf, readFloats, readProgram, Unsupported } from '../../bundle.mjs';
import { nchwToNhwc } from '../../layout.mjs';
import { FLOAT32, INT32, modelBytes } from './flatbuffer.mjs';

/** @typedef {import('../../lower.mjs').LoweredNode} Node */
/** @typedef {import('./flatbuffer.mjs').Options} Options */

/** Activations that operators apply themselves, by their numbers. @type {Readonly<Record<string, number>>} */
const FUSED = { relu: 1, relu6: 3 };

const SAME = 0;
const VALID = 1;

/** @param {readonly number[]} shape */
const nhwc = (shape) => (shape.length === 4 ? [shape[0], shape[2], shape[3], shape[1]] : shape);

/** Permutations between `[N, C, H, W]` and `[N, H, W, C]`: the same bytes here. */
const TO_LAST = '0,2,3,1';
const TO_FIRST = '0,3,1,2';

/** @param {Record<string, any>} attrs @returns {boolean} */
const isPadded = ({ padding: { top, left, bottom, right } }) => top + left + bottom + right > 0;

/** @param {string} what @returns {never} */
function unsupported(what) {
  throw new Unsupported(`LiteRT has no ${what}`);
}

/** A graph under construction. */
class Graph {
  /** @type {import('./flatbuffer.mjs').Tensor[]} */
  tensors = [];
  /** @type {import('./flatbuffer.mjs').Operator[]} */
  operators = [];

  /** @param {readonly number[]} shape NHWC @returns {number} */
  value(shape) {
    return this.tensors.push({ shape, type: FLOAT32, data: null }) - 1;
  }

  /** @param {Float32Array | Int32Array} values @param {readonly number[]} shape @returns {number} */
  constant(values, shape) {
    const type = values instanceof Float32Array ? FLOAT32 : INT32;
    const data = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    return this.tensors.push({ shape, type, data }) - 1;
  }

  /**
   * @param {string} opcode @param {number[]} inputs @param {readonly number[]} shape NHWC, the output's
   * @param {Options | null} [options] @returns {number} the output
   */
  apply(opcode, inputs, shape, options = null) {
    const output = this.value(shape);
    this.operators.push({ opcode, inputs, outputs: [output], options });
    return output;
  }

  /** @param {number} x @param {readonly number[]} shape */
  reshape(x, shape) {
    return this.apply('RESHAPE', [x, this.constant(Int32Array.from(shape), [shape.length])], shape);
  }

  /** @param {number} x @param {readonly number[]} dims @param {readonly number[]} shape the output's */
  transpose(x, dims, shape) {
    return this.apply('TRANSPOSE', [x, this.constant(Int32Array.from(dims), [dims.length])], shape);
  }

  /** @param {number} x @param {{ top: number, left: number, bottom: number, right: number }} sides */
  pad(x, { top, left, bottom, right }) {
    const [images, height, width, channels] = this.tensors[x].shape;
    const sides = this.constant(Int32Array.of(0, 0, top, bottom, left, right, 0, 0), [4, 2]);
    const shape = [images, height + top + bottom, width + left + right, channels];
    return this.apply('PAD', [x, sides], shape, { type: 22, fields: [] });
  }
}

/** @typedef {{ graph: Graph, shape: readonly number[], fused: number, constants: any, isNonNegative: boolean }} More */

/** @param {number} fused @returns {Options} */
const mulOptions = (fused) => ({ type: 21, fields: [['byte', fused]] });
/** @param {number} fused @returns {Options} */
const addOptions = (fused) => ({
  type: 11,
  fields: [
    ['byte', fused],
    ['byte', 1, 1],
  ],
});

/**
 * A pooling's padding to where its last windows end: in ceil mode they may end later.
 *
 * @param {Record<string, any>} attrs @param {readonly number[]} input NHWC @param {readonly number[]} output NHWC
 */
function endsOf({ kernelSize, stride, padding }, [, height, width], output) {
  const { top, left } = padding;
  const bottom = Math.max(padding.bottom, (output[1] - 1) * stride[0] + kernelSize[0] - height - top);
  const right = Math.max(padding.right, (output[2] - 1) * stride[1] + kernelSize[1] - width - left);
  return { top, left, bottom, right };
}

/** @param {Node} node @param {number} x @param {More} more @param {'MAX_POOL_2D' | 'AVERAGE_POOL_2D'} opcode */
function pool({ attrs }, x, { graph, shape, fused }, opcode) {
  const { kernelSize, stride } = attrs;
  const sides = endsOf(attrs, graph.tensors[x].shape, shape);
  const padded = isPadded({ padding: sides }) ? graph.pad(x, sides) : x;
  const [strides, sizes] = [stride, kernelSize].map(([h, w]) => [/** @type {const} */ (['int', w]), ['int', h]]);
  return graph.apply(opcode, [padded], shape, {
    type: 5,
    fields: /** @type {any} */ ([['byte', VALID], ...strides, ...sizes, ['byte', fused]]),
  });
}

/**
 * How each op is written: from the node, its inputs and more, to its output. Operators in FUSING apply an activation.
 *
 * @type {Readonly<Record<string, (node: Node, inputs: number[], more: More) => number>>}
 */
const OPS = {
  conv2d({ attrs }, [x], { graph, shape, fused, constants: [weight, bias] }) {
    const { stride, padding, dilation, groups } = attrs;
    const [out, inputs, height, width] = weight.shape;
    const isSame =
      stride[0] === 1 &&
      stride[1] === 1 &&
      [height, width].every((size, i) => {
        const total = dilation[i] * (size - 1);
        const sides = i === 0 ? [padding.top, padding.bottom] : [padding.left, padding.right];
        return sides.every((side) => 2 * side === total);
      });
    const read = isPadded(attrs) && !isSame ? graph.pad(x, padding) : x;
    const isDepthwise = inputs === 1 && groups > 1;
    const filter = isDepthwise
      ? graph.constant(nchwToNhwc(weight.data, [1, out, height, width]), [1, height, width, out])
      : graph.constant(nchwToNhwc(weight.data, weight.shape), [out, height, width, inputs]);
    const b = graph.constant(bias.data, [out]);
    const strides = /** @type {const} */ ([
      ['byte', isSame ? SAME : VALID],
      ['int', stride[1]],
      ['int', stride[0]],
    ]);
    const rest = /** @type {const} */ ([
      ['byte', fused],
      ['int', dilation[1], 1],
      ['int', dilation[0], 1],
    ]);
    return isDepthwise
      ? graph.apply('DEPTHWISE_CONV_2D', [read, filter, b], shape, {
          type: 2,
          fields: [...strides, ['int', out / groups], ...rest],
        })
      : graph.apply('CONV_2D', [read, filter, b], shape, { type: 1, fields: [...strides, ...rest] });
  },
  linear(_node, [x], { graph, shape, fused, constants: [weight, bias] }) {
    const constants = [graph.constant(weight.data, weight.shape), graph.constant(bias.data, bias.shape)];
    return graph.apply('FULLY_CONNECTED', [x, ...constants], shape, {
      type: 8,
      fields: [
        ['byte', fused],
        ['byte', 0],
        ['byte', Number(shape.length > 2)],
      ],
    });
  },
  batch_norm(_node, [x], { graph, shape, fused, constants: [scale, shift] }) {
    const scaled = graph.apply('MUL', [x, graph.constant(scale.data, scale.shape)], shape, mulOptions(0));
    return graph.apply('ADD', [scaled, graph.constant(shift.data, shift.shape)], shape, addOptions(fused));
  },
  add: (_node, inputs, { graph, shape, fused }) => graph.apply('ADD', inputs, shape, addOptions(fused)),
  mul: (_node, inputs, { graph, shape, fused }) => graph.apply('MUL', inputs, shape, mulOptions(fused)),
  activation: (_node, [x]) => x,
  cat: (_node, inputs, { graph, shape }) =>
    graph.apply('CONCATENATION', inputs, shape, {
      type: 10,
      fields: [
        ['int', 3],
        ['byte', 0],
      ],
    }),
  max_pool2d(node, [x], more) {
    const { attrs } = node;
    if (attrs.dilation.some((/** @type {number} */ d) => d !== 1)) unsupported('dilated max pooling');
    // Its padding is zeros, PyTorch's −∞.
    const isLonger = attrs.ceilMode || isPadded(attrs);
    if (isLonger && !more.isNonNegative) unsupported('padded max pooling of negative values');
    return pool(node, x, more, 'MAX_POOL_2D');
  },
  avg_pool2d(node, [x], more) {
    const { attrs } = node;
    const { ceilMode, countIncludePad, divisorOverride } = attrs;
    if ((isPadded(attrs) && !countIncludePad) || ceilMode || divisorOverride) unsupported('such average pooling');
    return pool(node, x, more, 'AVERAGE_POOL_2D');
  },
  adaptive_avg_pool2d({ attrs }, [x], { graph, shape }) {
    if (attrs.outputSize.some((/** @type {number} */ size) => size !== 1)) unsupported('adaptive pooling');
    return graph.apply('MEAN', [x, graph.constant(Int32Array.of(1, 2), [2])], shape, {
      type: 27,
      fields: [['byte', 1]],
    });
  },
  flatten(_node, [x], { graph, shape }) {
    const [images, height, width, channels] = graph.tensors[x].shape;
    const planes = height * width === 1 ? x : graph.transpose(x, [0, 3, 1, 2], [images, channels, height, width]);
    return graph.reshape(planes, shape);
  },
  layer_norm({ attrs }, [x], { graph, shape, constants: [weight, bias] }) {
    const one = [...shape.slice(0, -1), 1];
    const axis = graph.constant(Int32Array.of(shape.length - 1), [1]);
    const mean = (/** @type {number} */ of) =>
      graph.apply('MEAN', [of, axis], one, { type: 27, fields: [['byte', 1]] });
    const middle = mean(x);
    const variance = mean(graph.apply('SQUARED_DIFFERENCE', [x, middle], shape, { type: 76, fields: [] }));
    const eps = graph.constant(Float32Array.of(attrs.eps), [1]);
    const scale = graph.apply('RSQRT', [graph.apply('ADD', [variance, eps], one, addOptions(0))], one);
    const centred = graph.apply('SUB', [x, middle], shape, { type: 28, fields: [['byte', 0]] });
    const unit = graph.apply('MUL', [centred, scale], shape, mulOptions(0));
    const scaled = graph.apply('MUL', [unit, graph.constant(weight.data, weight.shape)], shape, mulOptions(0));
    return graph.apply('ADD', [scaled, graph.constant(bias.data, bias.shape)], shape, addOptions(0));
  },
  permute({ attrs }, [x]) {
    if (![TO_LAST, TO_FIRST].includes(String(attrs.dims))) unsupported('such a permutation');
    return x;
  },
  slice({ attrs: { axis, start, step } }, [x], { graph, shape }) {
    if (axis !== 1 || step !== 1) unsupported('such a slice');
    const [begin, size] = [[0, 0, 0, start], shape].map((each) => graph.constant(Int32Array.from(each), [4]));
    return graph.apply('SLICE', [x, begin, size], shape);
  },
  channel_shuffle({ attrs: { groups } }, [x], { graph, shape }) {
    const [images, height, width, channels] = shape;
    const split = graph.reshape(x, [images * height * width, groups, channels / groups]);
    const swapped = graph.transpose(split, [0, 2, 1], [images * height * width, channels / groups, groups]);
    return graph.reshape(swapped, shape);
  },
  interpolate({ attrs }, [x], { graph, shape }) {
    const { mode, alignCorners } = attrs;
    const size = graph.constant(Int32Array.of(shape[1], shape[2]), [2]);
    if (mode === 'nearest') {
      const fields = /** @type {const} */ ([
        ['byte', 0],
        ['byte', 0],
      ]);
      return graph.apply('RESIZE_NEAREST_NEIGHBOR', [x, size], shape, { type: 74, fields });
    }
    const fields = /** @type {const} */ ([
      ['int', 0],
      ['int', 0],
      ['byte', Number(alignCorners)],
      ['byte', Number(!alignCorners)],
    ]);
    return graph.apply('RESIZE_BILINEAR', [x, size], shape, { type: 15, fields });
  },
};

/** Ops whose outputs aren't negative where no input is. */
const KEEPING_SIGNS = ['max_pool2d', 'avg_pool2d', 'adaptive_avg_pool2d', 'cat', 'slice', 'channel_shuffle', 'add'];

const FUSING = ['conv2d', 'linear', 'batch_norm', 'add', 'mul', 'max_pool2d', 'avg_pool2d'];

/**
 * Activations as operators of their own.
 *
 * @type {Readonly<Record<string, (graph: Graph, x: number, shape: readonly number[]) => number>>}
 */
const ACTIVATIONS = {
  relu: (graph, x, shape) => graph.apply('RELU', [x], shape),
  relu6: (graph, x, shape) => graph.apply('RELU6', [x], shape),
  hardswish: (graph, x, shape) => graph.apply('HARD_SWISH', [x], shape),
  hardsigmoid(graph, x, shape) {
    const [three, sixth] = [3, 1 / 6].map((value) => graph.constant(Float32Array.of(value), [1]));
    const ramp = graph.apply('ADD', [x, three], shape, addOptions(FUSED.relu6));
    return graph.apply('MUL', [ramp, sixth], shape, mulOptions(0));
  },
  sigmoid: (graph, x, shape) => graph.apply('LOGISTIC', [x], shape),
  silu: (graph, x, shape) => graph.apply('MUL', [x, graph.apply('LOGISTIC', [x], shape)], shape, mulOptions(0)),
  gelu: (graph, x, shape) => graph.apply('GELU', [x], shape),
};

/** Writes model.tflite. @param {string} folder a bundle's @throws {Unsupported} */
export function write(folder) {
  const program = readProgram(folder);
  const constants = constantsOf(folder, program);
  const graph = new Graph();
  const input = graph.value(nhwc(program.shapes[program.input]));
  const values = new Map([[program.input, input]]);
  /** Values that can't be negative. */
  const nonNegative = new Set(
    readFloats(join(folder, 'input.bin')).every((value) => value >= 0) ? [program.input] : [],
  );
  /** Values whose axes are in PyTorch's order here, too. */
  const asGiven = new Set();
  for (const node of program.nodes) {
    const { op, inputs, output, activation } = node;
    const write = OPS[op] ?? unsupported(op);
    const isAsGiven = op === 'permute' ? String(node.attrs.dims) === TO_LAST : inputs.some((x) => asGiven.has(x));
    if (isAsGiven) asGiven.add(output);
    const shape = isAsGiven ? program.shapes[output] : nhwc(program.shapes[output]);
    const fused = activation && FUSING.includes(op) ? (FUSED[activation] ?? 0) : 0;
    const own = [node.weight, node.bias].map((index) => (index === undefined ? null : constants[index]));
    const isNonNegative = inputs.every((value) => nonNegative.has(value));
    const read = inputs.map((value) => /** @type {number} */ (values.get(value)));
    let written = write(node, read, { graph, shape, fused, constants: own, isNonNegative });
    if (activation && !fused) written = ACTIVATIONS[activation](graph, written, shape);
    values.set(output, written);
    const isKept = KEEPING_SIGNS.includes(op) && activation === null && isNonNegative;
    if (activation === 'relu' || activation === 'relu6' || isKept) nonNegative.add(output);
  }
  const outputs = program.outputs.map(({ value }) => /** @type {number} */ (values.get(value)));
  const { tensors, operators } = graph;
  writeFileSync(join(folder, 'model.tflite'), modelBytes({ tensors, operators, inputs: [input], outputs }));
}
