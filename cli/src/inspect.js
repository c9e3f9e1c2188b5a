/** `layertap inspect`: a model's children, which of them are kept for some layers, and what they cost. Needs no weights. */

import { Graph, IntermediateLayerGetter, LayertapError, macsOf, Value } from 'layertap';
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
 * @property {readonly number[] | Record<string, readonly number[]> | null} shape null where it isn't run
 * @property {number} parameters
 * @property {number | null} macs multiply-accumulates
 * @property {number | null} bytes of its output as float32
 */

/**
 * Describes a model. Without layers, all children are kept, as far as they can run one after another.
 *
 * @param {InspectOptions} options
 * @returns {{ result: object, lines: string[] }} for --json, and for people
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
    lines.push('', ...table([['feature', 'layer', 'output', 'scale', 'MACs', 'bytes'], ...cells], new Set([3, 4, 5])));
  }
  return { result: { command: 'inspect', model: name, input, children, features, totals }, lines };
}

/**
 * Runs the kept children one after another, on shapes alone.
 *
 * @param {Module} model
 * @param {IntermediateLayerGetter | null} getter null for all children, up to the first that can't take what comes before it
 * @param {readonly number[]} input
 * @returns {Child[]}
 */
function traceChildren(model, getter, input) {
  const graph = new Graph([input]);
  const keptNames = new Set(getter ? getter.keys() : [...model.namedChildren()].map(([name]) => name));
  /** @type {any} */
  let value = graph.inputs[0];
  return [...model.namedChildren()].map(([name, child]) => {
    const kept = keptNames.has(name);
    const begin = graph.nodes.length;
    const runs = kept && value !== null;
    if (runs) {
      try {
        value = child.call(value);
      } catch (error) {
        if (getter || !(error instanceof LayertapError)) throw error;
        value = null;
      }
    }
    const ran = runs && value !== null;
    const shapes = ran ? shapesOf(value) : null;
    return {
      name,
      type: child.constructor.name,
      kept,
      shape: shapes,
      parameters: sum([...child.parameters()].map(({ shape }) => product(shape))),
      macs: ran ? sum(graph.nodes.slice(begin).map(macsOf)) : null,
      bytes: shapes && sum((isShape(shapes) ? [shapes] : Object.values(shapes)).map((shape) => product(shape) * 4)),
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
