/** Where the outputs of pictures go, and which of them are there. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { namesBelow, picturesOf } from './pictures.js';

/**
 * Pictures whose outputs are files below folders.
 *
 * @typedef {object} WithPlaces
 * @property {readonly string[]} all
 * @property {readonly string[]} left those to compute: with `skipExisting` those of whose outputs one isn't there
 * @property {(picture: string, names?: readonly string[]) => import('./output.js').Named[]} placesOf a picture's
 *   outputs; the features' names, where they have come in another order than the layers were named in
 */

/**
 * @param {{ pictures: readonly string[], skipExisting?: boolean }} options
 * @param {Readonly<Record<string, string | undefined>>} folders that outputs go to, by the options that named them
 * @param {(below: (folder: string) => string, names?: readonly string[]) => import('./output.js').Named[]} outputsOf a
 *   picture's outputs, by its path below any folder, which has no end
 * @returns {Promise<WithPlaces>}
 * @throws as {@link picturesOf}, and for stdin, which has no name
 */
export async function withPlaces({ pictures, skipExisting = false }, folders, outputsOf) {
  const outputs = Object.values(folders).filter((folder) => folder !== undefined);
  const all = await picturesOf(pictures, outputs);
  const stems = namesBelow(all);
  /** @param {string} picture @param {readonly string[]} [names] */
  const placesOf = (picture, names) => outputsOf((folder) => join(folder, `${stems.get(picture)}`), names);
  const isDone = (/** @type {string} */ picture) => placesOf(picture).every(({ path }) => existsSync(path));
  return { all, left: skipExisting ? all.filter((picture) => !isDone(picture)) : all, placesOf };
}
