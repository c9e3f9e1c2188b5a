/**
 * A traced program as other runtimes take it: batch norm folded into the weights before it, activations by their names,
 * all else node by node with its constants in one block of floats. No model is defined twice.
 */

import { fuseEpilogues, scaleAndShift } from '../dist/internals.js';

/** @typedef {'relu' | 'relu6' | 'hardswish' | 'hardsigmoid' | 'sigmoid' | 'silu' | 'gelu' | null} Activation */

/**
 * One step. Values and constants are indices. Attributes are PyTorch's; windows have kernelSize, stride, padding
 * `{ top, left, bottom, right }`, dilation and ceilMode. The op `activation` does nothing beside it.
 *
 * @typedef {{
 *   op: string, inputs: number[], output: number, attrs: Record<string, any>,
 *   weight?: number, bias?: number, activation: Activation,
 * }} LoweredNode
 */

/**
 * @typedef {{
 *   input: number, outputs: { name: string, value: number }[], shapes: (readonly number[])[],
 *   nodes: LoweredNode[], constants: { offset: number, shape: readonly number[] }[],
 * }} Lowered a program: constants are in PyTorch's order, at `offset` floats of the block
 */

/** @param {any} activation an epilogue's, or null @returns {Activation} */
function activationOf(activation) {
  if (!activation) return null;
  const { kind, min, max } = activation;
  if (kind !== 'clamp') return kind;
  if (min === 0 && max === Infinity) return 'relu';
  if (min === 0 && max === 6) return 'relu6';
  throw new RangeError(`bench: expected relu or relu6, got ${JSON.stringify(activation)}`);
}

/**
 * @param {import('../dist/index.js').Program} program @param {readonly string[]} names the taps'
 * @returns {{ lowered: Lowered, block: Float32Array }}
 */
export function lower(program, names) {
  const fused = fuseEpilogues(program);
  /** @type {Map<object, number>} */
  const values = new Map();
  /** @type {(readonly number[])[]} */
  const shapes = [];
  /** @type {LoweredNode[]} */
  const nodes = [];
  /** @type {Lowered['constants']} */
  const constants = [];
  /** @type {Float32Array[]} */
  const parts = [];
  let offset = 0;

  /** @param {readonly number[]} shape */
  const newValue = (shape) => shapes.push(shape) - 1;
  /** @param {import('../dist/index.js').Value} value */
  const indexOf = (value) => {
    const index = values.get(value) ?? newValue(value.shape);
    values.set(value, index);
    return index;
  };
  /** @param {Float32Array} data @param {readonly number[]} shape */
  const constant = (data, shape) => {
    parts.push(data);
    offset += data.length;
    return constants.push({ offset: offset - data.length, shape }) - 1;
  };

  for (const { op, attrs: given, inputs, epilogue, output } of fused.nodes) {
    const { weight, bias, ...attrs } = /** @type {any} */ (given ?? {});
    const { norm, residual } = epilogue;
    // Pooling to the size that there is, and a concatenation of one: other runtimes would copy.
    if (['adaptive_avg_pool2d', 'cat'].includes(op.name) && String(inputs[0].shape) === String(output.shape)) {
      values.set(output, indexOf(inputs[0]));
      continue;
    }
    const read = inputs.map(indexOf);
    const residualInput = residual ? /** @type {number} */ (read.pop()) : null;
    const own = op.asEpiloguePart?.(given);
    const isActivation = own !== undefined && 'activation' in own;
    const activation = activationOf(isActivation ? own.activation : epilogue.activation);
    const sums = residualInput === null ? indexOf(output) : newValue(output.shape);
    /** @type {LoweredNode} */
    const node = { op: op.name, inputs: read, output: sums, attrs, activation: residual ? null : activation };
    if (isActivation) Object.assign(node, { op: 'activation', attrs: {} });
    // Of views, networks that are compared have this one.
    const [first] = inputs;
    if (op.name === 'reshape' && output.shape.length === 2 && output.shape[0] === first.shape[0]) {
      Object.assign(node, { op: 'flatten', attrs: {} });
    }
    if (op.name === 'batch_norm') {
      const { scale, shift } = scaleAndShift(/** @type {any} */ (given));
      Object.assign(node, {
        attrs: {},
        weight: constant(scale, [scale.length]),
        bias: constant(shift, [shift.length]),
      });
    } else if (weight) {
      const folded = fold(weight.values(), bias?.values() ?? null, norm, weight.shape[0]);
      node.weight = constant(folded.weight, weight.shape);
      node.bias = constant(folded.bias, [weight.shape[0]]);
    } else if (norm) throw new RangeError(`bench: expected batch norm after weights, got it after ${op.name}`);
    nodes.push(node);
    if (residualInput !== null) {
      nodes.push({ op: 'add', inputs: [sums, residualInput], output: indexOf(output), attrs: {}, activation });
    }
  }

  const block = new Float32Array(offset);
  parts.forEach((part, i) => {
    block.set(part, constants[i].offset);
  });
  const outputs = program.taps.map((tap, i) => ({ name: names[i], value: indexOf(tap) }));
  return { lowered: { input: indexOf(program.inputs[0]), outputs, shapes, nodes, constants }, block };
}

/**
 * Weights `[out, …]` and bias with the batch norm after them folded in.
 *
 * @param {Float32Array} weight @param {Float32Array | null} bias @param {any} norm @param {number} out
 */
function fold(weight, bias, norm, out) {
  if (!norm) return { weight, bias: bias ?? new Float32Array(out) };
  const { scale, shift } = scaleAndShift(norm);
  const row = weight.length / out;
  return {
    weight: weight.map((value, i) => value * scale[Math.floor(i / row)]),
    bias: shift.map((value, c) => value + (bias ? bias[c] * scale[c] : 0)),
  };
}
