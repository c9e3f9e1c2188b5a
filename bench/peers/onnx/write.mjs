/** A lowered program as an ONNX model. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import onnxProto from 'onnx-proto';
import { constantsOf, readProgram } from '../../bundle.mjs';
import { transposed } from '../../layout.mjs';

/** @typedef {import('../../lower.mjs').LoweredNode} Node */
/** @typedef {(opType: string, inputs: readonly string[], attributes?: readonly object[]) => string} Apply */

const { ModelProto, AttributeProto, TensorProto } = onnxProto.onnx;
const OPSET = 17;

/** @param {string} name @param {readonly number[]} ints */
const ints = (name, ints) => ({ name, type: AttributeProto.AttributeType.INTS, ints });
/** @param {string} name @param {number} i */
const int = (name, i) => ({ name, type: AttributeProto.AttributeType.INT, i });
/** @param {string} name @param {number} f */
const float = (name, f) => ({ name, type: AttributeProto.AttributeType.FLOAT, f });
/** @param {string} name @param {string} text */
const string = (name, text) => ({
  name,
  type: AttributeProto.AttributeType.STRING,
  s: new TextEncoder().encode(text),
});

/** @param {Record<string, any>} attrs a window's */
function windowOf({ stride, padding, dilation, ceilMode }) {
  const { top, left, bottom, right } = padding;
  const shared = [ints('strides', stride), ints('pads', [top, left, bottom, right]), ints('dilations', dilation)];
  return ceilMode ? [...shared, int('ceil_mode', 1)] : shared;
}

/**
 * How each op is written: from the node, its inputs, its weight and bias, to the name of the output.
 *
 * @type {Readonly<Record<string, (apply: Apply, node: Node, inputs: string[], more: any) => string>>}
 */
const OPS = {
  conv2d: (apply, { attrs }, [x], { weight, bias, weightShape }) =>
    apply(
      'Conv',
      [x, weight, bias],
      [...windowOf(attrs), ints('kernel_shape', weightShape.slice(2)), int('group', attrs.groups)],
    ),
  linear: (apply, _node, [x], { weight, bias, shape }) =>
    shape.length === 2
      ? apply('Gemm', [x, weight, bias], [int('transB', 1)])
      : apply('Add', [apply('MatMul', [x, weight]), bias]),
  layer_norm: (apply, { attrs }, [x], { weight, bias }) =>
    apply('LayerNormalization', [x, weight, bias], [int('axis', -1), float('epsilon', attrs.eps)]),
  permute: (apply, { attrs }, [x]) => apply('Transpose', [x], [ints('perm', attrs.dims)]),
  slice: (apply, { attrs: { axis, start, count, step } }, [x], { integers }) =>
    apply('Slice', [x, integers([start]), integers([start + count * step]), integers([axis]), integers([step])]),
  channel_shuffle(apply, { attrs: { groups } }, [x], { shape, integers }) {
    const [images, channels, height, width] = shape;
    const split = apply('Reshape', [x, integers([images, groups, channels / groups, height, width])]);
    const swapped = apply('Transpose', [split], [ints('perm', [0, 2, 1, 3, 4])]);
    return apply('Reshape', [swapped, integers(shape)]);
  },
  batch_norm: (apply, _node, [x], { weight, bias }) => apply('Add', [apply('Mul', [x, weight]), bias]),
  add: (apply, _node, inputs) => apply('Add', inputs),
  mul: (apply, _node, inputs) => apply('Mul', inputs),
  activation: (_apply, _node, [x]) => x,
  cat: (apply, _node, inputs) => apply('Concat', inputs, [int('axis', 1)]),
  max_pool2d: (apply, { attrs }, [x]) =>
    apply('MaxPool', [x], [...windowOf(attrs), ints('kernel_shape', attrs.kernelSize)]),
  avg_pool2d: (apply, { attrs }, [x]) => {
    const { dilation, ...window } = attrs;
    const strides = windowOf({ ...window, dilation: [1, 1] }).filter(({ name }) => name !== 'dilations');
    const include = int('count_include_pad', Number(attrs.countIncludePad));
    return apply('AveragePool', [x], [...strides, ints('kernel_shape', attrs.kernelSize), include]);
  },
  adaptive_avg_pool2d: (apply, _node, [x]) => apply('GlobalAveragePool', [x]),
  flatten: (apply, _node, [x]) => apply('Flatten', [x], [int('axis', 1)]),
  interpolate: (apply, { attrs }, [x], { sizes }) =>
    apply(
      'Resize',
      [x, '', '', sizes],
      [
        string('mode', attrs.mode === 'nearest' ? 'nearest' : 'linear'),
        string('coordinate_transformation_mode', coordinates(attrs)),
        string('nearest_mode', 'floor'),
      ],
    ),
};

/** @param {Record<string, any>} attrs */
function coordinates({ mode, alignCorners }) {
  if (mode === 'nearest') return 'asymmetric';
  return alignCorners ? 'align_corners' : 'pytorch_half_pixel';
}

