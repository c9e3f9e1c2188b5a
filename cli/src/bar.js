/**
 * How far a run over many pictures is: on a terminal a bar with per cent and time left, elsewhere a line from time to
 * time. All on stderr.
 */

import cliProgress from 'cli-progress';

/** Lines come so far apart where there is no terminal. */
const LINE_MS = 10_000;

/** Parts of a picture that the bar tells apart: of its multiply-accumulates. */
const PARTS = 1000;

/** A run's progress. */
export class Bar {
  #total;
  #bar;
  #isShown;
  #begin = performance.now();
  #last = this.#begin;

  /**
   * @param {number} total pictures
   * @param {{ quiet?: boolean }} options
   */
  constructor(total, { quiet = false }) {
    this.#total = total;
    this.#isShown = !quiet && total > 1;
    this.#bar =
      this.#isShown && process.stderr.isTTY
        ? new cliProgress.SingleBar({
            format: '{bar} {percentage} % | {pictures} of {all} pictures | {eta_formatted} left',
            stream: process.stderr,
            hideCursor: true,
            clearOnComplete: true,
            etaBuffer: 50,
          })
        : null;
    this.#bar?.start(total * PARTS, 0, { pictures: 0, all: total });
  }

  /**
   * @param {number} pictures that are done, with the part of those under way
   */
  update(pictures) {
    if (!this.#isShown) return;
    this.#bar?.update(Math.floor(pictures * PARTS), { pictures: Math.floor(pictures) });
    const now = performance.now();
    if (this.#bar || now - this.#last < LINE_MS || pictures === 0) return;
    this.#last = now;
    const left = Math.ceil((((now - this.#begin) / pictures) * (this.#total - pictures)) / 1000);
    const percent = Math.floor((pictures / this.#total) * 100);
    process.stderr.write(
      `layertap: ${percent} %, ${Math.floor(pictures)} of ${this.#total} pictures, ${left} s left\n`,
    );
  }

  /** Takes the bar away. */
  stop() {
    this.#bar?.stop();
  }
}
