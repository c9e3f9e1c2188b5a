/**
 * @tensorflow/tfjs-backend-wasm (XNNPACK), by tfjs's functional ops: fused where it fuses, NHWC throughout, each value
 *   disposed
 * of after its last use.
 */

import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { setThreadsCount, setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { constantsOf, readFloats, readProgram, Unsupported } from '../bundle.mjs';

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

/** x·relu6(x + 3) / 6, or without the first factor: tfjs has neither. @param {any} x @param {boolean} isProduct */
function hardRamp(x, isProduct) {
  return tf.tidy(() => {
    const ramp = tf.mul(tf.relu6(tf.add(x, 3)), 1 / 6);
    return isProduct ? tf.mul(x, ramp) : ramp;
  });
}

/** @type {Readonly<Record<string, (x: any) => any>>} */
const ACTIVATIONS = {
  relu: tf.relu,
  relu6: tf.relu6,
  hardswish: (x) => hardRamp(x, true),
  hardsigmoid: (x) => hardRamp(x, false),
  sigmoid: tf.sigmoid,
  silu: (x) => tf.tidy(() => tf.mul(x, tf.sigmoid(x))),
  gelu: (x) => tf.tidy(() => tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1))),
};

/** @param {Node} node @param {any} value @returns {any} the value with the node's activation, in its place */
function activated({ activation }, value) {
  if (activation === null) return value;
  const y = ACTIVATIONS[activation](value);
  value.dispose();
  return y;
}

/** The activation that tfjs's own kernels apply. @param {Node} node @returns {any} */
const fusedActivation = ({ activation }) => (isFused(activation) ? activation : 'linear');
const isFused = (/** @type {string | null} */ activation) => activation === 'relu' || activation === 'relu6';