/** @type {Readonly<Record<string, (apply: Apply, x: string, more: { scalar(value: number): string }) => string>>} */
const ACTIVATIONS = {
  relu: (apply, x) => apply('Relu', [x]),
  relu6: (apply, x, { scalar }) => apply('Clip', [x, scalar(0), scalar(6)]),
  hardswish: (apply, x) => apply('HardSwish', [x]),
  hardsigmoid: (apply, x) => apply('HardSigmoid', [x], [float('alpha', 1 / 6), float('beta', 0.5)]),
  sigmoid: (apply, x) => apply('Sigmoid', [x]),
  silu: (apply, x) => apply('Mul', [x, apply('Sigmoid', [x])]),
  // As PyTorch's exporter writes it, which ONNX Runtime finds and fuses.
  gelu(apply, x, { scalar }) {
    const erf = apply('Erf', [apply('Div', [x, scalar(Math.SQRT2)])]);
    return apply('Mul', [apply('Mul', [x, apply('Add', [erf, scalar(1)])]), scalar(0.5)]);
  },
};

/**
 * Writes model.onnx. Of a bundle without outputs' copies, each output is its first element.
 *
 * @param {string} folder a bundle's @param {{ isResident?: boolean }} [options]
 */
export function write(folder, { isResident = false } = {}) {
  const program = readProgram(folder);
  /** @type {object[]} */
  const node = [];
  /** @type {object[]} */
  const initializer = [];
  const [FLOAT, INT64] = [TensorProto.DataType.FLOAT, TensorProto.DataType.INT64];

  /** @type {Apply} */
  const apply = (opType, input, attribute = []) => {
    const output = `t${node.length}`;
    node.push({ opType, input, output: [output], attribute, name: `${opType}_${node.length}` });
    return output;
  };
  /** @param {Float32Array | BigInt64Array} values @param {readonly number[]} dims @returns {string} */
  const constant = (values, dims) => {
    const name = `c${initializer.length}`;
    const dataType = values instanceof Float32Array ? FLOAT : INT64;
    const rawData = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    initializer.push({ name, dims, dataType, rawData });
    return name;
  };
  /** @type {Map<number, string>} */
  const scalars = new Map();
  const scalar = (/** @type {number} */ value) => {
    const name = scalars.get(value) ?? constant(new Float32Array([value]), []);
    scalars.set(value, name);
    return name;
  };
  const integers = (/** @type {readonly number[]} */ values) =>
    constant(BigInt64Array.from(values, BigInt), [values.length]);

  const constants = constantsOf(folder, program);
  const values = new Map([[program.input, 'x']]);
  for (const each of program.nodes) {
    const { op, inputs, output, activation } = each;
    const write = OPS[op];
    if (!write) throw new RangeError(`bench: expected an op that ONNX is written for, got ${op}`);
    const more = {
      weightShape: each.weight === undefined ? null : constants[each.weight].shape,
      ...{ shape: program.shapes[output], integers },
      sizes: op === 'interpolate' ? integers(program.shapes[output]) : null,
    };
    const [weight, bias] = [each.weight, each.bias].map((index) => {
      if (index === undefined) return null;
      const { data, shape } = constants[index];
      if (op === 'linear' && index === each.weight && program.shapes[output].length > 2) {
        return constant(transposed(data, 1, shape[0], shape[1]), [...shape].reverse());
      }
      return constant(data, op === 'batch_norm' ? [...shape, 1, 1] : shape);
    });
    const read = inputs.map((value) => /** @type {string} */ (values.get(value)));
    let written = write(apply, each, read, { ...more, weight, bias });
    if (activation) written = ACTIVATIONS[activation](apply, written, { scalar });
    values.set(output, written);
  }

  const corner = isResident ? [integers([0, 0, 0, 0]), integers([1, 1, 1, 1])] : null;
  const outputs = program.outputs.map(({ name, value }) => {
    const written = /** @type {string} */ (values.get(value));
    const last = corner ? apply('Slice', [written, ...corner]) : apply('Identity', [written]);
    return { name, last, shape: corner ? [1, 1, 1, 1] : program.shapes[value] };
  });
  const graph = {
    name: 'program',
    node: [...node, ...outputs.map(({ name, last }) => ({ opType: 'Identity', input: [last], output: [name] }))],
    initializer,
    input: [valueInfo('x', program.shapes[program.input], FLOAT)],
    output: outputs.map(({ name, shape }) => valueInfo(name, shape, FLOAT)),
  };
  const opsetImport = [{ domain: '', version: OPSET }];
  const model = ModelProto.create({ irVersion: 8, producerName: 'layertap-bench', opsetImport, graph });
  writeFileSync(join(folder, 'model.onnx'), ModelProto.encode(model).finish());
}

/** @param {string} name @param {readonly number[]} shape @param {number} elemType */
function valueInfo(name, shape, elemType) {
  return { name, type: { tensorType: { elemType, shape: { dim: shape.map((dimValue) => ({ dimValue })) } } } };
}
