/**
 * A bar chart of whole models' times, as SVG: a panel for each model with a scale of its own, a bar for each runtime. Also by
 * itself, from a result's JSON: `node bench/chart.mjs FILE.json FILE.svg`.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** @typedef {import('./report.mjs').Report} Report */
/** @typedef {import('./report.mjs').Row} Row */

/** Sizes in pixels. */
const PANEL = { width: 380, gap: 40, title: 26, bar: 18, pitch: 24, label: 124, value: 64, bottom: 26 };
const MARGIN = 20;
const HEADER = 62;
const COLUMNS = 2;

const TITLES = /** @type {Readonly<Record<string, string>>} */ ({
  resnet18: 'ResNet-18',
  resnet50: 'ResNet-50',
  'getter-resnet50': 'ResNet-50, only layer2 and layer3',
  mobilenet_v2: 'MobileNet v2',
  mobilenet_v3_large: 'MobileNet v3 large',
  deeplabv3_resnet50: 'DeepLab v3 on ResNet-50, 520×520',
});

const STYLE = `
  text { font: 12px system-ui, -apple-system, 'Segoe UI', sans-serif; fill: #24292f }
  .heading { font-size: 16px; font-weight: 600 }
  .title, .own { font-weight: 600 }
  .note, .runtime { fill: #57606a }
  .own { fill: #24292f }
  .bar { fill: #b7bfc8 }
  .bar.own { fill: #1f6feb }
  @media (prefers-color-scheme: dark) {
    text, text.own { fill: #e6edf3 }
    .note, .runtime { fill: #9198a1 }
    .bar { fill: #4d5661 }
    .bar.own { fill: #4493f8 }
  }`;

/** @param {string} text */
const escaped = (text) => text.replace(/[&<>]/g, (c) => `&#${c.charCodeAt(0)};`);

/** @param {number} x @param {number} y @param {string} text @param {string} [name] the class @param {string} [anchor] */
const label = (x, y, text, name = '', anchor = 'start') =>
  `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" class="${name}" text-anchor="${anchor}">${escaped(text)}</text>`;

/** @param {number} ms at least three digits */
const milliseconds = (ms) => `${ms >= 100 ? ms.toFixed(0) : ms.toPrecision(3)} ms`;

/**
 * The bars of one model, the fastest first.
 *
 * @param {readonly Row[]} rows @param {number} left @param {number} top @returns {string[]}
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
        label(x - 8, y + bar - 5, `${runtime}${binary === 'native' ? ' (native)' : ''}`, `runtime${own}`, 'end'),
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
  const size = [2 * MARGIN + COLUMNS * PANEL.width + (COLUMNS - 1) * PANEL.gap, HEADER + MARGIN + lines * height];
  const heading = `Milliseconds for one image, ${engine.replace('node', 'Node')}, one thread: shorter is faster`;
  const note = `${machine.cpu}, commit ${commit}; median of the least disturbed process; made by npm run bench`;
  const panels = names.flatMap((name, i) => {
    const left = MARGIN + (i % COLUMNS) * (PANEL.width + PANEL.gap);
    const own = shown.filter(({ model }) => model === name);
    return panel(own, left, HEADER + Math.floor(i / COLUMNS) * height);
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size.join(' ')}" width="${size[0]}" height="${size[1]}" role="img">
<title>${escaped(heading)}</title>
<style>${STYLE}
</style>
${[label(MARGIN, 28, heading, 'heading'), label(MARGIN, 46, note, 'note'), ...panels].join('\n')}
</svg>
`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [from, to] = process.argv.slice(2);
  if (!to) {
    process.stderr.write('usage: node bench/chart.mjs FILE.json FILE.svg\n');
    process.exit(2);
  }
  writeFileSync(to, chart(JSON.parse(readFileSync(from, 'utf8'))));
}
