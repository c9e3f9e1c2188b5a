/** What the drawings share: plots side by side in one SVG, with colours for light and dark pages. */

import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';

/** Where an SVG is shown as a picture, only a style of its own knows whether the page is dark. */
const STYLE = `
  :root { color: #24292f; --note: #57606a; --other: #b7bfc8; --own: #1f6feb }
  svg { font: 12px system-ui, -apple-system, 'Segoe UI', sans-serif; overflow: visible }
  @media (prefers-color-scheme: dark) {
    :root { color: #e6edf3; --note: #9198a1; --other: #4d5661; --own: #4493f8 }
  }`;

/** Sizes in pixels: around the drawing and between its plots, and of the lines above them. */
const MARGIN = 20;
const GAP = 40;
const HEADER = 64;
const TITLE = 26;

const { document } = parseHTML('<html></html>');

/** @typedef {{ title: string, options: object }} Panel Plot's options beside the size */

/**
 * @param {string} heading @param {string} note
 * @param {readonly Panel[]} panels in two columns
 * @param {{ width: number, height: number }} size of each, in pixels
 * @returns {string} SVG
 */
export function drawing(heading, note, panels, { width, height }) {
  const all = [2 * MARGIN + 2 * width + GAP, HEADER + Math.ceil(panels.length / 2) * (TITLE + height) + MARGIN];
  const svg = element('svg', { viewBox: `0 0 ${all.join(' ')}`, width: all[0], height: all[1], role: 'img' }, [
    element('title', {}, [heading]),
    element('style', {}, [STYLE]),
    text(MARGIN, 28, heading, { 'font-size': 16, 'font-weight': 600 }),
    text(MARGIN, 46, note, { fill: 'var(--note)' }),
    ...panels.flatMap(({ title, options }, i) => {
      const [x, y] = [MARGIN + (i % 2) * (width + GAP), HEADER + Math.floor(i / 2) * (TITLE + height)];
      const plot = Plot.plot({ document, width, height, ...options });
      plot.querySelector('style')?.remove();
      for (const [name, value] of Object.entries({ x, y: y + TITLE })) plot.setAttribute(name, value);
      return [text(x, y + 14, title, { 'font-weight': 600 }), plot];
    }),
  ]);
  svg.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  return `${svg.outerHTML}\n`;
}

/** @param {number} x @param {number} y @param {string} content @param {object} attributes */
const text = (x, y, content, attributes) => element('text', { x, y, fill: 'currentColor', ...attributes }, [content]);

/** @param {string} name @param {object} attributes @param {readonly (string | object)[]} children */
function element(name, attributes, children) {
  const made = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(.../** @type {any} */ (children));
  return made;
}

/** @param {number} ms at least three digits */
export const milliseconds = (ms) => `${ms >= 100 ? ms.toFixed(0) : ms.toPrecision(3)} ms`;
