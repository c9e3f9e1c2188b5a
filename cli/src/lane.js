/**
 * Pictures through a network in the thread that calls, from their files to its outputs. The next ones are decoded
 * while the network runs. A picture that can't be decoded or run fails by itself.
 */

import { LayertapError, Tensor } from 'layertap';
import { cat } from 'layertap/tools';
import { CommandError, RunError } from './failures.js';
import { readPhoto } from './photo.js';

/** @typedef {import('layertap').Tensor<Float32Array>} Input [N, 3, H, W] */

/**
 * A picture as a network gets it, and the size that it had.
 *
 * @typedef {{ input: Input, size: { width: number, height: number } | null }} Read null where it was no picture
 */

/** A picture of a batch: its path, or what was read of it. @typedef {{ picture: string, read?: Read }} Member */

/**
 * Members of a batch that ran at once, with what they gave; without their input where it isn't needed.
 *
 * @typedef {{ members: number[], sizes: Read['size'][], input: Input | null, output: any }} Group
 */

/** What a batch came to. @typedef {{ groups: Group[], failures: { member: number, error: Error }[] }} Done */

/**
 * What runs batches: on so many at once as `width` says, more would wait.
 *
 * @typedef {{ readonly width: number, run(members: readonly Member[], onProgress: (part: number) => void):
 *   Promise<Done> }} Runner
 */

/**
 * How a picture becomes an input, and whether that is needed with the output.
 *
 * @typedef {{ autoOrient: boolean, prepare: (image: import('layertap').Image) => Input, keepsInputs: boolean }} Reading
 */

/** A network, and how its pictures are read. */
export class Lane {
  /** One batch is computed, and the next one decoded. */
  width = 2;
  #network;
  #reading;

  /**
   * @param {import('layertap').Module<any>} network
   * @param {Reading} reading
   */
  constructor(network, reading) {
    this.#network = network;
    this.#reading = reading;
  }

  /**
   * Runs some pictures, those of one shape at once.
   *
   * @param {readonly Member[]} members
   * @param {(part: number) => void} onProgress
   * @returns {Promise<Done>}
   */
  async run(members, onProgress) {
    /** @type {Done} */
    const { groups, failures } = { groups: [], failures: [] };
    const reads = await Promise.all(
      members.map(async ({ picture, read }, member) => {
        try {
          return read ?? (await readPicture(picture, this.#reading));
        } catch (error) {
          failures.push({ member, error: expected(error) });
          return null;
        }
      }),
    );
    let done = failures.length;
    for (const some of groupsOf(reads)) {
      const all = some.map((member) => /** @type {Read} */ (reads[member]));
      const own = all.map(({ input }) => input);
      try {
        const input = own.length === 1 ? own[0] : cat(own).float();
        // Calls of a network wait for each other.
        const output = await this.#network.callAsync(input, {
          onProgress: (of) => onProgress((done + partOf(of) * some.length) / members.length),
        });
        const { keepsInputs } = this.#reading;
        if (!keepsInputs) for (const one of new Set([input, ...own])) letGo(one.data);
        groups.push({ members: some, sizes: all.map(({ size }) => size), input: keepsInputs ? input : null, output });
      } catch (error) {
        for (const member of some) failures.push({ member, error: expected(error) });
      }
      done += some.length;
    }
    return { groups, failures };
  }
}

/**
 * A picture as a network's input.
 *
 * @param {string} picture its path, or `-` for stdin
 * @param {Pick<Reading, 'autoOrient' | 'prepare'>} reading
 * @returns {Promise<Read>}
 * @throws {CommandError} or {@link LayertapError} where it can't be decoded or prepared
 */
export async function readPicture(picture, { autoOrient, prepare }) {
  const image = await readPhoto('', picture, { autoOrient });
  const input = prepare(image);
  letGo(image.data);
  return { input, size: { width: image.width, height: image.height } };
}

/**
 * Gives the memory of an array back at once, where the engine can. Else a run over pictures would collect garbage after
 * every few of them.
 *
 * @param {Uint8Array | Float32Array} data that has its buffer for itself
 */
function letGo(data) {
  const buffer = /** @type {ArrayBuffer & { transfer?(byteLength: number): ArrayBuffer }} */ (data.buffer);
  if (data.byteLength === buffer.byteLength) buffer.transfer?.(0);
}

/**
 * One image of a batch, which stays a batch of one.
 *
 * @param {import('layertap').Tensor<Float32Array>} batch
 * @param {number} index
 */
export function rowOf({ data, shape }, index) {
  const size = data.length / shape[0];
  return new Tensor(data.slice(index * size, (index + 1) * size), [1, ...shape.slice(1)]);
}

/**
 * An error that a picture may have.
 *
 * @param {unknown} error
 * @returns {Error}
 * @throws what is a fault of this program, or of the whole run
 */
export function expected(error) {
  if (error instanceof RunError) throw error;
  if (error instanceof CommandError || error instanceof LayertapError) return error;
  throw error;
}

/**
 * Which inputs can run at once: neighbours of one shape. Those that aren't there are in none.
 *
 * @param {readonly (Read | null)[]} reads
 */
function groupsOf(reads) {
  /** @type {number[][]} */
  const groups = [];
  let shape = '';
  for (const [member, read] of reads.entries()) {
    if (!read) continue;
    if (String(read.input.shape) !== shape) groups.push([]);
    shape = String(read.input.shape);
    groups.at(-1)?.push(member);
  }
  return groups;
}

/** @param {import('layertap').Progress} progress */
function partOf({ done, total }) {
  return total === 0 ? 1 : done / total;
}
