/** Deno and Bun. Their packages' own scripts don't run, so the binaries are taken from where npm put them. */

import { join } from 'node:path';
import { outputOf, present, printedResult } from '../command.mjs';
import { entryChecks } from '../entries.mjs';

const COMMANDS = {
  deno: { file: '@deno/linux-x64-glibc/deno', args: ['run', '--no-remote', '--allow-read=.'], version: /deno (\S+)/ },
  bun: { file: '@oven/bun-linux-x64/bin/bun', args: ['run'], version: /(\S+)/ },
};

export const checks = async (project, group) => {
  const { file, args, version } = COMMANDS[group];
  const title = group[0].toUpperCase() + group.slice(1);
  const options = { cwd: project.folder, env: { DENO_NO_UPDATE_CHECK: '1', DENO_DIR: join(project.folder, '.deno') } };
  const command = (...args) =>
    outputOf(present(join(project.packages, 'node_modules', file), `${title} (${file})`), args, options);
  const run = (app) => command(...args, app);
  const versioned = (check) => async () => {
    const [, number] = version.exec(await command('--version'));
    return { version: number, ...(await check()) };
  };
  return [[title, async () => printedResult(await run('import.mjs'))], ...entryChecks(title, run, true)].map(
    ([name, check]) => [name, versioned(check)],
  );
};
