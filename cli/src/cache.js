/** Where weights are looked for before a server is asked: what Python has downloaded, and what was read here before. */

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { cachedFile } from 'layertap/hub';
import { folderCache, huggingFaceCache, torchCheckpoint } from 'layertap/node';
import { reasonOf } from './failures.js';
import { warn } from './print.js';

/** Names the folder of the command line's own cache. */
const FOLDER = 'LAYERTAP_CACHE';

/** What torch.hub takes for the first digits of a file's SHA-256. A date has the same form. */
const HASHED = /-([0-9a-f]{8,})\.[a-z]+$/;

/**
 * The caches that a command looks into.
 *
 * @param {string | false | undefined} cache what `--cache` and `--no-cache` say; false for none at all
 */
export function cachesOf(cache) {
  if (cache === false) return { hub: {}, torch: {}, fileOf };
  const { [FOLDER]: named, XDG_CACHE_HOME } = process.env;
  const usual = join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'layertap');
  const own =
    cache !== undefined ? folderOf(cache, '--cache ') : named ? folderOf(named, `${FOLDER} `) : folderOf(usual);
  return {
    hub: { local: huggingFaceCache(), cache: own },
    torch: { local: torchCheckpoint, cache: own },
    fileOf: (/** @type {string} */ url) => fileOf(url, own),
  };
}

/**
 * The cache in a folder. Where the folder can't be used, one line says so, and nothing is cached.
 *
 * @param {string} folder
 * @param {string} [option] what named the folder
 * @returns {import('layertap/hub').RangeCache}
 */
function folderOf(folder, option = '') {
  const own = folderCache(folder);
  let isUsable = true;
  /** @template T @param {() => PromiseLike<T>} action */
  const attempt = async (action) => {
    try {
      return isUsable ? await action() : null;
    } catch (error) {
      const got = `got "${reasonOf(error)}"; nothing is cached`;
      if (isUsable) warn(`${option}${folder}: expected a writable folder, ${got}`);
      isUsable = false;
      return null;
    }
  };
  return {
    match: (...range) => attempt(() => own.match(...range)),
    put: async (...range) => {
      await attempt(() => own.put(...range));
    },
  };
}

/**
 * The file of a URL, and how it is let go of.
 *
 * @param {string} url
 * @param {import('layertap/hub').RangeCache} [cache]
 * @returns {Promise<{ source: string | import('layertap').ByteSource | import('layertap').FileHandleLike,
 *   close(): Promise<void> }>}
 */
async function fileOf(url, cache) {
  const held = cache && ((await checkpointOf(url)) ?? (await cachedFile(url, { cache })));
  return { source: held ?? url, close: async () => held?.close() };
}

/**
 * What PyTorch has downloaded under a URL's name, where it is the file whose hash the name has: by their names alone,
 * files of several servers are told apart by nothing else.
 *
 * @param {string} url
 */
async function checkpointOf(url) {
  const digits = HASHED.exec(new URL(url).pathname)?.[1];
  const found = digits === undefined ? null : await torchCheckpoint(url);
  if (!found || digits === undefined) return null;
  let isSame = false;
  try {
    const hash = createHash('sha256');
    for await (const chunk of createReadStream(String(found.name))) hash.update(chunk);
    isSame = hash.digest('hex').startsWith(digits);
  } finally {
    if (!isSame) await found.close();
  }
  return isSame ? found : null;
}
