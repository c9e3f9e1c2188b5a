/** A network with its weights, ready to run: what the commands over pictures have in common. */

import { createHash } from 'node:crypto';
import { Graph, LayertapError } from 'layertap';
import { ThreadPool } from 'layertap/threads';
import { checkLayers, featuresOf } from './features.js';
import { Lane } from './lane.js';
import { Lanes } from './lanes.js';
import { buildModel } from './models.js';
import { preparationOf } from './preparation.js';
import { loading, status, warn } from './print.js';
import { sourceOf, withModel } from './source.js';
import { withWeights } from './tensor-file.js';

/**
 * The options that say which network, and how it runs.
 *
 * @typedef {object} NetworkOptions
 * @property {string} [model] unless the weights name it
 * @property {Record<string, unknown>} modelOptions
 * @property {string} weights
 * @property {string} [hubEndpoint]
 * @property {string | false} [cache]
 * @property {string} [weightsKey]
 * @property {string} [weightsPrefix]
 * @property {import('./preparation.js').Preset} [preset]
 * @property {import('./preparation.js').Prepared} [preparation] in place of a preset
 * @property {boolean} [deterministic]
 * @property {number} [threads]
 * @property {boolean} [quiet]
 */

/** More threads than any machine that runs this has use for. */
const MOST_THREADS = 64;

/** A network that is known, but neither compiled nor loaded. */
export class Network {
  /** torchvision's name. @type {string} */
  model;
  /** @type {import('./weight-source.js').WeightSource} */
  source;
  /** @type {ReturnType<typeof preparationOf>} */
  preparation;
  /** What runs: the model, or what gives its features. @type {import('layertap').Module<any>} */
  module;
  #options;
  /** @type {ThreadPool | null} */
  #pool = null;
  /** @type {Lanes | null} */
  #lanes = null;
  /** @type {ReadonlyMap<string, string> | null} */
  #layers = null;

  /**
   * @param {NetworkOptions & { model: string }} options
   * @param {import('./weight-source.js').WeightSource} source
   * @param {import('./preparation.js').Preset} [preset]
   */
  constructor(options, source, preset) {
    this.#options = options;
    this.model = options.model;
    this.source = source;
    this.preparation = options.preparation ?? preparationOf(options.preset, source.preparation, preset);
    this.module = source.build?.() ?? buildModel(options.model, options.modelOptions);
  }

  /**
   * The network that options name.
   *
   * @param {NetworkOptions} given
   * @param {import('./preparation.js').Preset} [preset] where neither options nor weights say one
   * @returns {Promise<Network>}
   */
  static async of(given, preset) {
    const source = await sourceOf(given.weights, given);
    return new Network(withModel(given, source), source, preset);
  }

  /**
   * Builds the model once more, with options that nobody gave.
   *
   * @param {Record<string, unknown>} modelOptions
   */
  extend(modelOptions) {
    this.#options = { ...this.#options, modelOptions: { ...modelOptions, ...this.#options.modelOptions } };
    this.module = buildModel(this.model, this.#options.modelOptions);
  }

  /**
   * What comes out for an input, known from shapes alone: a value, or a map of them; null where the input doesn't fit.
   *
   * @param {readonly number[]} shape
   */
  outputFor(shape) {
    try {
      return this.module.call(new Graph([shape]).inputs[0]);
    } catch (error) {
      if (error instanceof LayertapError) return null;
      throw error;
    }
  }

  /**
   * Fails layers that there aren't.
   *
   * @param {ReadonlyMap<string, string>} layers
   */
  checkLayers(layers) {
    checkLayers(this.module, layers);
  }

  /**
   * Cuts the model after the last of some layers, once it is known what comes in.
   *
   * @param {ReadonlyMap<string, string>} layers
   * @param {readonly number[]} shape
   */
  tap(layers, shape) {
    const { tapped, warnings } = featuresOf(this.module, layers, shape);
    for (const warning of warnings) warn(warning);
    this.module = tapped;
    this.#layers = layers;
    return tapped;
  }

  /**
   * Compiles the network and loads its weights. Threads share one batch, or with several batches each thread has
   * batches of its own, which takes no waiting for each other: neither changes a bit.
   *
   * @param {readonly number[]} shape of the first input
   * @param {object} [batches]
   * @param {number} [batches.count] how many there will be
   * @param {boolean} [batches.autoOrient] how pictures are read
   * @param {boolean} [batches.keepsInputs] whether inputs are needed with the outputs
   * @param {(file: import('layertap').TensorStream) => import('layertap').TensorStream} [batches.fit] the weights that
   *   are loaded of those in the file; may extend the network by what it sees of them
   * @returns {Promise<import('./lane.js').Runner>}
   */
  async start(shape, { count = 1, autoOrient = false, keepsInputs = false, fit = (file) => file } = {}) {
    const { deterministic = false, threads = 1, quiet = false } = this.#options;
    const { recipe, prepare } = this.preparation;
    const lanes = Math.min(threads, count, MOST_THREADS);
    // What the hub says of a model and of its pictures is told to nobody but the model.
    const isSideBySide = lanes > 1 && this.source.build === undefined && recipe !== null;
    // Workers load their modules while weights are read.
    if (isSideBySide) this.#lanes = new Lanes(lanes);
    else if (threads > 1) this.#pool = await ThreadPool.create(Math.min(threads, MOST_THREADS));
    await withWeights(this.source, this.#options, (file) => {
      const fitted = fit(file);
      this.module.compile({ deterministic, ...(this.#pool && { pool: this.#pool }) });
      return this.module.loadStateDictAsync(fitted, quiet ? {} : { onProgress: loading });
    });
    status('');
    const { model, modelOptions } = this.#options;
    if (!this.#lanes || !recipe) return new Lane(this.module, { autoOrient, prepare, keepsInputs });
    const same = { model, modelOptions, layers: this.#layers, shape, deterministic, autoOrient, keepsInputs };
    const state = this.#states().map(([name, state]) => /** @type {const} */ ([name, state.tensor]));
    this.#lanes.start({ ...same, preparation: recipe }, state);
    return this.#lanes;
  }

  /** Parameters and buffers that have values, by name. */
  #states() {
    const states = [...this.module.namedParameters(), ...this.module.namedBuffers()];
    return states.filter(([, state]) => state.hasValues).sort(([a], [b]) => (a < b ? -1 : 1));
  }

  /**
   * What tells these weights from others: a SHA-256 of all numbers that the network has, in float32, by name. It
   * depends neither on the file's format nor on layers that don't run.
   */
  fingerprint() {
    const hash = createHash('sha256');
    for (const [name, state] of this.#states()) {
      if (name.endsWith('num_batches_tracked')) continue;
      const { data } = state.tensor.float();
      hash.update(`${name}\0${state.shape.join('x')}\0`);
      hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    }
    return hash.digest('hex');
  }

  /** What tells the layers that run from others: a SHA-256 of their text, which has their options. */
  structure() {
    return createHash('sha256').update(String(this.module)).digest('hex');
  }

  /** How many threads share an input. */
  get threads() {
    return this.#pool?.threads ?? 1;
  }

  /** Ends the threads. */
  async close() {
    await this.#pool?.close();
    await this.#lanes?.close();
  }
}
