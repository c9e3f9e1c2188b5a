/**
 * Runs a network over pictures, in batches, while the next ones are decoded. A picture that can't be decoded or run
 * fails by itself. Memory doesn't grow with the number of pictures.
 */

import { LayertapError } from 'layertap';
import { cat } from 'layertap/tools';
import { Bar } from './bar.js';
import { Decoder } from './decoder.js';
import { CommandError, failureLine } from './failures.js';

/** @typedef {import('layertap').Tensor<Float32Array>} Input */

/** Threads of a network that one decoder keeps at work: decoding takes a sixth of a small network's time. */
const FED_THREADS = 4;

/**
 * A network that is ready, for so many inputs at once.
 *
 * @template Output
 * @typedef {{ width: number, compute(input: Input, onProgress: (part: number) => void): Promise<Output> }} Computing
 */

/** A picture that gave nothing, and why. @typedef {{ picture: string, error: string }} Failure */

/**
 * @template Output
 * @typedef {object} Run
 * @property {readonly string[]} pictures
 * @property {ReturnType<typeof import('./preparation.js').preparationOf>} preparation
 * @property {{ autoOrient?: boolean, batch?: number, quiet?: boolean, threads?: number }} options
 * @property {(shape: readonly number[], count: number) => Promise<Computing<Output>>} open makes the network ready for
 *   inputs like the first, so many of them; what it throws ends the run
 * @property {(picture: string, output: Output, index: number, input: Input) => Promise<void> | void} take is given
 *   each picture's output: of the batch, and which of it
 */

/**
 * Runs all pictures.
 *
 * @template Output
 * @param {Run<Output>} run
 * @returns {Promise<Failure[]>}
 */
export async function runPictures({ pictures, preparation, options, open, take }) {
  const { autoOrient = false, batch = 1, quiet = false, threads = 1 } = options;
  const workers = pictures.length > 1 ? Math.ceil(threads / FED_THREADS) : 0;
  const decoder = new Decoder(preparation, { autoOrient, workers });
  const bar = new Bar(pictures.length, { quiet });
  /** @type {Failure[]} */
  const failures = [];
  const fail = (/** @type {string} */ picture, /** @type {unknown} */ error) => {
    if (!(error instanceof CommandError) && !(error instanceof LayertapError)) throw error;
    const message = error.message.startsWith(`${picture}: `) ? error.message : `${picture}: ${error.message}`;
    failures.push({ picture, error: message });
    process.stderr.write(`${failureLine(message)}\n`);
  };
  /** @type {{ picture: string, input: Promise<Input> }[]} Those that are being decoded, in order. */
  const ahead = [];
  let begun = 0;
  let done = 0;
  const decodeAhead = () => {
    while (begun < pictures.length && ahead.length < 2 * batch + 2) {
      const picture = pictures[begun++];
      const input = decoder.read(picture);
      // It is waited for later; until then nobody would have caught it.
      input.catch(() => {});
      ahead.push({ picture, input });
    }
  };
  /**
   * Batches that are computed, in order, each with what it has come to so far.
   *
   * @type {{ members: { picture: string, input: Input }[], output: Promise<Output>, part: number }[]}
   */
  const running = [];
  const showProgress = () => bar.update(running.reduce((sum, { members, part }) => sum + part * members.length, done));
  const finish = async () => {
    const { members, output } = /** @type {typeof running[number]} */ (running[0]);
    try {
      const result = await output;
      for (const [index, member] of members.entries()) {
        try {
          await take(member.picture, result, index, member.input);
        } catch (error) {
          fail(member.picture, error);
        }
      }
    } catch (error) {
      for (const { picture } of members) fail(picture, error);
    }
    running.shift();
    done += members.length;
    showProgress();
  };
  try {
    /** @type {Computing<Output> | undefined} */
    let computing;
    /** @type {{ picture: string, input: Input } | null} The one whose shape didn't fit the batch before. */
    let left = null;
    for (;;) {
      /** @type {{ picture: string, input: Input }[]} */
      const members = left ? [left] : [];
      left = null;
      decodeAhead();
      while (members.length < batch) {
        const next = ahead.shift();
        if (!next) break;
        decodeAhead();
        try {
          const member = { picture: next.picture, input: await next.input };
          if (members.length > 0 && String(member.input.shape) !== String(members[0].input.shape)) {
            left = member;
            break;
          }
          members.push(member);
        } catch (error) {
          fail(next.picture, error);
          done++;
          showProgress();
        }
      }
      if (members.length === 0) break;
      computing ??= await open(members[0].input.shape, Math.ceil(pictures.length / batch));
      const input = members.length === 1 ? members[0].input : cat(members.map((member) => member.input)).float();
      /** @type {typeof running[number]} */
      const one = { members, output: /** @type {any} */ (null), part: 0 };
      one.output = computing.compute(input, (part) => {
        one.part = part;
        showProgress();
      });
      // Whoever waits for an earlier batch doesn't catch this one's error.
      one.output.catch(() => {});
      running.push(one);
      if (running.length >= computing.width) await finish();
    }
    while (running.length > 0) await finish();
  } finally {
    bar.stop();
    await decoder.close();
  }
  return failures;
}

/**
 * What a run says in the end.
 *
 * @param {string} what was done, as in `classified`
 * @param {number} all
 * @param {readonly Failure[]} failures
 * @param {{ skipped?: number, ms: number }} more
 */
export function summaryOf(what, all, failures, { skipped = 0, ms }) {
  const done = all - failures.length;
  const rest = [
    skipped > 0 && `skipped ${skipped} that were there`,
    failures.length > 0 && `${failures.length} failed`,
  ];
  const speed = done > 0 ? ` in ${(ms / 1000).toFixed(1)} s` : '';
  return [`${what} ${done} ${done === 1 ? 'picture' : 'pictures'}${speed}`, ...rest.filter(Boolean)].join(', ');
}
