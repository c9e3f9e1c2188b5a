/**
 * Draws results as SVG. `node bench/chart.mjs FILE.json FILE.svg` draws what is in a result's JSON: the times of the
 * suites models or zoo, or the suite scale's curves. Observable Plot, which draws, is a package of its own with what it
 * needs.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { installPackage } from '../scripts/with-package.mjs';

/**
 * The drawings by the suite that they show, once what draws them is installed.
 *
 * @returns {Promise<Readonly<Record<string, (report: import('./report.mjs').Report) => string>>>}
 */
export async function drawings() {
  installPackage('bench/charts');
  const [{ chart }, { curves }] = await Promise.all([import('./charts/models.mjs'), import('./charts/scale.mjs')]);
  return {
    models: (report) => chart(report, 'models'),
    zoo: (report) => chart(report, 'zoo'),
    scale: curves,
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [from, to] = process.argv.slice(2);
  if (!to) {
    process.stderr.write('usage: node bench/chart.mjs FILE.json FILE.svg\n');
    process.exit(2);
  }
  const report = JSON.parse(readFileSync(from, 'utf8'));
  const known = await drawings();
  const suite = Object.keys(known).find((name) => report.rows.some((/** @type {any} */ row) => row.suite === name));
  writeFileSync(to, known[suite ?? 'models'](report));
}
