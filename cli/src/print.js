/** What commands print: tables, sizes, and on a terminal what is going on. */

import { oneLine } from './failures.js';

/**
 * Rows of cells as lines with aligned columns; numbers to the right.
 *
 * @param {readonly (readonly string[])[]} rows the first one is the head
 * @param {ReadonlySet<number>} [right] columns that are aligned to the right
 * @returns {string[]}
 */
export function table(rows, right = new Set()) {
  const widths = rows[0].map((_, column) => rows.reduce((most, row) => Math.max(most, row[column].length), 0));
  return rows.map((row) =>
    row
      .map((cell, column) => (right.has(column) ? cell.padStart(widths[column]) : cell.padEnd(widths[column])))
      .join('  ')
      .trimEnd(),
  );
}

/**
 * A file's name as a terminal shows it: without what would move the cursor.
 *
 * @param {string} name
 */
export function nameText(name) {
  return name.replace(/[\p{Cc}\u2028\u2029]/gu, '?');
}

/** @param {readonly number[]} shape */
export function shapeText(shape) {
  return `[${shape.join(', ')}]`;
}

/**
 * A count in three digits: 25.6 M.
 *
 * @param {number} count
 */
export function countText(count) {
  return scaled(count, 1000, ['', 'k', 'M', 'G', 'T', 'P']);
}

/**
 * Bytes in three digits: 3.06 MiB.
 *
 * @param {number} bytes
 */
export function bytesText(bytes) {
  return scaled(bytes, 1024, ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']);
}

/** @param {number} ms */
export function msText(ms) {
  return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
}

/**
 * @param {number} value
 * @param {number} step
 * @param {readonly string[]} units
 */
function scaled(value, step, units) {
  let unit = 0;
  let rest = value;
  while (rest >= 999.5 && unit < units.length - 1) {
    rest /= step;
    unit++;
  }
  const digits = unit === 0 ? String(value) : rest.toFixed(rest < 9.995 ? 2 : rest < 99.95 ? 1 : 0);
  return `${digits} ${units[unit]}`.trimEnd();
}

/**
 * Shows on stderr what is going on, where that is a terminal, as far as a line goes: only one line is cleared; ''
 * clears it.
 *
 * @param {string} text
 */
export function status(text) {
  const { isTTY, columns } = process.stderr;
  // Some terminals don't say how wide they are.
  if (isTTY) process.stderr.write(`\r\x1b[K${text.slice(0, (columns || 80) - 1)}`);
}

/**
 * Says on stderr what should be known at once.
 *
 * @param {string} text
 */
export function warn(text) {
  status('');
  process.stderr.write(`layertap: warning: ${oneLine(text)}\n`);
}

/**
 * Shows what is going on, and from then on how much of it is done.
 *
 * @param {string} what
 * @returns {(progress: { done: number, total: number, child?: unknown }) => void} an asynchronous call's `onProgress`
 */
export function progress(what) {
  status(`${what} …`);
  return ({ done, total }) => status(`${what}: ${total === 0 ? 100 : Math.floor((done / total) * 100)} %`);
}

/**
 * Shows how much of the weights is there.
 *
 * @param {import('layertap').LoadProgress} progress
 */
export function loading({ loadedBytes, totalBytes }) {
  const share = totalBytes === 0 ? 100 : Math.floor((loadedBytes / totalBytes) * 100);
  status(`reading weights, ${bytesText(totalBytes)}: ${share} %`);
}

/**
 * Milliseconds that an asynchronous function took, and what it gave.
 *
 * @template T
 * @param {() => Promise<T>} run
 * @returns {Promise<[ms: number, result: T]>}
 */
export async function timed(run) {
  const begin = performance.now();
  const result = await run();
  return [Math.round((performance.now() - begin) * 100) / 100, result];
}
