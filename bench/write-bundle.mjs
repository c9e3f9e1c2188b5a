/** Makes a bundle of a model: apart from bundle.mjs, so that a peer's process doesn't load layertap. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { saveSafetensors } from '../dist/index.js';
import { installPackage } from '../scripts/with-package.mjs';
import { Unsupported, writeFloats } from './bundle.mjs';
import { nchwToNhwc } from './layout.mjs';
import { lower } from './lower.mjs';
import { traced } from './models.mjs';
import { PEERS } from './peers.mjs';
import { inputOf, stateDictOf } from './weights.mjs';

/**
 * Writes into `folder`: model.safetensors, program.json and constants.bin (see lower.mjs), input.bin, input-nhwc.bin,
 * and the files of the peers' formats.
 *
 * @param {string} folder @param {import('./models.mjs').Model} model @param {readonly string[]} peers
 * @param {{ isResident?: boolean }} [options] see subject.mjs
 * @returns {Promise<{ macs: number, outputs: string[], unsupported: Map<string, string> }>} and which formats can't say
 *   it
 */
export async function writeBundle(folder, { build, shape, input = inputOf(shape), normScale }, peers, options) {
  const module = build();
  const stateDict = stateDictOf(module, normScale);
  module.loadStateDict(stateDict);
  const { program, names, macs } = traced(module, shape);
  const { lowered, block } = lower(program, names);
  writeFileSync(join(folder, 'model.safetensors'), saveSafetensors(stateDict));
  writeFileSync(join(folder, 'program.json'), JSON.stringify(lowered));
  writeFloats(join(folder, 'constants.bin'), block);
  writeFloats(join(folder, 'input.bin'), input.data);
  writeFloats(join(folder, 'input-nhwc.bin'), nchwToNhwc(input.data, shape));

  /** @type {Map<string, string>} */
  const unsupported = new Map();
  for (const format of new Set(peers.map((peer) => PEERS[peer].format))) {
    const { write } = await import(`./peers/${format}/write.mjs`);
    try {
      write(folder, options);
    } catch (error) {
      if (!(error instanceof Unsupported)) throw error;
      for (const peer of peers) if (PEERS[peer].format === format) unsupported.set(peer, error.message);
    }
  }
  return { macs, outputs: names, unsupported };
}

/**
 * Calls with the folder of a bundle, which is removed afterwards. Installs the peers' package where there are peers.
 *
 * @template T
 * @param {Parameters<typeof writeBundle>[1]} model @param {Parameters<typeof writeBundle>[2]} peers
 * @param {Parameters<typeof writeBundle>[3]} options
 * @param {(bundle: { folder: string } & Awaited<ReturnType<typeof writeBundle>>) => Promise<T>} use
 * @returns {Promise<T>}
 */
export async function withBundle(model, peers, options, use) {
  if (peers.length > 0) installPackage('bench/peers');
  const folder = mkdtempSync(join(tmpdir(), 'layertap-bench-'));
  try {
    return await use({ folder, ...(await writeBundle(folder, model, peers, options)) });
  } finally {
    rmSync(folder, { recursive: true });
  }
}
