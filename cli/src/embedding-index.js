/**
 * Embeddings of pictures as a file: a matrix whose rows are pictures, and what they were made by, so that others aren't
 * compared with them.
 */

import { createReadStream, existsSync } from 'node:fs';
import { dirname, isAbsolute, relative, resolve } from 'node:path';
import { saveSafetensors, Tensor } from 'layertap';
import { CommandError, reasonOf, UsageError } from './failures.js';
import { npyBytes } from './npy.js';
import { fullPath, STANDARD } from './pictures.js';
import { recipeText } from './preparation.js';
import { shownName } from './secrets.js';
import { withTensorFile } from './tensor-file.js';

/** The tensor's name. */
const NAME = 'embeddings';

/**
 * What embeddings were made by.
 *
 * @typedef {object} Maker
 * @property {string} model
 * @property {Record<string, unknown>} modelOptions
 * @property {string} layer
 * @property {string} preset its name
 * @property {import('./weight-source.js').Recipe | undefined} [recipe] what it does, unless the index is older
 * @property {string | undefined} [network] what tells the network from others with the same weights
 * @property {string} weights as they were named; a file's path is relative to the index
 * @property {string} [weightsKey]
 * @property {string} [weightsPrefix]
 * @property {boolean} deterministic
 * @property {boolean} autoOrient
 * @property {string} fingerprint of the weights
 * @property {string} [folder] that the pictures' paths start from, relative to the index; unless the index is older
 */

/** @typedef {{ picture: string, vector: Float32Array }} Row */

/** @typedef {{ maker: Maker, rows: Row[] }} Index */

/** How a line of JSON begins. */
const LINE = '{"picture":';

/** What a file of embeddings can be, by its name's end. */
export const INDEX_FORMATS = ['safetensors', 'npy', 'jsonl'];

/**
 * The format that a file's name asks for.
 *
 * @param {string} path
 * @throws {UsageError} for another
 */
export function indexFormatOf(path) {
  if (path === STANDARD) return 'jsonl';
  const format = INDEX_FORMATS.find((one) => path.toLowerCase().endsWith(`.${one}`));
  if (format) return format;
  throw new UsageError(`expected --output as .${INDEX_FORMATS.join(', .')} or ${STANDARD}, got ${path}`);
}

/**
 * A path as an index names it, or what is no path as it is. What stands behind a URL's path may be a secret.
 *
 * @param {import('./weight-source.js').WeightSource} source
 * @param {string} weights
 * @param {string} index the index's path
 */
export function namedWeights({ path }, weights, index) {
  // With a folder before it, so that no file is taken for a name.
  if (path !== undefined) return `./${relative(dirname(resolve(index)), resolve(path))}`;
  return shownName(weights);
}

/**
 * The weights that an index names, as a command line would.
 *
 * @param {Maker} maker
 * @param {string} index the index's path
 */
export function weightsOf({ weights }, index) {
  return weights.startsWith('./') ? resolve(dirname(index), weights) : weights;
}

/**
 * A folder as an index names it.
 *
 * @param {string} folder
 * @param {string} index the index's path
 */
export function namedFolder(folder, index) {
  return relative(dirname(resolve(index)), folder) || '.';
}

/**
 * The folder that the paths of an index's pictures start from. It is the current one where the index doesn't say it, or
 * has moved without its pictures, so that none of them is there.
 *
 * @param {{ maker: Maker | null, rows: readonly Row[] } | null} index
 * @param {string} path the index's
 */
export function folderOf(index, path) {
  const folder = index?.maker ? saidFolder(index.maker, path) : process.cwd();
  const isThere = index?.rows.some(({ picture }) => !isAbsolute(picture) && existsSync(resolve(folder, picture)));
  return isThere ? folder : process.cwd();
}

/**
 * @param {Maker} maker
 * @param {string} index the index's path
 */
function saidFolder({ folder }, index) {
  return folder === undefined ? process.cwd() : resolve(dirname(index), folder);
}

/**
 * A picture's path as one that starts from another folder. Where it starts from there already, it is left as it was
 * written, and so is an absolute one.
 *
 * @param {string} picture
 * @param {string} folder
 * @param {string} [from] where it starts from now; the current folder unless given
 */
