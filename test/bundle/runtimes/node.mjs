/** Node's release lines, by import and by require, and the entries beside the main one. */

import { outputOf, printedResult } from '../command.mjs';
import { entryChecks } from '../entries.mjs';

export const checks = async (project) =>
  [22, 24, 26, 20].flatMap((major) => {
    const run = (...args) => outputOf(project.node(major), args, { cwd: project.folder });
    const versioned = (check) => async () => ({
      version: (await run('--version')).trim().slice(1),
      ...(await check()),
    });
    return [
      [`Node ${major}, import`, async () => printedResult(await run('import.mjs'))],
      [`Node ${major}, require`, async () => printedResult(await run('require.cjs'))],
      ...entryChecks(`Node ${major}`, run, major < 24 || process.arch !== 'x64'),
    ].map(([name, check]) => [name, versioned(check)]);
  });
