/**
 * `layertap inspect`: a model's modules, which of them are kept for some layers, which a getter may be asked for, what
 * they cost, and the model's nodes. Needs no weights.
 */

import { createFeatureExtractor, Graph, getGraphNodeNames, macsOf, ShapeError, Value, zeros } from 'layertap';
import { checkLayers, featuresOf, getterLayers } from './features.js';
import { buildModel } from './models.js';
import { bytesText, countText, shapeText, table } from './print.js';

/** @typedef {import('layertap').Module<any>} Module */

/**
 * @typedef {object} InspectOptions
 * @property {string} model
 * @property {Record<string, unknown>} modelOptions
 * @property {Map<string, string>} [layers]
 * @property {{ height: number, width: number }} size
 * @property {number} depth
 * @property {boolean} [nodes]
 */

/**
 * @typedef {object} Child
 * @property {string} name its path
 * @property {string} type
 * @property {boolean} kept
 * @property {boolean} getter whether a getter that is asked for it gives the model's own value at this size
 * @property {readonly number[] | Record<string, readonly number[]> | null} shape null where it is dropped, or
 *   doesn't run to its end
 * @property {number} parameters
 * @property {number | null} macs multiply-accumulates
 * @property {number | null} bytes of its output as float32
 */

/**
 * Describes a model. Without layers, all children are kept, and run as the model's own forward runs them.
 *
 * @param {InspectOptions} options
 * @returns {import('./outcome.js').Outcome}
 */