export function pathFrom(picture, folder, from = process.cwd()) {
  const isKept = folder === from || picture === STANDARD || isAbsolute(picture);
  return isKept ? picture : relative(folder, fullPath(picture, from));
}

/**
 * Where the files of some embeddings go: of `.npy` the pictures' names have a file of their own.
 *
 * @param {string} path
 * @returns {import('./output.js').Named[]}
 */
export function indexPlaces(path) {
  const paths = indexFormatOf(path) === 'npy' ? [path, `${path}.txt`] : [path];
  return paths.map((one) => ({ option: '--output', path: one }));
}

/**
 * The files of some embeddings.
 *
 * @param {string} path
 * @param {Index} index
 * @returns {import('./output.js').OutputFile[]}
 */
export function indexFiles(path, { maker, rows }) {
  const format = indexFormatOf(path);
  const [place, list] = indexPlaces(path);
  const size = rows[0]?.vector.length ?? 0;
  if (format === 'jsonl') {
    // All in one text may be longer than texts can be.
    return [{ ...place, bytes: Buffer.concat(rows.map((row) => Buffer.from(`${jsonLine(row, maker)}\n`))) }];
  }
  const data = new Float32Array(rows.length * size);
  for (const [i, { vector }] of rows.entries()) data.set(vector, i * size);
  const matrix = new Tensor(data, [rows.length, size]);
  const pictures = rows.map(({ picture }) => picture);
  if (format === 'npy') {
    return [
      { ...place, bytes: npyBytes(matrix) },
      { ...list, bytes: Buffer.from(pictures.map((picture) => `${picture}\n`).join('')) },
    ];
  }
  const metadata = { layertap: JSON.stringify(maker), pictures: JSON.stringify(pictures) };
  return [{ ...place, bytes: saveSafetensors([[NAME, matrix]], metadata) }];
}

/**
 * A row as a line of JSON. Each line says what made it: so all lines are alike for those who read them, and files can
 * be put together.
 *
 * @param {Row} row
 * @param {Maker} maker
 */
export function jsonLine({ picture, vector }, maker) {
  return JSON.stringify({ picture, layertap: maker, embedding: Array.from(vector) });
}

/**
 * The embeddings in a file of `embed`.
 *
 * @param {string} label what named the file in messages
 * @param {string} path
 * @returns {Promise<Index>}
 * @throws {CommandError} where it can't be read, or is none
 */
export async function readIndex(label, path) {
  const other = INDEX_FORMATS.find((one) => one !== 'safetensors' && path.toLowerCase().endsWith(`.${one}`));
  if (other && existsSync(path)) {
    const wayOut = `embed with --output FILE.safetensors writes one`;
    throw new CommandError(`${label} ${path}: expected an index, got .${other}; ${wayOut}`.trimStart());
  }
  return withTensorFile(label, path, async (file, named) => {
    const { layertap, pictures: text } = Object.fromEntries(file.metadata);
    const shape = file.tensors.get(NAME)?.shape ?? [];
    const maker = parsed(layertap);
    const pictures = parsed(text);
    const isIndex =
      isMaker(maker) &&
      Array.isArray(pictures) &&
      pictures.every((picture) => typeof picture === 'string') &&
      shape.length === 2 &&
      shape[0] === pictures.length &&
      file.tensors.get(NAME)?.dtype === 'F32';
    if (!isIndex) {
      throw new CommandError(`${named}: expected a file that embed has written, got another safetensors file`);
    }
    const tensors = await file.load([NAME]);
    const { data } = /** @type {Tensor} */ (tensors.get(NAME)).float();
    const [, size] = shape;
    const rows = pictures.map((picture, i) => ({ picture, vector: data.subarray(i * size, (i + 1) * size) }));
    return { maker, rows };
  });
}

/**
 * What a run that was cut short has left, or null.
 *
 * @param {string} path
 * @param {string} format
 * @returns {Promise<{ maker: Maker | null, rows: Row[] } | null>}
 * @throws {CommandError} where nothing tells what made the rows, or where they are of several makers
 */
