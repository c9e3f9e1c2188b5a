/** `layertap convert`: a weight file as safetensors, with the tensors that are needed, in the dtype that is wanted. */

import { numberToFloat16, saveSafetensors, Tensor } from 'layertap';
import { CommandError, UsageError } from './failures.js';
import { checkLayers, featuresOf } from './features.js';
import { buildModel } from './models.js';
import { checkEnd, checkOutputs, writeFiles } from './output.js';
import { STANDARD } from './pictures.js';
import { bytesText, loading } from './print.js';
import { shownName } from './secrets.js';
import { sourceOf } from './source.js';
import { withWeights } from './tensor-file.js';

/**
 * @typedef {object} ConvertOptions
 * @property {string} input a file, a URL, or the name of torchvision's own weights
 * @property {string} output `-` for stdout
 * @property {string} [dtype] one of choices.js
 * @property {string} [model]
 * @property {Record<string, unknown>} modelOptions
 * @property {Map<string, string>} [layers]
 * @property {string} [hubEndpoint]
 * @property {string | false} [cache]
 * @property {string} [weightsKey]
 * @property {string} [weightsPrefix]
 * @property {boolean} [json]
 */

/**
 * Converts the file.
 *
 * @param {ConvertOptions} options
 * @returns {Promise<import('./outcome.js').Outcome>}
 */
export async function convert({ input, output, dtype, modelOptions, layers, ...options }) {
  const isPrinted = output === STANDARD;
  if (isPrinted && options.json) throw new UsageError('expected - as the output or --json, got both');
  checkEnd({ option: 'the output', path: output }, ['.safetensors', STANDARD]);
  if (options.model !== undefined && !layers) throw new UsageError('expected --layers with --model, got none');
  const source = await sourceOf(input, { ...options, modelOptions, option: '' });
  const model = options.model ?? (layers && source.model);
  if (layers && model === undefined) throw new UsageError('expected --model with --layers, got none');
  checkOutputs({ inputs: { input: source.path }, files: [{ option: 'output', path: output }] });
  const needed =
    model !== undefined && layers ? keysOf(source.build?.() ?? buildModel(model, modelOptions), layers) : null;
  const converted = await withWeights(source, { ...options, whole: !needed }, async (file) => {
    const names = [...file.tensors.keys()].filter((name) => needed?.has(name) ?? true);
    const missing = [...(needed ?? [])].filter((key) => !file.tensors.has(key) && !key.endsWith('num_batches_tracked'));
    if (missing.length > 0) {
      const [first = ''] = file.tensors.keys();
      throw new CommandError(
        `${source.label}: expected the tensors that the layers need, got none named "${missing[0]}", but "${first}", …; ` +
          '--weights-key and --weights-prefix say where they are',
      );
    }
    const tensors = new Map();
    for await (const [name, tensor] of file.stream(names, { onProgress: loading }))
      tensors.set(name, cast(name, tensor, dtype));
    return tensors;
  });
  const bytes = saveSafetensors(converted, [['format', 'pt']]);
  if (isPrinted) process.stdout.write(bytes);
  else await writeFiles([{ option: 'output', path: output, bytes }]);
  const named = { input: source.path ?? shownName(input), output };
  return {
    result: { command: 'convert', ...named, tensors: converted.size, bytes: bytes.length, dtype: dtype ?? null },
    lines: [`wrote ${isPrinted ? 'to stdout' : output}: ${converted.size} tensors (${bytesText(bytes.length)})`],
    isOnStderr: isPrinted,
  };
}

/**
 * The keys of all that the layers need.
 *
 * @param {import('layertap').Module<any>} model
 * @param {Map<string, string>} layers
 * @returns {Set<string>}
 */
function keysOf(model, layers) {
  checkLayers(model, layers);
  return new Set(featuresOf(model, layers, [1, 3, 224, 224]).tapped.stateShapes().keys());
}

/**
 * @param {string} name
 * @param {Tensor} tensor
 * @param {string | undefined} dtype
 * @returns {Tensor}
 * @throws {CommandError} where a value has no room in the dtype
 */
function cast(name, tensor, dtype) {
  if (dtype === undefined || !/float/.test(tensor.dtype)) return tensor;
  const { data: values } = tensor.float();
  const wide = tensor.dtype === 'float64' ? tensor.data : values;
  const least = LEAST_INFINITE[/** @type {keyof typeof LEAST_INFINITE} */ (dtype)];
  for (const value of wide) {
    if (!Number.isFinite(value) || Math.abs(Number(value)) < least) continue;
    throw new CommandError(`convert: expected values below ${least} for ${dtype}, got ${value} in "${name}"`);
  }
  if (dtype === 'f32') return tensor.float();
  if (dtype === 'bf16') return new Tensor(Uint16Array.from(values, toBfloat16), tensor.shape, 'bfloat16');
  return new Tensor(Uint16Array.from(values, numberToFloat16), tensor.shape, 'float16');
}

/** The least numbers that are rounded to infinity. */
const LEAST_INFINITE = { f32: 2 ** 128 * (1 - 2 ** -25), f16: 65520, bf16: 2 ** 128 * (1 - 2 ** -9) };

const float = new Float32Array(1);
const word = new Uint32Array(float.buffer);

/** The bits of the bfloat16 nearest to a number, ties to even, as PyTorch's. @param {number} value @returns {number} */
function toBfloat16(value) {
  if (Number.isNaN(value)) return 0x7fc0;
  float[0] = value;
  return (word[0] + 0x7fff + ((word[0] >>> 16) & 1)) >>> 16;
}