export function inspect({ model: name, modelOptions, layers, size, depth, nodes: withNodes = false }) {
  const model = buildModel(name, modelOptions);
  const input = [1, 3, size.height, size.width];
  if (layers) checkLayers(model, layers);
  const { tapped = null, warnings = [] } = layers ? featuresOf(model, layers, input) : {};
  const children = traceModules(model, tapped, { input, depth });
  const features = (tapped?.featureInfo(input) ?? []).map(({ name: feature, module, ...rest }) => ({
    name: String(feature),
    layer: module,
    ...rest,
  }));
  const nodes = withNodes ? nodesOf(model, input) : undefined;
  const direct = children.filter((child) => !child.name.includes('.'));
  const total = (/** @type {readonly Child[]} */ some) => ({
    parameters: sum(some.map(({ parameters }) => parameters)),
    macs: sum(some.map(({ macs }) => macs ?? 0)),
    // Nobody knows what is wanting where a child ends before its output. One that never runs has none.
    bytes: some.some(({ macs, bytes }) => macs !== null && bytes === null)
      ? null
      : sum(some.map(({ bytes }) => bytes ?? 0)),
  });
  const totals = {
    kept: total(direct.filter(({ kept }) => kept)),
    dropped: { parameters: total(direct.filter(({ kept }) => !kept)).parameters },
  };

  const head = ['child', 'type', '', 'getter', 'output', 'parameters', 'MACs', 'bytes'];
  const rows = children.map(({ name: child, type, kept, getter, shape, parameters, macs, bytes }) => [
    child,
    type,
    kept ? 'kept' : 'dropped',
    getter ? 'yes' : 'no',
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
    '',
    countText(totals.kept.parameters),
    countText(totals.kept.macs),
    totals.kept.bytes === null ? '-' : bytesText(totals.kept.bytes),
  ];
  const droppedRow = ['dropped', '', '', '', '', countText(totals.dropped.parameters), '-', '-'];
  const lines = [
    `${name} on ${shapeText(input)}`,
    '',
    ...table([head, ...rows, keptRow, droppedRow], new Set([5, 6, 7])),
  ];
  const feature = features.map((one) => [one.name, one.layer, ...costCells(one)]);
  const node = (nodes ?? []).map((one) => [one.name, ...costCells(one)]);
  const costs = ['output', 'scale', 'MACs', 'bytes'];
  const tables = [
    { rows: feature, head: ['feature', 'layer', ...costs], right: new Set([3, 4, 5]) },
    { rows: node, head: ['node', ...costs], right: new Set([2, 3, 4]) },
  ];
  for (const { rows, head, right } of tables) {
    if (rows.length > 0) for (const line of ['', ...table([head, ...rows], right)]) lines.push(line);
  }
  const result = { command: 'inspect', model: name, input, children, features, ...(nodes && { nodes }), totals };
  return { result, lines, warnings };
}

/** @param {{ shape: readonly number[], reduction: number, macs: number, bytes: number }} info */
function costCells({ shape, reduction, macs, bytes }) {
  return [shapeText(shape), `1/${reduction}`, countText(macs), bytesText(bytes)];
}

/**
 * The model's nodes in order of execution, with what they cost from the input on.
 *
 * @param {Module} model
 * @param {readonly number[]} input
 */
function nodesOf(model, input) {
  const options = { inputShape: input };
  const names = orExplained(model, input, () => getGraphNodeNames(model, options));
  const all = createFeatureExtractor(model, { returnNodes: names, ...options });
  // What gives several tensors can't be a feature; each of them can.
  const single = [...all.forward(/** @type {Value} */ (new Graph([input]).inputs[0]))].filter(
    ([, value]) => value instanceof Value,
  );
  const extractor = createFeatureExtractor(model, { returnNodes: single.map(([name]) => name), ...options });
  return extractor.featureInfo(input).map(({ name, shape, channels, reduction, macs, bytes }) => {
    return { name, shape, channels, reduction, macs, bytes };
  });
}

/**
 * Traces what is kept as it is run for the features, or all as the model's own forward does: shapes alone, nothing is
 * computed.
 *
 * @param {Module} model
 * @param {import('./features.js').Tapped | null} tapped
 * @param {{ input: readonly number[], depth: number }} options
 * @returns {Child[]} in the order of the hierarchy
 */
function traceModules(model, tapped, { input, depth }) {
  const graph = new Graph([input]);
  /** @type {Map<string, { shape: NonNullable<Child['shape']> }>} */
  const ran = new Map();
  /** @type {Map<string, number>} */
  const macsIn = new Map();
  let begin = 0;
  const modules = [...model.namedModules()].filter(([path]) => path !== '');
  const removals = modules.map(([path, module]) =>
    module.registerForwardHook((_module, _inputs, output) => {
      // An extractor traces the model at another size, too, to see what its features need.
      if (!valuesOf(output).every((value) => value.graph === graph)) return;
      // What a forward does between its modules, such as flattening, multiplies nothing.
      const macs = sum(graph.nodes.slice(begin).map(macsOf));
      begin = graph.nodes.length;
      const parts = path.split('.');
      for (let i = 1; i <= parts.length; i++) {
        const above = parts.slice(0, i).join('.');
        macsIn.set(above, (macsIn.get(above) ?? 0) + macs);
      }
      ran.set(path, { shape: shapesOf(output) });
    }),
  );
  orExplained(tapped ?? model, input, () => (tapped ?? model).call(graph.inputs[0]));
  for (const remove of removals) remove();
  const shown = modules.filter(([path]) => path.split('.').length <= depth);
  const paths = shown.map(([path]) => path);
  const own = getterLayers(model, paths, input);
  const kept = new Set([...(tapped ?? model).namedChildren()].map(([name]) => name));
  return shown.map(([path, module]) => {
    const isKept = kept.has(path.split('.')[0]);
    const shape = isKept ? (ran.get(path)?.shape ?? null) : null;
    // A module that doesn't run to its end has those of what ran in it.
    const macs = isKept ? (macsIn.get(path) ?? null) : null;
    return {
      name: path,
      type: module.constructor.name,
      kept: isKept,
      getter: own.has(path),
      shape,
      parameters: sum([...module.parameters()].map(({ shape: size }) => product(size))),
      macs,
      bytes: shape && sum((isShape(shape) ? [shape] : Object.values(shape)).map((size) => product(size) * 4)),
    };
  });
}

/**
 * What `trace` returns, which traces a module; where an input of this shape is refused, in the words of a call.
 *
 * @template T
 * @param {Module} module
 * @param {readonly number[]} input
 * @param {() => T} trace
 */
function orExplained(module, input, trace) {
  try {
    return trace();
  } catch (error) {
    // A call with a tensor is traced before weights are asked for, and says which layer it is and what would work.
    if (error instanceof ShapeError) module.call(zeros([...input]));
    throw error;
  }
}

/**
 * @param {Value | Map<unknown, Value>} output
 * @returns {readonly Value[]}
 */
function valuesOf(output) {
  return output instanceof Value ? [output] : [...output.values()];
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