/** @param {Node} node @param {any} value the output of a kernel with {@link fusedActivation} */
const activatedAfter = (node, value) => (isFused(node.activation) ? value : activated(node, value));

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
  conv2d(node, [x], filter, bias) {
    const { stride, padding, dilation, groups } = node.attrs;
    const pad = padOf(padding);
    const rest = { x, filter, bias, strides: stride, dilations: dilation, pad, activation: fusedActivation(node) };
    const options = { ...rest, ...(pad !== 'valid' && { dimRoundingMode: 'floor' }) };
    return activatedAfter(node, /** @type {any} */ (groups > 1 ? tf.fused.depthwiseConv2d : tf.fused.conv2d)(options));
  },
  linear(node, [x], b, bias) {
    const a = x.rank === 2 ? x : tf.reshape(x, [-1, x.shape.at(-1)]);
    const y = tf.fused.matMul({ a, b, bias, activation: fusedActivation(node) });
    if (a === x) return activatedAfter(node, y);
    const shaped = tf.reshape(y, [...x.shape.slice(0, -1), y.shape[1]]);
    a.dispose();
    y.dispose();
    return activatedAfter(node, shaped);
  },
  layer_norm: ({ attrs }, [x], weight, bias) =>
    tf.tidy(() => {
      const { mean, variance } = tf.moments(x, -1, true);
      const scale = tf.rsqrt(tf.add(variance, attrs.eps));
      return tf.add(tf.mul(tf.mul(tf.sub(x, mean), scale), weight), bias);
    }),
  permute({ attrs }, [x]) {
    // Between [N, C, H, W] and [N, H, W, C]: the same bytes here.
    if (!['0,2,3,1', '0,3,1,2'].includes(String(attrs.dims))) unsupported('such a permutation');
    return x.clone();
  },
  slice({ attrs: { axis, start, step, outputShape } }, [x]) {
    if (axis !== 1 || step !== 1) unsupported('such a slice');
    return tf.slice(x, [0, 0, 0, start], [...x.shape.slice(0, 3), outputShape[1]]);
  },
  channel_shuffle: ({ attrs: { groups } }, [x]) =>
    tf.tidy(() => {
      const channels = x.shape[3];
      const split = tf.reshape(x, [-1, groups, channels / groups]);
      return tf.reshape(tf.transpose(split, [0, 2, 1]), x.shape);
    }),
  batch_norm(node, [x], scale, shift) {
    const scaled = tf.mul(x, scale);
    const y = tf.add(scaled, shift);
    scaled.dispose();
    return activated(node, y);
  },
  add: (node, [a, b]) => activated(node, tf.add(a, b)),
  mul: (node, [a, b]) => activated(node, tf.mul(a, b)),
  activation: ({ activation }, [x]) => ACTIVATIONS[/** @type {string} */ (activation)](x),
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
    const { kernelSize, stride, padding, ceilMode, countIncludePad, divisorOverride } = attrs;
    const pad = padOf(padding);
    if ((pad !== 'valid' && !countIncludePad) || ceilMode || divisorOverride) unsupported('such average pooling');
    if (pad === 'valid') return tf.avgPool(x, kernelSize, stride, 'valid');
    const { top, left, bottom, right } = padding;
    return tf.tidy(() => {
      const padded = tf.pad(x, [
        [0, 0],
        [top, bottom],
        [left, right],
        [0, 0],
      ]);
      return tf.avgPool(padded, kernelSize, stride, 'valid');
    });
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
export async function load({ folder, threads, isResident }) {
  const require = createRequire(import.meta.url);
  setWasmPaths(`${dirname(require.resolve('@tensorflow/tfjs-backend-wasm'))}/`);
  setThreadsCount(threads);
  await tf.setBackend('wasm');
  await tf.ready();

  const program = readProgram(folder);
  const constants = constantsOf(folder, program, 'tfjs.bin');
  const steps = program.nodes.map((node) => {
    const run = OPS[node.op] ?? unsupported(node.op);
    const [weight, bias] = [node.weight, node.bias].map((index) =>
      index === undefined ? null : constantOf(node, constants[index]),
    );
    const attrs = { ...node.attrs, outputShape: program.shapes[node.output] };
    return { node, run: (/** @type {any[]} */ inputs) => run({ ...node, attrs }, inputs, weight, bias) };
  });
  const [images, channels, height, width] = program.shapes[program.input];
  const x = readFloats(join(folder, 'input-nhwc.bin'));
  const uploaded = () => tf.tensor4d(x, [images, height, width, channels]);
  const resident = isResident ? uploaded() : null;

  /** After which step each value is disposed of. */
  const last = new Map(program.nodes.flatMap(({ inputs }, i) => inputs.map((value) => [value, i])));
  for (const { value } of program.outputs) last.delete(value);
  if (resident) last.delete(program.input);

  return {
    binary: 'simd',
    run() {
      /** @type {Map<number, any>} */
      const values = new Map([[program.input, resident ?? uploaded()]]);
      steps.forEach(({ node, run }, i) => {
        values.set(node.output, run(node.inputs.map((value) => values.get(value))));
        for (const value of new Set(node.inputs)) if (last.get(value) === i) values.get(value).dispose();
      });
      return program.outputs.map(({ value }) => {
        const tensor = values.get(value);
        const data = isResident ? NOTHING : tensor.dataSync();
        tensor.dispose();
        return { data, layout: 'nhwc' };
      });
    },
  };
}

const NOTHING = new Float32Array(0);

/** A constant as tfjs has it. @param {Node} node @param {{ data: Float32Array, shape: readonly number[] }} constant */
function constantOf({ op, attrs }, { data, shape }) {
  if (shape.length === 1) return tf.tensor1d(data);
  if (op === 'linear') return tf.tensor2d(data, [shape[1], shape[0]]);
  const [out, inputs, height, width] = shape;
  if (attrs.groups === 1) return tf.tensor4d(data, [height, width, inputs, out]);
  if (attrs.groups !== out || inputs !== 1) unsupported('grouped convolution');
  return tf.tensor4d(data, [height, width, out, 1]);
}
