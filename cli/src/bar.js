/**
 * How far a run over many pictures is: on a terminal a bar with per cent and time left, elsewhere a line from time to
 * time. All on stderr. Not by a package: those hide the cursor, which a signal leaves hidden, or go back to where they
 * began, over the lines that came since.
 */

import { status } from './print.js';

/** Lines come so far apart where there is no terminal. */
const LINE_MS = 10_000;

/** The bar is drawn so often. */
const DRAW_MS = 100;

/** Characters of the bar. */
const WIDTH = 30;

/** A run's progress. */
export class Bar {
  #total;
  #isShown;
  #begin = performance.now();
  #last = process.stderr.isTTY ? Number.NEGATIVE_INFINITY : this.#begin;

  /**
   * @param {number} total pictures
   * @param {{ quiet?: boolean }} options
   */
  constructor(total, { quiet = false }) {
    this.#total = total;
    this.#isShown = !quiet && total > 1;
  }

  /**
   * @param {number} pictures that are done, with the part of those under way
   */
  update(pictures) {
    const now = performance.now();
    const apart = process.stderr.isTTY ? DRAW_MS : LINE_MS;
    if (!this.#isShown || pictures === 0 || now - this.#last < apart) return;
    this.#last = now;
    const part = pictures / this.#total;
    const left = Math.ceil((((now - this.#begin) / pictures) * (this.#total - pictures)) / 1000);
    const time = left < 120 ? `${left} s` : `${Math.ceil(left / 60)} min`;
    const text = `${Math.floor(part * 100)} %, ${Math.floor(pictures)} of ${this.#total} pictures, ${time} left`;
    const bar = '='.repeat(Math.floor(part * WIDTH)).padEnd(WIDTH, '-');
    if (process.stderr.isTTY) status(`${bar} ${text}`);
    else process.stderr.write(`layertap: ${text}\n`);
  }

  /** Takes the bar away: before a line is printed, and in the end. */
  clear() {
    if (!this.#isShown) return;
    status('');
    // The next one is drawn at once.
    if (process.stderr.isTTY) this.#last = Number.NEGATIVE_INFINITY;
  }
}
