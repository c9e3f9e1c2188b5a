/**
 * @tensorflow/tfjs-backend-wasm (XNNPACK), by tfjs's functional ops: fused where it fuses, NHWC throughout (the input is
 * converted outside of the timing), each value disposed of after its last use.
 */

import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { setThreadsCount, setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { readFloats, readProgram, Unsupported } from '../bundle.mjs';
import { nchwToNhwc, oihwToHwio, transposed } from '../layout.mjs';

/** @typedef {import('../lower.mjs').LoweredNode} Node */

/** @param {{ top: number, left: number, bottom: number, right: number }} sides @returns {any} */
function padOf({ top, left, bottom, right }) {
  if (top === 0 && left === 0 && bottom === 0 && right === 0) return 'valid';
  if (top === left && top === bottom && top === right) return top;
  return [
    [0, 0],
    [top, bottom],
    [left, right],
    [0, 0],
  ];
}

/** @param {Node} node @param {any} value @returns {any} the value with the node's activation, in its place */
function activated({ activation }, value) {
  if (activation === null) return value;
  const y = activation === 'relu' ? tf.relu(value) : tf.relu6(value);
  value.dispose();
  return y;
}

/** @param {string} what @returns {never} */
function unsupported(what) {
  throw new Unsupported(`tfjs-wasm has no ${what}`);
}

/**
 * How each op runs: from the node, its inputs, weight and bias.
 *
 * @type {Readonly<Record<string, (node: Node, inputs: any[], weight: any, bias: any) => any>>}
 */
const OPS = {
  conv2d({ attrs, activation }, [x], filter, bias) {
    const { stride, padding, dilation, groups } = attrs;
    const pad = padOf(padding);
    const rest = { x, filter, bias, strides: stride, dilations: dilation, pad, activation: activation ?? 'linear' };
    const options = { ...rest, ...(pad !== 'valid' && { dimRoundingMode: 'floor' }) };
    return /** @type {any} */ (groups > 1 ? tf.fused.depthwiseConv2d : tf.fused.conv2d)(options);
  },
  linear: ({ activation }, [a], b, bias) => tf.fused.matMul({ a, b, bias, activation: activation ?? 'linear' }),
  batch_norm(node, [x], scale, shift) {
    const scaled = tf.mul(x, scale);
    const y = tf.add(scaled, shift);
    scaled.dispose();
    return activated(node, y);
  },
  add: (node, [a, b]) => activated(node, tf.add(a, b)),
  clamp: ({ activation }, [x]) => (activation === 'relu6' ? tf.relu6(x) : tf.relu(x)),
  cat: (_node, inputs) => tf.concat(inputs, 3),
  max_pool2d({ attrs }, [x]) {
    if (attrs.dilation.some((/** @type {number} */ d) => d !== 1)) unsupported('dilated max pooling');
    const { kernelSize, stride, padding, outputShape } = attrs;
    // With ceilMode a last window may begin where another pixel of padding is needed; with floor, less may be.
    const [, height, width] = x.shape;
    const bottom = (outputShape[2] - 1) * stride[0] + kernelSize[0] - height - padding.top;
    const right = (outputShape[3] - 1) * stride[1] + kernelSize[1] - width - padding.left;
    const pad = padOf({ ...padding, bottom: Math.max(0, bottom), right: Math.max(0, right) });
    return tf.maxPool(x, kernelSize, stride, pad);
  },
  avg_pool2d({ attrs }, [x]) {
    const { kernelSize, stride, padding, ceilMode, divisorOverride } = attrs;
    if (padOf(padding) !== 'valid' || ceilMode || divisorOverride) unsupported('average pooling with padding');
    return tf.avgPool(x, kernelSize, stride, 'valid');
  },
  adaptive_avg_pool2d({ attrs }, [x]) {
    if (attrs.outputSize.some((/** @type {number} */ size) => size !== 1))
      unsupported('adaptive pooling to more than 1×1');
    return tf.mean(x, [1, 2], true);
  },
  flatten(_node, [x]) {
    const [images, height, width, channels] = x.shape;
    if (height * width === 1) return tf.reshape(x, [images, channels]);
    const planes = tf.transpose(x, [0, 3, 1, 2]);
    const y = tf.reshape(planes, [images, -1]);
    planes.dispose();
    return y;
  },
  interpolate({ attrs }, [x]) {
    const { mode, alignCorners } = attrs;
    const size = attrs.outputShape.slice(2);
    if (mode === 'nearest') return tf.image.resizeNearestNeighbor(x, size);
    return tf.image.resizeBilinear(x, size, alignCorners, !alignCorners);
  },
};

/** @type {import('../subject.mjs').Load} */
export async function load({ folder, threads }) {
  const require = createRequire(import.meta.url);
  setWasmPaths(`${dirname(require.resolve('@tensorflow/tfjs-backend-wasm'))}/`);
  setThreadsCount(threads);
  await tf.setBackend('wasm');
  await tf.ready();

  const program = readProgram(folder);
  const block = readFloats(join(folder, 'constants.bin'));
  const steps = program.nodes.map((node) => {
    const run = OPS[node.op] ?? unsupported(node.op);
    const [weight, bias] = [node.weight, node.bias].map((index) => {
      if (index === undefined) return null;
      const { offset, shape } = program.constants[index];
      return constantOf(node, block.subarray(offset, offset + shape.reduce((a, b) => a * b, 1)), shape);
    });
    const attrs = { ...node.attrs, outputShape: program.shapes[node.output] };
    return { node, run: (/** @type {any[]} */ inputs) => run({ ...node, attrs }, inputs, weight, bias) };
  });
  const shape = program.shapes[program.input];
  const x = nchwToNhwc(readFloats(join(folder, 'input.bin')), shape);
  const nhwc = /** @type {[number, number, number, number]} */ ([shape[0], shape[2], shape[3], shape[1]]);

  /** After which step each value is disposed of. */
  const last = new Map(program.nodes.flatMap(({ inputs }, i) => inputs.map((value) => [value, i])));
  for (const { value } of program.outputs) last.delete(value);

  return {
    binary: 'simd',
    run() {
      /** @type {Map<number, any>} */
      const values = new Map([[program.input, tf.tensor4d(x, nhwc)]]);
      steps.forEach(({ node, run }, i) => {
        values.set(node.output, run(node.inputs.map((value) => values.get(value))));
        for (const value of new Set(node.inputs)) if (last.get(value) === i) values.get(value).dispose();
      });
      return program.outputs.map(({ value }) => {
        const tensor = values.get(value);
        const data = tensor.dataSync();
        tensor.dispose();
        return { data, layout: 'nhwc' };
      });
    },
  };
}

/** A constant as tfjs has it. @param {Node} node @param {Float32Array} data @param {readonly number[]} shape */
function constantOf({ op, attrs }, data, shape) {
  if (shape.length === 1) return tf.tensor1d(data);
  if (op === 'linear') return tf.tensor2d(transposed(data, 1, shape[0], shape[1]), [shape[1], shape[0]]);
  const [out, inputs, height, width] = shape;
  const hwio = oihwToHwio(data, shape);
  if (attrs.groups === 1) return tf.tensor4d(hwio, [height, width, inputs, out]);
  if (attrs.groups !== out || inputs !== 1) unsupported('grouped convolution');
  return tf.tensor4d(hwio, [height, width, out, 1]);
}
