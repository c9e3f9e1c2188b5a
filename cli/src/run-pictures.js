/**
 * Runs a network over pictures, and hands their outputs on in the pictures' order: what the commands over pictures
 * have in common, from the first picture to the summary. Memory doesn't grow with the number of pictures.
 */

import { Bar } from './bar.js';
import { failureLine } from './failures.js';
import { expected, readPicture } from './lane.js';
import { progress, shapeText, timed } from './print.js';
import { withoutSecretsIn } from './secrets.js';

/** Outputs that wait for an earlier picture, in batches for each that runs: a large photo holds nobody up. */
const WAITING = 4;

/** A picture that gave nothing, and why. @typedef {{ picture: string, error: string }} Failure */

/** What a run came to. @typedef {{ done: number, failed: Failure[], ms: number }} Ran */

/**
 * @typedef {object} Run
 * @property {import('./network.js').Network} network which the run closes
 * @property {readonly string[]} pictures
 * @property {{ autoOrient?: boolean, batch?: number, quiet?: boolean }} options
 * @property {ReadonlyMap<string, string>} [layers] whose features are the output; the network's own unless given
 * @property {boolean} [keepsInputs] whether `take` is given inputs
 * @property {(shape: readonly number[]) => void} [onInput] is told of the first input before weights are read
 * @property {(shape: readonly number[]) => Promise<void> | void} [onReady] is told of the first input when the network
 *   is ready; what it throws ends the run
 * @property {(file: import('layertap').TensorStream) => import('layertap').TensorStream} [fit] as `Network.start` takes
 *   it
 * @property {(picture: string, output: any, index: number, read: Taken) => Promise<void> | void} take is given each
 *   picture's output: of the batch, and which of it; of the batch is the input, too
 */

/** @typedef {Pick<import('./lane.js').Group, 'input'> & Pick<import('./lane.js').Read, 'size'>} Taken */

/**
 * Runs all pictures.
 *
 * @param {Run} run
 * @returns {Promise<Ran>}
 */
export async function runPictures({
  network,
  pictures,
  options,
  layers,
  keepsInputs = false,
  onInput,
  onReady,
  fit,
  take,
}) {
  const begin = performance.now();
  const { autoOrient = false, batch = 1, quiet = false } = options;
  const bar = new Bar(pictures.length, { quiet });
  /** @type {Failure[]} */
  const failed = [];
  const fail = (/** @type {string} */ picture, /** @type {unknown} */ error) => {
    const { message } = expected(error);
    const line = message.startsWith(`${picture}: `) ? message : `${picture}: ${message}`;
    failed.push({ picture: withoutSecretsIn(picture), error: withoutSecretsIn(line) });
    bar.clear();
    process.stderr.write(`${failureLine(line)}\n`);
  };
  /** Batches that are computed, in order, each with what it has come to so far. @type {Running[]} */
  const running = [];
  let done = 0;
  const showProgress = () => bar.update(running.reduce((sum, { members, part }) => sum + part * members.length, done));
  const finish = async (/** @type {Running} */ { members, result, error }) => {
    if (!result) throw error;
    for (const [member, { picture }] of members.entries()) {
      const failure = result.failures.find((one) => one.member === member);
      const group = result.groups.find((one) => one.members.includes(member));
      try {
        if (failure) throw failure.error;
        // What it prints begins a line.
        bar.clear();
        const index = group?.members.indexOf(member) ?? 0;
        if (group) await take(picture, group.output, index, { input: group.input, size: group.sizes[index] });
      } catch (error) {
        fail(picture, error);
      }
    }
    done += members.length;
  };
  try {
    let next = 0;
    /** @type {import('./lane.js').Read | undefined} */
    let first;
    // What the network is made ready for.
    for (; !first && next < pictures.length; next++) {
      try {
        first = await readPicture(pictures[next], { autoOrient, prepare: network.preparation.prepare });
      } catch (error) {
        fail(pictures[next], error);
        done++;
      }
    }
    if (!first) return { done: 0, failed, ms: performance.now() - begin };
    next--;
    const left = pictures.length - next;
    const { shape } = first.input;
    onInput?.(shape);
    if (layers) network.tap(layers, shape);
    const runner = await network.start(shape, { count: Math.ceil(left / batch), autoOrient, keepsInputs, fit });
    await onReady?.(shape);
    while (next < pictures.length || running.length > 0) {
      let busy = running.filter(({ isDone }) => !isDone).length;
      for (; next < pictures.length && busy < runner.width && running.length < WAITING * runner.width; busy++) {
        const members = pictures.slice(next, next + batch).map((picture) => ({ picture }));
        next += members.length;
        running.push(started(runner, first ? [{ ...members[0], read: first }, ...members.slice(1)] : members));
        first = undefined;
      }
      await Promise.race(running.filter(({ isDone }) => !isDone).map(({ settled }) => settled));
      for (; running[0]?.isDone; running.shift()) await finish(running[0]);
      showProgress();
    }
  } finally {
    bar.clear();
    await network.close();
  }
  return { done: pictures.length - failed.length, failed, ms: performance.now() - begin };

  /**
   * @param {import('./lane.js').Runner} runner
   * @param {readonly import('./lane.js').Member[]} members
   */
  function started(runner, members) {
    /** @type {Running} */
    const one = { members, part: 0, isDone: false, settled: Promise.resolve() };
    const run = runner.run(members, (part) => {
      one.part = part;
      showProgress();
    });
    one.settled = run
      .then(
        (result) => Object.assign(one, { result }),
        (error) => Object.assign(one, { error }),
      )
      .then(() => {
        one.part = 1;
        one.isDone = true;
      });
    return one;
  }
}

