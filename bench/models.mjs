/** What is measured: models by name, each with the size of its input. */

import { Graph, IntermediateLayerGetter, macsOf, models } from '../dist/index.js';
import { prune } from '../dist/internals.js';

/** @typedef {import('../dist/index.js').Module<any>} Module */
/** @typedef {{ build: () => Module, shape: readonly number[], input?: import('../dist/index.js').Tensor<Float32Array> }} Model */

const getter = () => new IntermediateLayerGetter(models.resnet50(), { layer2: 'layer2', layer3: 'layer3' });
const deeplab = () => models.deeplabv3_resnet50({ auxLoss: true });

/** Those that aren't a torchvision builder at 224. @type {Readonly<Record<string, Model>>} */
const SPECIAL = {
  'getter-resnet50': { build: getter, shape: [1, 3, 224, 224] },
  deeplabv3_resnet50: { build: deeplab, shape: [1, 3, 520, 520] },
};

/**
 * A model by its name here or in torchvision.
 *
 * @param {string} name @returns {Model}
 * @throws {RangeError} where there is none
 */
export function modelOf(name) {
  const build = /** @type {Record<string, unknown>} */ (models)[name];
  const model = SPECIAL[name] ?? (typeof build === 'function' ? { build, shape: [1, 3, 224, 224] } : undefined);
  if (!model) throw new RangeError(`bench: expected a model's name, got "${name}"`);
  return /** @type {Model} */ (model);
}

/**
 * What a module computes for an input shape, without what its outputs don't need.
 *
 * @param {Module} module @param {readonly number[]} shape
 * @returns {{ program: import('../dist/index.js').Program, names: string[], macs: number }} `names` are the taps'
 */
export function traced(module, shape) {
  const graph = new Graph([shape]);
  const output = module.call(graph.inputs[0]);
  const outputs = output instanceof Map ? output : new Map([['out', output]]);
  const program = prune(graph.program([...outputs.values()]));
  const macs = program.nodes.reduce((sum, node) => sum + macsOf(node), 0);
  return { program, names: [...outputs.keys()].map(String), macs };
}

/** GFLOP/s, two floating-point operations for each multiply-accumulate. @param {number} macs @param {number} ms */
export function gflops(macs, ms) {
  return (2 * macs) / ms / 1e6;
}
