/** A process of its own on one CPU, whose modules' functions are called from here. The other side is in child.mjs. */

import { spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const CHILD = fileURLToPath(new URL('child.mjs', import.meta.url));
const HAS_TASKSET = spawnSync('taskset', ['-c', '0', 'true']).status === 0;

/**
 * A command that may use one CPU, or those of a list, where the system can pin. @param {number | string} cpu @param
 * {...string} command
 */
export const pinned = (cpu, ...command) => (HAS_TASKSET ? ['taskset', '-c', String(cpu), ...command] : command);

export class Process {
  #child;
  /** @type {Promise<never>} */
  #exit;

  /**
   * @param {import("./engines.mjs").Engine} engine @param {number | string} cpu the only one, or a list, that it may
   * use where the system can pin
   */
  constructor(engine, cpu) {
    const [command, ...args] = pinned(cpu, engine.path, CHILD);
    this.#child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.#exit = new Promise((_, reject) => {
      this.#child.on('error', reject);
      this.#child.on('exit', (code, signal) =>
        reject(new Error(`bench: expected a process to stay, it ended with ${signal ?? code}`)),
      );
    });
    this.#exit.catch(() => {});
  }

  /**
   * What an exported function returns in the process. A module keeps its state from call to call.
   *
   * @param {string} module relative to bench/ @param {string} name @param {...unknown} args JSON
   * @returns {Promise<any>}
   * @throws {Error} what the function throws, with its stack
   */
  async call(module, name, ...args) {
    const reply = new Promise((resolve) => this.#child.once('message', resolve));
    this.#child.send({ module, name, args });
    const { result, error } = await Promise.race([reply, this.#exit]);
    if (error) throw new Error(error);
    return result;
  }

  /** Ends the process. */
  end() {
    this.#child.disconnect();
  }
}
