/**
 * A user's project in a temporary folder: the packed tarball installed, the probe beside it, and the lines that use
 * both.
 */

import { cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { installPackage } from '../../scripts/with-package.mjs';
import { outputOf, present } from './command.mjs';
import { goldenOf } from './golden.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '../..');

/**
 * @typedef {object} Project
 * @property {string} folder the user's project
 * @property {string} packages test/bundle, where the runtimes are installed
 * @property {(name: string) => string} bin the command of an installed package
 * @property {(major: 20 | 22 | 24 | 26) => string} node an installed Node
 * @property {() => void} remove deletes the folder
 */

/** @param {string} packages @returns {Promise<Project>} */
export async function packedProject(packages) {
  const folder = mkdtempSync(join(tmpdir(), 'layertap-bundle-'));
  await outputOf('npm', ['pack', '--pack-destination', folder], { cwd: root });
  const tarball = readdirSync(folder).find((file) => file.endsWith('.tgz'));
  const manifest = { private: true, type: 'module', dependencies: { layertap: `file:${tarball}` } };
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest));
  await outputOf('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--offline'], { cwd: folder });
  const layertap = await import(pathToFileURL(join(folder, 'node_modules/layertap/dist/index.js')).href);
  writeFileSync(join(folder, 'golden.mjs'), `export const golden = ${JSON.stringify(goldenOf(layertap))};\n`);
  for (const file of ['probe.mjs', 'networks.mjs']) cpSync(join(here, file), join(folder, file));
  cpSync(join(here, 'apps'), folder, { recursive: true });
  return {
    folder,
    packages,
    bin: (name) => present(join(packages, 'node_modules/.bin', name), name),
    node(major) {
      const file = join(installPackage('bench/nodes'), `node_modules/node${major}/bin/node`);
      return present(file, `Node ${major}`);
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
