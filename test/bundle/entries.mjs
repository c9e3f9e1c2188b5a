/** Checks of the package's other entries, on hosts with a command line. */

import { printedResult } from './command.mjs';

/**
 * @param {string} host
 * @param {(file: string) => Promise<string>} run what the host prints
 * @param {boolean} refuses whether layertap/node has nothing for this host
 * @returns {[string, () => Promise<object>][]}
 */
export function entryChecks(host, run, refuses) {
  return [
    [`${host}, layertap/threads`, async () => printedResult(await run('threads.mjs'))],
    [
      `${host}, layertap/node${refuses ? ' refuses' : ''}`,
      async () => {
        const { refusal, ...result } = printedResult(await run('node.mjs'));
        const expected = refuses ? 'ERR_UNSUPPORTED' : 'none';
        if (refusal !== expected) throw new Error(`expected the error ${expected}, got ${refusal}`);
        return result;
      },
    ],
  ];
}
