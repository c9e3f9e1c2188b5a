/** Where the outputs of pictures go, and which of them are there. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { namesBelow, picturesOf } from './pictures.js';

/**
 * Pictures whose outputs are files below folders.
 *
 * @template {readonly any[]} More
 * @typedef {object} WithPlaces
 * @property {readonly string[]} all
 * @property {readonly string[]} left those to compute: with `skipExisting` those of whose outputs one isn't there
 * @property {(picture: string, ...more: More) => import('./output.js').Named[]} placesOf a picture's outputs
 */

/**
 * @template {readonly any[]} More
 * @param {{ pictures: readonly string[], skipExisting?: boolean }} options
 * @param {(below: (folder: string) => string, ...more: More) => import('./output.js').Named[]} outputsOf a picture's
 *   outputs, by its path below any folder, which has no end; with no more arguments those that are looked for
 * @returns {Promise<WithPlaces<More>>}
 * @throws as {@link picturesOf}, and for stdin, which has no name
 */
export async function withPlaces({ pictures, skipExisting = false }, outputsOf) {
  const all = await picturesOf(pictures);
  const names = namesBelow(all);
  const placesOf = (/** @type {string} */ picture, /** @type {More} */ ...more) =>
    outputsOf((folder) => join(folder, `${names.get(picture)}`), ...more);
  const isDone = (/** @type {string} */ picture) =>
    placesOf(picture, .../** @type {any} */ ([])).every(({ path }) => existsSync(path));
  return { all, left: skipExisting ? all.filter((picture) => !isDone(picture)) : all, placesOf };
}
