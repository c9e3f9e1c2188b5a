/**
 * Engines: the Node that runs the benchmark, or others from bench/nodes, installed by the first run that asks for them.
 */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { installPackage } from '../scripts/with-package.mjs';

/** @typedef {{ major: string, path: string }} Engine */

/**
 * @param {string | undefined} list majors, e.g. '24,26'; the running Node unless given
 * @returns {Engine[]}
 * @throws {RangeError} where bench/nodes has no such version
 */
export function enginesOf(list) {
  const running = process.versions.node.split('.')[0];
  return (list?.split(',') ?? [running]).map((major) => {
    if (major === running) return { major, path: process.execPath };
    const path = join(installPackage('bench/nodes'), 'node_modules', `node${major}`, 'bin/node');
    if (!existsSync(path))
      throw new RangeError(`bench: expected a Node version of bench/nodes/package.json, got "${major}"`);
    return { major, path };
  });
}
