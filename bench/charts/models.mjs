/** A bar chart of whole models' times: a panel for each model with a scale of its own, a bar for each runtime. */

import * as Plot from '@observablehq/plot';
import { drawing, milliseconds } from './svg.mjs';

/** @typedef {import('../report.mjs').Report} Report */
/** @typedef {import('../report.mjs').Timed} Timed */

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
 * @param {readonly Timed[]} rows
 */
function bars(rows) {
  const name = (/** @type {Timed} */ { runtime, binary }) => runtime + (binary === 'native' ? ' (native)' : '');
  const fill = (/** @type {Timed} */ { runtime }) => (runtime === 'layertap' ? 'var(--own)' : 'var(--other)');
  const text = (/** @type {Timed} */ { medianMs }) => milliseconds(medianMs);
  return {
    ...{ marginTop: 0, marginBottom: 10, marginLeft: 124, marginRight: 64 },
    x: { axis: null },
    y: { label: null, tickSize: 0, padding: 0.25 },
    marks: [
      Plot.barX(rows, { y: name, x: 'medianMs', fill, rx: 2, sort: { y: 'x' } }),
      Plot.text(rows, { y: name, x: 'medianMs', text, textAnchor: 'start', dx: 6 }),
    ],
  };
}

/**
 * The chart of a result's last engine.
 *
 * @param {Report} report @param {'models' | 'zoo'} suite @returns {string} SVG
 * @throws {RangeError} where the result has none of the suite's models
 */
export function chart({ rows, machine, commit }, suite) {
  const models = rows.filter((row) => row.suite === suite);
  const engine = models.at(-1)?.engine;
  if (!engine) throw new RangeError(`bench: expected a result of the suite "${suite}" for a chart, got none`);
  const shown = models.filter((row) => row.engine === engine);
  const names = [...new Set(shown.map(({ model }) => model))];
  const groups = names.map((name) => /** @type {Timed[]} */ (shown.filter(({ model }) => model === name)));
  const most = Math.max(...groups.map(({ length }) => length));
  return drawing(
    `Milliseconds for one image, ${engine.replace('node', 'Node')}, one thread: shorter is faster`,
    `${machine.cpu}, commit ${commit}; median of the least disturbed process; made by npm run bench`,
    groups.map((group, i) => ({ title: TITLES[names[i]] ?? names[i], options: bars(group) })),
    { width: 380, height: 24 * most + 16 },
  );
}
