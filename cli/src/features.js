/**
 * What computes features of layers: a getter where it gives the model's own values and needs no more weights than an
 * extractor, otherwise an extractor.
 */

import { createFeatureExtractor, Graph, IntermediateLayerGetter, LayertapError, Value, ValueError } from 'layertap';
import { CommandError } from './failures.js';

/** @typedef {import('layertap').Module<any>} Module */
/** @typedef {import('layertap').FeatureExtractor<string> | IntermediateLayerGetter<string>} Tapped */

/**
 * What computes features of a model, and what to know of it.
 *
 * @param {Module} model
 * @param {ReadonlyMap<string, string>} layers
 * @param {readonly number[]} input shape of the input
 * @returns {{ tapped: Tapped, warnings: readonly string[] }}
 * @throws {ValueError} for a layer or node that isn't there, with those that are
 */
export function featuresOf(model, layers, input) {
  const getter = getterOf(model, layers);
  const deviations = (getter ?? getterOf(model, modulesOf(model, layers)))?.deviations(input) ?? [];
  // An input that the getter can't take is the extractor's to refuse: it knows which sizes the model's forward takes.
  const several = getter && deviations.length === 0 ? layersOfSeveral(getter, input) : null;
  // A getter keeps the whole child that holds a layer.
  const areChildren = [...layers.keys()].every((path) => !path.includes('.'));
  if (getter && areChildren && several?.length === 0) return { tapped: getter, warnings: [] };
  const warnings = deviations.map(
    ({ module, reason }) =>
      `"${module}": the value is the model's own; with children in a row, as torchvision's IntermediateLayerGetter runs ` +
      `them, it ${reason}`,
  );
  const lasts = (several ?? []).map(
    (module) => `"${module}": it gives several tensors; the value is the last one computed in it`,
  );
  return { tapped: extractorOf(model, layers), warnings: [...warnings, ...lasts] };
}

/**
 * Those of some layers and nodes that are modules.
 *
 * @param {Module} model
 * @param {ReadonlyMap<string, string>} layers
 */
function modulesOf(model, layers) {
  const paths = new Set([...model.namedModules()].map(([path]) => path));
  return new Map([...layers].filter(([path]) => paths.has(path)));
}

/**
 * The layers of a getter that give several tensors each; null for an input that doesn't fit.
 *
 * @param {IntermediateLayerGetter<string>} getter
 * @param {readonly number[]} input shape of the input
 */
function layersOfSeveral(getter, input) {
  try {
    const features = getter.call(new Graph([input]).inputs[0]);
    return [...getter.returnLayers].flatMap(([module, name]) => (features.get(name) instanceof Value ? [] : module));
  } catch (error) {
    if (error instanceof LayertapError) return null;
    throw error;
  }
}

/**
 * Whether there are such layers and nodes.
 *
 * @param {Module} model
 * @param {ReadonlyMap<string, string>} layers
 * @throws {CommandError} for one that isn't there, with those that are
 */
export function checkLayers(model, layers) {
  if (!getterOf(model, layers)) extractorOf(model, layers);
}

/**
 * An extractor of these layers and nodes.
 *
 * @param {Module} model
 * @param {ReadonlyMap<string, string>} layers
 * @throws {CommandError} for one that isn't there, or doesn't run in eval mode, with those that are
 */
function extractorOf(model, layers) {
  try {
    return createFeatureExtractor(model, { returnNodes: layers });
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    const message = error.message.replace(/^createFeatureExtractor: node: /, '--layers: ');
    // No option of the command line has this name.
    throw new CommandError(message.replace(': where it does for others, give their shapes as inputShape', ''));
  }
}

/**
 * Those of a model's modules that a getter gives the model's own values of, for inputs of this shape.
 *
 * @param {Module} model
 * @param {readonly string[]} paths
 * @param {readonly number[]} input shape of the input
 * @returns {ReadonlySet<string>}
 */
export function getterLayers(model, paths, input) {
  const getter = getterOf(model, new Map(paths.map((path) => [path, path])));
  if (!getter) return new Set();
  const deviating = new Set(getter.deviations(input).map(({ module }) => module));
  const graph = new Graph([input]);
  try {
    getter.call(graph.inputs[0]);
  } catch (error) {
    // Which children ran until then is asked below.
    if (!(error instanceof LayertapError)) throw error;
  }
  // A getter runs the whole child that holds a layer, or gives nothing.
  const ran = new Set([...model.namedChildren()].flatMap(([name, child]) => (graph.outputOf(child) ? name : [])));
  return new Set(paths.filter((path) => !deviating.has(path) && ran.has(path.split('.')[0])));
}

/**
 * A getter of these layers, or null where there is none because one is no module, but a node.
 *
 * @param {Module} model
 * @param {ReadonlyMap<string, string>} layers
 */
function getterOf(model, layers) {
  try {
    return new IntermediateLayerGetter(model, layers, { onWarning: null });
  } catch (error) {
    if (error instanceof ValueError) return null;
    throw error;
  }
}
