/**
 * The suite scale's two curves as SVG: milliseconds an image over the batch's size, and over an image's pixels. Both
 * axes are linear, from 0.
 */

import { drawing, HEADER, label, MARGIN, milliseconds } from './svg.mjs';

/** @typedef {import('./report.mjs').Report} Report */
/** @typedef {readonly [x: number, ms: number, name: string]} Point */

/** Sizes in pixels. */
const PLOT = { width: 320, height: 180, gap: 80, title: 24, ticks: 40 };

/**
 * @param {string} title @param {readonly Point[]} points @param {number} left @param {number} top @returns {string[]}
 */
function plot(title, points, left, top) {
  const { width, height } = PLOT;
  const [most, slowest] = [Math.max(...points.map(([x]) => x)), Math.max(...points.map(([, ms]) => ms))];
  const bottom = top + PLOT.title + height;
  const placed = points.map(([x, ms, name]) => ({
    x: left + (width * x) / most,
    y: bottom - ((height - 20) * ms) / slowest,
    ...{ ms, name },
  }));
  const path = placed.map(({ x, y }) => `${x.toFixed(1)},${y.toFixed(1)}`).join(' ');
  return [
    label(left, top + 12, title, 'title'),
    `<path d="M${left} ${top + PLOT.title}V${bottom}H${left + width}" class="axis" fill="none"/>`,
    `<polyline points="${path}" class="curve"/>`,
    ...placed.flatMap(({ x, y, ms, name }, i) => {
      // Names of neighbouring points would cover each other.
      const isNamed = placed.slice(i + 1).every((next) => next.x - x > 44);
      const dot = `<circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="3" class="point"/>`;
      if (!isNamed) return [dot];
      return [dot, label(x, y - 8, milliseconds(ms), '', 'middle'), label(x, bottom + 18, name, 'note', 'middle')];
    }),
  ];
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
  /** @param {string} curve @param {(row: any) => readonly [x: number, name: string]} at @returns {Point[]} */
  const pointsOf = (curve, at) =>
    own
      .filter((row) => row.curve === curve)
      .map((row) => {
        const [x, name] = at(row);
        return [x, /** @type {number} */ (row.msPerImage), name];
      });
  const batch = pointsOf('batch', ({ images }) => [images, `${images}`]);
  const pixels = pointsOf('pixels', ({ pixels }) => [pixels, `${Math.sqrt(pixels)}²`]);
  const second = MARGIN + PLOT.width + PLOT.gap;
  const size = /** @type {const} */ ([
    second + PLOT.width + 2 * MARGIN,
    HEADER + PLOT.title + PLOT.height + PLOT.ticks,
  ]);
  const heading = `Milliseconds for an image, ${name}, ${last.engine.replace('node', 'Node')}, one thread`;
  return drawing(size, heading, `${machine.cpu}, commit ${commit}; made by npm run bench`, [
    ...plot('over the images of a batch of 224×224', batch, MARGIN, HEADER),
    ...plot('over the pixels of one image', pixels, second, HEADER),
  ]);
}
