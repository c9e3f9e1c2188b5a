/** `layertap embed`: a vector for each picture, the mean of a layer's feature over pixels at length 1. */

import { appendFileSync, writeFileSync } from 'node:fs';
import { globalAveragePool, l2Normalize } from 'layertap/tools';
import { checkMaker, indexFiles, indexFormatOf, jsonLine, namedWeights, readExisting } from './embedding-index.js';
import { CommandError, UsageError } from './failures.js';
import { Network } from './network.js';
import { checkOutputs, writeFiles } from './output.js';
import { picturesOf } from './pictures.js';
import { runPictures, summaryOf } from './run-pictures.js';

/** @typedef {import('layertap').Tensor<Float32Array>} Tensor */

/**
 * @typedef {import('./network.js').NetworkOptions & { pictures: readonly string[], layers: Map<string, string>,
 *   output: string, skipExisting?: boolean, autoOrient?: boolean, batch?: number, quiet?: boolean, json?: boolean
 *   }} EmbedOptions
 */

/** Embeddings are written so often, so that a run that is cut short can go on. */
const SAVED_EVERY = 256;

/**
 * Embeds the pictures and writes the vectors.
 *
 * @param {EmbedOptions} options
 * @returns {Promise<import('./program.js').Outcome>}
 */
export async function embed(options) {
  const begin = performance.now();
  const { output, layers, skipExisting = false, json = false } = options;
  const layer = onlyLayer(layers);
  const format = indexFormatOf(output);
  if (output === '-' && json) throw new UsageError('expected --output - or --json, got both, which write to stdout');
  if (skipExisting && (format === 'npy' || output === '-')) {
    throw new UsageError('expected --skip-existing with .safetensors or .jsonl, whose rows have names');
  }
  const all = await picturesOf(options.pictures);
  const network = await Network.of(options);
  network.checkLayers(layers);
  if (output !== '-')
    checkOutputs({ inputs: { '--weights': network.source.path }, files: [{ option: '--output', path: output }] });
  const existing = skipExisting ? await readExisting(output, format) : null;
  const rows = existing?.rows ?? [];
  const known = new Set(rows.map(({ picture }) => picture));
  const pictures = all.filter((picture) => !known.has(picture));
  let maker = existing?.maker ?? null;
  let unsaved = 0;
  const save = async () => {
    unsaved = 0;
    if (format !== 'jsonl' && maker) await writeFiles(indexFiles(output, { maker, rows }));
  };
  if (format === 'jsonl' && output !== '-') {
    writeFileSync(output, rows.map((row) => `${jsonLine(row)}\n`).join(''));
  }
  try {
    const failed = await runPictures({
      pictures,
      preparation: network.preparation,
      options,
      async open(shape, count) {
        const opened = await openEmbedder(network, { layers, shape, count });
        const own = {
          model: network.model,
          modelOptions: options.modelOptions,
          layer,
          preset: network.preparation.name,
          weights: namedWeights(network.source, options.weights, output),
          ...(options.weightsKey !== undefined && { weightsKey: options.weightsKey }),
          ...(options.weightsPrefix !== undefined && { weightsPrefix: options.weightsPrefix }),
          deterministic: options.deterministic ?? false,
          autoOrient: options.autoOrient ?? false,
          fingerprint: network.fingerprint(),
        };
        if (maker) checkMaker(`--output ${output}`, maker, own);
        maker = own;
        return opened;
      },
      async take(picture, vectors, index) {
        const row = { picture, vector: vectorAt(vectors, index) };
        if (format === 'jsonl') {
          if (output === '-') process.stdout.write(`${jsonLine(row)}\n`);
          else appendFileSync(output, `${jsonLine(row)}\n`);
        } else {
          rows.push(row);
          if (++unsaved === SAVED_EVERY) await save();
        }
      },
    });
    const done = pictures.length - failed.length;
    if (rows.length === 0 && done === 0)
      throw new CommandError(`embed: expected a picture at least, got none that works`);
    await save();
    const skipped = all.length - pictures.length;
    return {
      result: {
        command: 'embed',
        model: network.model,
        layer,
        preset: network.preparation.name,
        fingerprint: maker?.fingerprint ?? null,
        embedded: done,
        skipped,
        failed,
        output,
      },
      lines: [
        summaryOf('embedded', pictures.length, failed, { skipped, ms: performance.now() - begin }),
        `wrote ${output}`,
      ],
      isFailed: failed.length > 0,
      isOnStderr: output === '-',
    };
  } finally {
    await network.close();
  }
}

/**
 * @param {ReadonlyMap<string, string>} layers
 * @throws {UsageError} for several
 */
export function onlyLayer(layers) {
  const [layer, ...more] = layers.keys();
  if (more.length === 0) return layer;
  throw new UsageError(`expected one layer in --layers, whose feature is the vector, got ${layers.size}`);
}

/**
 * Makes a network ready to embed inputs of a shape: gives [N, C] of [N, 3, H, W].
 *
 * @param {Network} network
 * @param {{ layers: ReadonlyMap<string, string>, shape: readonly number[], count?: number }} what how many inputs
 * @returns {Promise<import('./run-pictures.js').Computing<Tensor>>}
 */
export async function openEmbedder(network, { layers, shape, count = 1 }) {
  network.tap(layers, shape);
  const started = await network.start(shape, count);
  return {
    width: started.width,
    async compute(input, onProgress) {
      const [feature] = (await started.run(input, onProgress)).values();
      return l2Normalize(globalAveragePool(feature));
    },
  };
}

/**
 * @param {Tensor} vectors
 * @param {number} index
 * @throws {CommandError} for a vector that says nothing
 */
export function vectorAt({ data, shape }, index) {
  const vector = data.slice(index * shape[1], (index + 1) * shape[1]);
  if (vector.every(Number.isFinite)) return vector;
  throw new CommandError('expected numbers in the layer, got NaN or infinities; look at the weights');
}
