/** What the drawings share: text, colours for light and dark pages, and the frame. */

const STYLE = `
  text { font: 12px system-ui, -apple-system, 'Segoe UI', sans-serif; fill: #24292f }
  .heading { font-size: 16px; font-weight: 600 }
  .title, .own { font-weight: 600 }
  .note { fill: #57606a }
  .bar { fill: #b7bfc8 }
  .bar.own { fill: #1f6feb }
  .axis { stroke: #d0d7de }
  .curve { stroke: #1f6feb; stroke-width: 2; fill: none }
  .point { fill: #1f6feb }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .note { fill: #9198a1 }
    .bar { fill: #4d5661 }
    .bar.own, .point { fill: #4493f8 }
    .axis { stroke: #3d444d }
    .curve { stroke: #4493f8 }
  }`;

/** @param {string} text */
const escaped = (text) => text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);

/**
 * @param {number} x @param {number} y of the baseline @param {string} text @param {string} [name] the class
 * @param {'start' | 'middle' | 'end'} [anchor]
 */
export function label(x, y, text, name = '', anchor = 'start') {
  return (
    `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" class="${name}" ` + `text-anchor="${anchor}">${escaped(text)}</text>`
  );
}

/** Sizes in pixels: around the drawing, and from its top to the first element under heading and note. */
export const MARGIN = 20;
export const HEADER = 62;

/**
 * A whole drawing.
 *
 * @param {readonly [width: number, height: number]} size @param {string} heading @param {string} note
 * @param {readonly string[]} elements @returns {string} SVG
 */
export function drawing([width, height], heading, note, elements) {
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" ` +
    `width="${width}" height="${height}" role="img">
<title>${escaped(heading)}</title>
<style>${STYLE}
</style>
${[label(MARGIN, 28, heading, 'heading'), label(MARGIN, 46, note, 'note'), ...elements].join('\n')}
</svg>
`
  );
}

/** @param {number} ms at least three digits */
export const milliseconds = (ms) => `${ms >= 100 ? ms.toFixed(0) : ms.toPrecision(3)} ms`;
