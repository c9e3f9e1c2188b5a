/** Deno and Bun. Their packages' own scripts don't run, so the binaries are taken from where npm put them. */

import { join } from 'node:path';
import { outputOf, present, printedResult } from '../command.mjs';

const COMMANDS = {
  deno: { file: '@deno/linux-x64-glibc/deno', args: ['run', '--no-remote', '--allow-read=.'], version: /deno (\S+)/ },
  bun: { file: '@oven/bun-linux-x64/bin/bun', args: ['run'], version: /(\S+)/ },
};

export const checks = async (project, group) => {
  const { file, args, version } = COMMANDS[group];
  const title = group[0].toUpperCase() + group.slice(1);
  const command = () => present(join(project.packages, 'node_modules', file), `${title} (${file})`);
  const options = { cwd: project.folder, env: { DENO_NO_UPDATE_CHECK: '1', DENO_DIR: join(project.folder, '.deno') } };
  return [
    [
      title,
      async () => {
        const [, number] = version.exec(await outputOf(command(), ['--version'], options));
        return { version: number, ...printedResult(await outputOf(command(), [...args, 'import.mjs'], options)) };
      },
    ],
  ];
};
