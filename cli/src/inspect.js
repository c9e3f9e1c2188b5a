/**
 * `layertap inspect`: a model's children, which of them are kept for some layers, and what they cost. Needs no
 * weights.
 */

import { Graph, IntermediateLayerGetter, macsOf, Value } from 'layertap';
import { buildModel } from './models.js';
import { bytesText, countText, shapeText, table } from './print.js';

/** @typedef {import('layertap').Module<any>} Module */

/**
 * @typedef {object} InspectOptions
 * @property {string} model
 * @property {Record<string, unknown>} modelOptions
 * @property {Map<string, string>} [layers]
 * @property {{ height: number, width: number }} size
 */

/**
 * @typedef {object} Child
 * @property {string} name
 * @property {string} type
 * @property {boolean} kept
 * @property {readonly number[] | Record<string, readonly number[]> | null} shape null where it is dropped
 * @property {number} parameters
 * @property {number | null} macs multiply-accumulates
 * @property {number | null} bytes of its output as float32
 */

/**
 * Describes a model. Without layers, all children are kept, and run as the model's own forward runs them.
 *
 * @param {InspectOptions} options
 * @returns {import('./program.js').Outcome}
 */
export function inspect({ model: name, modelOptions, layers, size }) {
  const model = buildModel(name, modelOptions);
  const input = [1, 3, size.height, size.width];
  const getter = layers ? new IntermediateLayerGetter(model, layers) : null;
  const children = traceChildren(model, getter, input);
  const features = (getter?.featureInfo(input) ?? []).map(({ name: feature, module, ...rest }) => ({
    name: String(feature),
    layer: module,
    ...rest,
  }));
  const total = (/** @type {readonly Child[]} */ some) => ({
    parameters: sum(some.map(({ parameters }) => parameters)),
    macs: sum(some.map(({ macs }) => macs ?? 0)),
    bytes: sum(some.map(({ bytes }) => bytes ?? 0)),
  });
  const totals = {
    kept: total(children.filter(({ kept }) => kept)),
    dropped: { parameters: total(children.filter(({ kept }) => !kept)).parameters },
  };

  const head = ['child', 'type', '', 'output', 'parameters', 'MACs', 'bytes'];
  const rows = children.map(({ name: child, type, kept, shape, parameters, macs, bytes }) => [
    child,
    type,
    kept ? 'kept' : 'dropped',
    shapesText(shape),
    countText(parameters),
    macs === null ? '-' : countText(macs),
    bytes === null ? '-' : bytesText(bytes),
  ]);
  const keptRow = [
    'kept',
    '',
    '',
    '',
    countText(totals.kept.parameters),
    countText(totals.kept.macs),
    bytesText(totals.kept.bytes),
  ];
  const droppedRow = ['dropped', '', '', '', countText(totals.dropped.parameters), '-', '-'];
  const lines = [
    `${name} on ${shapeText(input)}`,
    '',
    ...table([head, ...rows, keptRow, droppedRow], new Set([4, 5, 6])),
  ];
  if (features.length > 0) {
    const cells = features.map(({ name: feature, layer, shape, reduction, macs, bytes }) => [
      feature,
      layer,
      shapeText(shape),
      `1/${reduction}`,
      countText(macs),
      bytesText(bytes),
    ]);
    const heads = ['feature', 'layer', 'output', 'scale', 'MACs', 'bytes'];
    for (const line of ['', ...table([heads, ...cells], new Set([3, 4, 5]))]) lines.push(line);
  }
  return { result: { command: 'inspect', model: name, input, children, features, totals }, lines };
}

/**
 * Traces the kept children as the getter runs them, or all as the model's own forward does: shapes alone, nothing is
 * computed.
 *
 * @param {Module} model
 * @param {IntermediateLayerGetter | null} getter
 * @param {readonly number[]} input
 * @returns {Child[]}
 */
function traceChildren(model, getter, input) {
  const graph = new Graph([input]);
  /** @type {Map<Module, { shape: NonNullable<Child['shape']>, macs: number }>} */
  const ran = new Map();
  let begin = 0;
  const removals = [...model.children()].map((child) =>
    child.registerForwardHook((_module, _inputs, output) => {
      // What the model's forward does between its children, such as flattening, multiplies nothing.
      const macs = sum(graph.nodes.slice(begin).map(macsOf)) + (ran.get(child)?.macs ?? 0);
      ran.set(child, { shape: shapesOf(output), macs });
      begin = graph.nodes.length;
    }),
  );
  (getter ?? model).call(graph.inputs[0]);
  for (const remove of removals) remove();
  return [...model.namedChildren()].map(([name, child]) => {
    const { shape = null, macs = null } = ran.get(child) ?? {};
    return {
      name,
      type: child.constructor.name,
      kept: getter?.has(name) ?? true,
      shape,
      parameters: sum([...child.parameters()].map(({ shape: size }) => product(size))),
      macs,
      bytes: shape && sum((isShape(shape) ? [shape] : Object.values(shape)).map((size) => product(size) * 4)),
    };
  });
}

/**
 * The shape of a value, or those of a map of values (a backbone's features) by their names.
 *
 * @param {Value | Map<unknown, Value>} value
 * @returns {readonly number[] | Record<string, readonly number[]>}
 */
function shapesOf(value) {
  if (value instanceof Value) return value.shape;
  return Object.fromEntries([...value].map(([name, { shape }]) => [String(name), shape]));
}

/**
 * @param {readonly number[] | Record<string, readonly number[]>} shapes
 * @returns {shapes is readonly number[]}
 */
function isShape(shapes) {
  return Array.isArray(shapes);
}

/** @param {Child['shape']} shapes */
function shapesText(shapes) {
  if (shapes === null) return '-';
  if (isShape(shapes)) return shapeText(shapes);
  return Object.entries(shapes)
    .map(([name, shape]) => `${name} ${shapeText(shape)}`)
    .join(', ');
}

/** @param {readonly number[]} values */
function sum(values) {
  return values.reduce((total, value) => total + value, 0);
}

/** @param {readonly number[]} values */
function product(values) {
  return values.reduce((total, value) => total * value, 1);
}
