/**
 * A bar chart of whole models' times, as SVG: a panel for each model with a scale of its own, a bar for each runtime.
 * Also by itself, from a result's JSON: `node bench/chart.mjs FILE.json FILE.svg`.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { drawing, HEADER, label, MARGIN, milliseconds } from './svg.mjs';

/** @typedef {import('./report.mjs').Report} Report */
/** @typedef {import('./report.mjs').Timed} Timed */

/** Sizes in pixels. */
const PANEL = { width: 380, gap: 40, title: 26, bar: 18, pitch: 24, label: 124, value: 64, bottom: 26 };
const COLUMNS = 2;

const TITLES = /** @type {Readonly<Record<string, string>>} */ ({
  resnet18: 'ResNet-18',
  resnet50: 'ResNet-50',
  'getter-resnet50': 'ResNet-50, only layer2 and layer3',
  mobilenet_v2: 'MobileNet v2',
  mobilenet_v3_large: 'MobileNet v3 large',
  deeplabv3_resnet50: 'DeepLab v3 on ResNet-50, 520×520',
});

/**
 * The bars of one model, the fastest first.
 *
 * @param {readonly Timed[]} rows @param {number} left @param {number} top @returns {string[]}
 */
function panel(rows, left, top) {
  const { width, title, bar, pitch, label: names, value } = PANEL;
  const slowest = Math.max(...rows.map(({ medianMs }) => medianMs));
  const bars = [...rows].sort((a, b) => a.medianMs - b.medianMs);
  return [
    label(left, top + 12, TITLES[rows[0].model] ?? rows[0].model, 'title'),
    ...bars.flatMap(({ runtime, binary, medianMs }, i) => {
      const own = runtime === 'layertap' ? ' own' : '';
      const [x, y] = [left + names, top + title + i * pitch];
      const length = ((width - names - value) * medianMs) / slowest;
      return [
        label(x - 8, y + bar - 5, `${runtime}${binary === 'native' ? ' (native)' : ''}`, own ? 'own' : 'note', 'end'),
        `<rect x="${x}" y="${y}" width="${length.toFixed(1)}" height="${bar}" rx="2" class="bar${own}"/>`,
        label(x + length + 6, y + bar - 5, milliseconds(medianMs), own.trim()),
      ];
    }),
  ];
}

/**
 * The chart of a result's last engine.
 *
 * @param {Report} report @returns {string} SVG
 * @throws {RangeError} where the result has no models
 */
export function chart({ rows, machine, commit }) {
  const models = rows.filter(({ suite }) => suite === 'models');
  const engine = models.at(-1)?.engine;
  if (!engine) throw new RangeError('bench: expected a result of the suite "models" for a chart, got none');
  const shown = models.filter((row) => row.engine === engine);
  const names = [...new Set(shown.map(({ model }) => model))];
  const most = Math.max(...names.map((name) => shown.filter(({ model }) => model === name).length));
  const height = PANEL.title + most * PANEL.pitch + PANEL.bottom;
  const lines = Math.ceil(names.length / COLUMNS);
  const size = /** @type {const} */ ([
    2 * MARGIN + COLUMNS * PANEL.width + (COLUMNS - 1) * PANEL.gap,
    HEADER + MARGIN + lines * height,
  ]);
  const heading = `Milliseconds for one image, ${engine.replace('node', 'Node')}, one thread: shorter is faster`;
  const note = `${machine.cpu}, commit ${commit}; median of the least disturbed process; made by npm run bench`;
  const panels = names.flatMap((name, i) => {
    const left = MARGIN + (i % COLUMNS) * (PANEL.width + PANEL.gap);
    const own = shown.filter(({ model }) => model === name);
    return panel(/** @type {Timed[]} */ (own), left, HEADER + Math.floor(i / COLUMNS) * height);
  });
  return drawing(size, heading, note, panels);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [from, to] = process.argv.slice(2);
  if (!to) {
    process.stderr.write('usage: node bench/chart.mjs FILE.json FILE.svg\n');
    process.exit(2);
  }
  writeFileSync(to, chart(JSON.parse(readFileSync(from, 'utf8'))));
}