/**
 * Runs one input, which all threads share.
 *
 * @param {import('./network.js').Network} network which is closed in the end
 * @param {import('./lane.js').Input} input
 * @param {{ quiet?: boolean, onReady?: () => void, fit?: Run['fit'] }} [options] what is told when the network is
 *   ready, and may throw
 * @returns {Promise<{ output: any, weightsMs: number, runMs: number }>}
 */
export async function runInput(network, input, { quiet = false, onReady, fit } = {}) {
  try {
    const [weightsMs, runner] = await timed(() => network.start(input.shape, { keepsInputs: true, fit }));
    onReady?.();
    const told = quiet ? () => {} : progress(`running ${network.model} on ${shapeText(input.shape)}`);
    const run = () =>
      runner.run([{ picture: '', read: { input, size: null } }], (part) => told({ done: part, total: 1 }));
    const [runMs, { groups, failures }] = await timed(run);
    for (const { error } of failures) throw error;
    return { output: groups[0].output, weightsMs, runMs };
  } finally {
    await network.close();
  }
}

/**
 * A batch that runs.
 *
 * @typedef {object} Running
 * @property {readonly import('./lane.js').Member[]} members
 * @property {number} part that is done
 * @property {boolean} isDone
 * @property {Promise<unknown>} settled never rejected
 * @property {import('./lane.js').Done} [result]
 * @property {unknown} [error] in place of a result
 */

/**
 * What a command over pictures did.
 *
 * @param {object} what
 * @param {string} what.command
 * @param {string} what.verb as in `classified`
 * @param {import('./network.js').Network} what.network
 * @param {Ran} what.ran
 * @param {object} what.result more of it
 * @param {number} [what.skipped]
 * @param {readonly string[]} [what.lines] after the summary
 * @returns {import('./outcome.js').Outcome & { isFailed: boolean }}
 */
export function outcomeOf({ command, verb, network, ran, result, skipped = 0, lines = [] }) {
  const { done, failed, ms } = ran;
  const rest = [skipped > 0 && `skipped ${skipped} that were there`, failed.length > 0 && `${failed.length} failed`];
  const speed = done > 0 ? ` in ${(ms / 1000).toFixed(1)} s` : '';
  const summary = [`${verb} ${done} ${done === 1 ? 'picture' : 'pictures'}${speed}`, ...rest.filter(Boolean)];
  return {
    result: { command, model: network.model, preset: network.preparation.name, ...result, failed },
    lines: [summary.join(', '), ...lines],
    isFailed: failed.length > 0,
  };
}
