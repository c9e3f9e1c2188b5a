/** Writes the README's table of runtimes from results.json, between two markers. */

import { readFileSync, writeFileSync } from 'node:fs';

const README = new URL('../../README.md', import.meta.url);
const RESULTS = new URL('results.json', import.meta.url);
const MARKERS = ['<!-- runtimes: written by npm run test:bundle -- --write -->', '<!-- /runtimes -->'];

/** The README with the table of the last run. @returns {string} */
export function readmeWithTable() {
  const readme = readFileSync(README, 'utf8');
  const [start, end] = MARKERS.map((marker) => readme.indexOf(marker));
  if (start < 0 || end < start) throw new Error('table: expected both markers in README.md');
  return `${readme.slice(0, start + MARKERS[0].length)}\n\n${table()}\n\n${readme.slice(end)}`;
}

/** Writes it. */
export function writeTable() {
  writeFileSync(README, readmeWithTable());
}

function table() {
  const { results } = JSON.parse(readFileSync(RESULTS, 'utf8'));
  const rows = results.map(({ name, version = '', status, binary = '', reason }) => {
    return [name, version, binary, status === 'passed' ? 'yes' : `not run: ${reason}`];
  });
  const lines = [['runtime', 'version', 'binary', 'works'], ['---', '---', '---', '---'], ...rows];
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
