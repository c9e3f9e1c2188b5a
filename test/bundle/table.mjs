/** Writes the table of docs/runtimes.md from results.json, between two markers. */

import { readFileSync, writeFileSync } from 'node:fs';

const PAGE = new URL('../../docs/runtimes.md', import.meta.url);
const RESULTS = new URL('results.json', import.meta.url);
const MARKERS = ['<!-- runtimes: written by npm run test:bundle -- --write -->', '<!-- /runtimes -->'];

/** The page with the table of the last run. @returns {string} */
export function pageWithTable() {
  const page = readFileSync(PAGE, 'utf8');
  const [start, end] = MARKERS.map((marker) => page.indexOf(marker));
  if (start < 0 || end < start) throw new Error('table: expected both markers in docs/runtimes.md');
  return `${page.slice(0, start + MARKERS[0].length)}\n\n${table()}\n\n${page.slice(end)}`;
}

/** Writes it. */
export function writeTable() {
  writeFileSync(PAGE, pageWithTable());
}

function table() {
  const { results } = JSON.parse(readFileSync(RESULTS, 'utf8'));
  const rows = results.map(({ name, version = '', status, binary = '', reason }) => {
    return [name, version, binary, status === 'passed' ? 'yes' : `not run: ${reason}`];
  });
  const lines = [['runtime', 'version', 'binary', 'works'], ['---', '---', '---', '---'], ...rows];
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
