/** What is measured: models by name, each with the size of its input. */

import * as current from '../dist/index.js';
import { prune } from '../dist/internals.js';

/** @typedef {import('../dist/index.js').Module<any>} Module */
/**
 * @typedef {{ build: () => Module, shape: readonly number[], input?: import('../dist/index.js').Tensor<Float32Array>,
 *   normScale?: number }} Model whose norms' weights are scaled, where `normScale` says so
 */

/**
 * Pixels of an input's side, where torchvision's weights take others than 224: `modelInfo(name).inputSize`, as a test
 * says. The registry isn't imported, since a measured process would then load all models.
 *
 * @type {Readonly<Record<string, number>>}
 */
const SIDES = {
  inception_v3: 299,
  efficientnet_b1: 240,
  efficientnet_b2: 288,
  efficientnet_b3: 300,
  efficientnet_b4: 380,
  efficientnet_b5: 456,
  efficientnet_b6: 528,
  efficientnet_b7: 600,
  efficientnet_v2_s: 384,
  efficientnet_v2_m: 480,
  efficientnet_v2_l: 480,
  regnet_y_128gf: 384,
  lraspp_mobilenet_v3_large: 520,
  deeplabv3_mobilenet_v3_large: 520,
  deeplabv3_resnet101: 520,
  fcn_resnet50: 520,
  fcn_resnet101: 520,
};

/**
 * With weights of the usual size, EfficientNet v2's many residual blocks let rounding errors grow until no two runtimes
 * agree. Smaller norms keep them small, as in test/cases/zoo.json.
 *
 * @type {Readonly<Record<string, number>>}
 */
const NORM_SCALES = { efficientnet_v2_s: 0.75, efficientnet_v2_m: 0.75, efficientnet_v2_l: 0.75 };

/**
 * Those that aren't a torchvision builder alone. @type {Readonly<Record<string, (layertap: typeof current) => Model>>}
 */
const SPECIAL = {
  'getter-resnet50': ({ IntermediateLayerGetter, models }) => ({
    build: () => new IntermediateLayerGetter(models.resnet50(), { layer2: 'layer2', layer3: 'layer3' }),
    shape: [1, 3, 224, 224],
  }),
  deeplabv3_resnet50: ({ models }) => ({
    build: () => models.deeplabv3_resnet50({ auxLoss: true }),
    shape: [1, 3, 520, 520],
  }),
};

/**
 * A model by its name here or in torchvision.
 *
 * @param {string} name @param {typeof current} [layertap] the build whose model it is; this one unless given
 * @returns {Model}
 * @throws {RangeError} where there is none
 */
export function modelOf(name, layertap = current) {
  if (SPECIAL[name]) return SPECIAL[name](layertap);
  const build = /** @type {Record<string, unknown>} */ (layertap.models)[name];
  if (typeof build !== 'function') throw new RangeError(`bench: expected a model's name, got "${name}"`);
  const side = SIDES[name] ?? 224;
  return { build: /** @type {() => Module} */ (build), shape: [1, 3, side, side], normScale: NORM_SCALES[name] };
}

/**
 * What a module computes for an input shape, without what its outputs don't need.
 *
 * @param {Module} module @param {readonly number[]} shape
 * @returns {{ program: import('../dist/index.js').Program, names: string[], macs: number }} `names` are the taps'
 */
export function traced(module, shape) {
  const graph = new current.Graph([shape]);
  const output = module.call(graph.inputs[0]);
  const outputs = output instanceof Map ? output : new Map([['out', output]]);
  const program = prune(graph.program([...outputs.values()]));
  const macs = program.nodes.reduce((sum, node) => sum + current.macsOf(node), 0);
  return { program, names: [...outputs.keys()].map(String), macs };
}

/** GFLOP/s, two floating-point operations for each multiply-accumulate. @param {number} macs @param {number} ms */
export function gflops(macs, ms) {
  return (2 * macs) / ms / 1e6;
}
