/**
 * The suite scale's two curves: milliseconds an image over the batch's size, and over an image's pixels. Both axes are
 * linear, from 0.
 */

import * as Plot from '@observablehq/plot';
import { drawing } from './svg.mjs';

/** @typedef {import('../report.mjs').Report} Report */
/** @typedef {{ x: number, ms: number }} Point */

/** @param {string} label @param {readonly Point[]} points */
function curve(label, points) {
  return {
    ...{ marginTop: 10, marginBottom: 40, marginLeft: 44, marginRight: 10, grid: true },
    x: { zero: true, label },
    y: { zero: true, label: null },
    marks: [
      Plot.line(points, { x: 'x', y: 'ms', stroke: 'var(--own)', strokeWidth: 2 }),
      Plot.dot(points, { x: 'x', y: 'ms', fill: 'var(--own)', r: 3 }),
    ],
  };
}

/**
 * The curves of a result's last model and engine.
 *
 * @param {Report} report @returns {string} SVG
 * @throws {RangeError} where the result lacks the suite
 */
export function curves({ rows, machine, commit }) {
  const scale = rows.filter(({ suite }) => suite === 'scale');
  const last = scale.at(-1);
  if (!last) throw new RangeError('bench: expected a result of the suite "scale" for curves, got none');
  const [name] = last.model.split(',');
  const own = scale.filter(({ model, engine }) => engine === last.engine && model.startsWith(`${name},`));
  /** @param {string} curve @param {(row: any) => number} at @returns {Point[]} */
  const pointsOf = (curve, at) =>
    own.filter((row) => row.curve === curve).map((row) => ({ x: at(row), ms: /** @type {number} */ (row.msPerImage) }));
  const batch = pointsOf('batch', ({ images }) => images);
  const pixels = pointsOf('pixels', ({ pixels }) => pixels / 1e6);
  return drawing(
    `Milliseconds for an image, ${name}, ${last.engine.replace('node', 'Node')}, one thread`,
    `${machine.cpu}, commit ${commit}; made by npm run bench`,
    [
      { title: 'over the images of a batch of 224×224', options: curve('images', batch) },
      { title: 'over the pixels of one image', options: curve('megapixels', pixels) },
    ],
    { width: 360, height: 230 },
  );
}
