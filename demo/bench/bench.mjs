/**
 * How long a visitor waits, in Debian's Chromium: `npm run bench:demo [-- --runs N] [--json FILE]`.
 *
 * - From the navigation to the digits network's first heat map, and to those of all its five layers.
 * - From the choice of a ResNet-18's weight file to its tree, its first heat map, those of five layers, and its top
 *   five; once of PyTorch's own format and once of safetensors. The weights are seeded noise of the real shapes.
 *
 * Each run has a new profile, so nothing comes from a cache. The browser has been left alone for two seconds before,
 * since a visitor's runs already. A thing is there in the first frame that shows it. Bounds are on medians of the runs,
 * and on the longest task of the page's own thread in any of them. Ends with 1 where one doesn't hold: so a machine
 * that does something else meanwhile is no place for it. What a busy machine doesn't change is a task's processor time,
 * which one more visit with a trace tells.
 */

import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { resnet18, saveSafetensors } from 'layertap';
import { chromium } from 'playwright-core';
import { stateDictOf } from '../../bench/weights.mjs';
import { pthZip } from '../../scripts/pth.mjs';
import { PATIENCE, taskTimes } from '../test/page.mjs';
import { serve } from '../test/server.mjs';
import { notes, observe } from './notes.mjs';

const CHROMIUM = '/usr/bin/chromium';

/** The most milliseconds of what is bound. */
const BOUNDS = {
  'load: five heat maps': 1000,
  'resnet18.pth: five heat maps': 1500,
  'resnet18.pth: top five': 1500,
  'resnet18.safetensors: five heat maps': 1500,
  'resnet18.safetensors: top five': 1500,
  'longest task of the page: load': 50,
  'longest task of the page: resnet18': 50,
  'longest task of the page, processor time': 50,
};

const { values } = parseArgs({ options: { runs: { type: 'string', default: '5' }, json: { type: 'string' } } });
const runs = Number(values.runs);
if (!Number.isSafeInteger(runs) || runs < 1) {
  process.stderr.write(`bench:demo: expected a whole number for --runs, got "${values.runs}"\n`);
  process.exit(2);
}

/** @param {readonly number[]} list */
function median(list) {
  const sorted = [...list].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** How long a browser is left alone before it visits: a visitor's runs already, and its start takes all CPUs. */
const SETTLED_MS = 2000;

/** Writes a ResNet-18's weights in both formats. @param {string} folder */
function writeWeights(folder) {
  const state = stateDictOf(resnet18());
  writeFileSync(join(folder, 'resnet18.safetensors'), saveSafetensors(state));
  const file = openSync(join(folder, 'resnet18.pth'), 'w');
  const tensors = [...state].map(([name, { dtype, shape, data }]) => {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    return /** @type {const} */ ([name, { dtype, shape, bytes }]);
  });
  for (const piece of pthZip(new Map(tensors))) writeSync(file, piece);
  closeSync(file);
}

/**
 * Calls with a page of a new browser, which is observed from its begin.
 *
 * @template T
 * @param {(page: import('playwright-core').Page) => Promise<T>} use
 * @returns {Promise<T>}
 */
async function withPage(use) {
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'],
  });
  try {
    const page = await browser.newPage();
    page.setDefaultTimeout(PATIENCE);
    await page.addInitScript(observe);
    await setTimeout(SETTLED_MS);
    return await use(page);
  } finally {
    await browser.close();
  }
}

/** Processor time of the longest task of one visit. @param {string} url @param {string} weights */
function ownWork(url, weights) {
  return withPage(async (page) => {
    const [longest] = await taskTimes(page, async () => {
      await notes(page, 'digits', () => page.goto(url));
      await notes(page, 'resnet18', () => page.locator('#weights-file').setInputFiles(weights));
    });
    return longest;
  });
}

/** One visit. @param {string} url @param {string} weights @returns {Promise<Record<string, number>>} */
function visit(url, weights) {
  return withPage(async (page) => {
    const load = await notes(page, 'digits', () => page.goto(url));
    const file = await notes(page, 'resnet18', () => page.locator('#weights-file').setInputFiles(weights));
    const name = weights.slice(weights.lastIndexOf('resnet18'));
    return {
      'load: first heat map': load.first,
      'load: five heat maps': load.five,
      [`${name}: tree`]: file.tree,
      [`${name}: first heat map`]: file.first,
      [`${name}: five heat maps`]: file.five,
      [`${name}: top five`]: file.answer,
      'longest task of the page: load': load.longestTask,
      'longest task of the page: resnet18': file.longestTask,
    };
  });
}

const folder = mkdtempSync(join(tmpdir(), 'layertap-bench-demo-'));
const server = await serve();
/** @type {Map<string, number[]>} */
const all = new Map();
try {
  writeWeights(folder);
  for (let run = 0; run < runs; run++) {
    for (const name of ['resnet18.pth', 'resnet18.safetensors']) {
      process.stderr.write(`${name}, run ${run + 1} of ${runs} …\n`);
      for (const [what, ms] of Object.entries(await visit(server.url, join(folder, name)))) {
        all.set(what, [...(all.get(what) ?? []), ms]);
      }
    }
  }
  process.stderr.write('a visit with a trace …\n');
  all.set('longest task of the page, processor time', [await ownWork(server.url, join(folder, 'resnet18.pth'))]);
} finally {
  server.close();
  rmSync(folder, { recursive: true });
}

const rows = [...all].map(([what, ms]) => {
  const isTask = what in BOUNDS && what.startsWith('longest');
  const bound = BOUNDS[what] ?? null;
  return { what, ms: isTask ? Math.max(...ms) : median(ms), least: Math.min(...ms), most: Math.max(...ms), bound };
});
const machine = `${cpus()[0]?.model ?? 'unknown'}, ${availableParallelism()} CPUs`;
if (values.json) writeFileSync(values.json, `${JSON.stringify({ machine, runs, rows }, null, 2)}\n`);
process.stdout.write(`${machine}\n\n| what | ms | least to most | bound |\n| --- | --- | --- | --- |\n`);
for (const { what, ms, least, most, bound } of rows) {
  const told = bound === null ? '' : `≤ ${bound}${ms <= bound ? '' : ': missed'}`;
  process.stdout.write(`| ${what} | ${ms.toFixed(0)} | ${least.toFixed(0)} to ${most.toFixed(0)} | ${told} |\n`);
}
process.exitCode = rows.every(({ ms, bound }) => bound === null || ms <= bound) ? 0 : 1;