export async function readExisting(path, format) {
  if (path === STANDARD || !existsSync(path)) return null;
  if (format === 'safetensors') return readIndex('--output', path);
  const label = `--output ${path}`;
  const anew = 'another --output begins anew, and so does this one without --skip-existing';
  /** @type {Row[]} */
  const rows = [];
  /** @type {Maker | null} */
  let maker = null;
  let number = 0;
  for await (const { line, isWhole } of linesOf(label, path)) {
    number++;
    const { picture, layertap, embedding } = parsed(line) ?? {};
    if (typeof picture !== 'string' || !Array.isArray(embedding)) {
      if (!isWhole && LINE.startsWith(line.slice(0, LINE.length))) break;
      throw new CommandError(
        `${label}: expected lines that embed has written, got another one, line ${number}; ${anew}`,
      );
    }
    if (!isMaker(layertap)) {
      const got = `got one that doesn't, line ${number}`;
      throw new CommandError(`${label}: expected lines that say what made them, ${got}; ${anew}`);
    }
    maker ??= layertap;
    checkMaker(`${label}, line ${number}`, maker, layertap);
    const own = pathFrom(picture, saidFolder(maker, path), saidFolder(layertap, path));
    rows.push({ picture: own, vector: Float32Array.from(embedding) });
  }
  return { maker, rows };
}

/**
 * A file's lines, and whether a line is whole: the last one may be a part of one. Not by node:readline, which ends
 * lines at characters that a picture's name may have.
 *
 * @param {string} label
 * @param {string} path
 * @returns {AsyncGenerator<{ line: string, isWhole: boolean }>}
 * @throws {CommandError}
 */
async function* linesOf(label, path) {
  let rest = '';
  try {
    for await (const text of createReadStream(path, 'utf8')) {
      const lines = text.split('\n');
      lines[0] = rest + lines[0];
      rest = /** @type {string} */ (lines.pop());
      for (const line of lines) yield { line, isWhole: true };
    }
  } catch (error) {
    throw new CommandError(`${label}: expected a readable file, got "${reasonOf(error)}"`);
  }
  if (rest !== '') yield { line: rest, isWhole: false };
}

/** @param {string | undefined} text @returns {any} */
function parsed(text) {
  try {
    return JSON.parse(text ?? '');
  } catch {
    return null;
  }
}

/** @param {any} maker @returns {maker is Maker} */
function isMaker(maker) {
  const texts = ['model', 'layer', 'preset', 'weights', 'fingerprint'];
  return (
    typeof maker === 'object' &&
    maker !== null &&
    texts.every((name) => typeof maker[name] === 'string') &&
    typeof maker.modelOptions === 'object' &&
    maker.modelOptions !== null &&
    (maker.folder === undefined || typeof maker.folder === 'string') &&
    (maker.recipe === undefined || (typeof maker.recipe?.options === 'object' && maker.recipe.options !== null))
  );
}

/**
 * Fails embeddings of two makers, which can't be compared.
 *
 * @param {string} label what names the index
 * @param {Maker} index
 * @param {Maker} other
 * @throws {CommandError}
 */
export function checkMaker(label, index, other) {
  const names = /** @type {const} */ (['model', 'layer', 'preset', 'fingerprint', 'network', 'autoOrient']);
  const differing = names.filter((name) => {
    if (name === 'preset' && index.recipe && other.recipe) return recipeText(index.recipe) !== recipeText(other.recipe);
    // Known once the network is ready, and not of indexes of before.
    if (name === 'network' && !(index.network && other.network)) return false;
    return index[name] !== other[name];
  });
  if (differing.length === 0) return;
  // Of presets of one name, what they do.
  const isNamed = index.preset !== other.preset;
  const partOf = (/** @type {Maker} */ maker, /** @type {typeof names[number]} */ name) =>
    name === 'preset' && !isNamed && maker.recipe ? recipeText(maker.recipe) : maker[name];
  const text = (/** @type {Maker} */ maker) =>
    differing.map((name) => `${NAMES[name]} ${partOf(maker, name)}`).join(', ');
  throw new CommandError(`${label}: expected what the index was made with, ${text(index)}, got ${text(other)}`);
}

/** What messages call the parts of a maker. */
const NAMES = {
  model: 'model',
  layer: 'layer',
  preset: 'preset',
  fingerprint: 'weights',
  network: 'network',
  autoOrient: '--auto-orient',
};
