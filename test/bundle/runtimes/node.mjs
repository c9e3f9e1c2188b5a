/** Node's release lines, by import and by require. */

import { outputOf, printedResult } from '../command.mjs';

export const checks = async (project) =>
  [20, 22, 24].flatMap((major) =>
    [
      ['import', 'import.mjs'],
      ['require', 'require.cjs'],
    ].map(([how, file]) => [
      `Node ${major}, ${how}`,
      async () => {
        const node = project.node(major);
        const version = (await outputOf(node, ['--version'], { cwd: project.folder })).trim().slice(1);
        return { version, ...printedResult(await outputOf(node, [file], { cwd: project.folder })) };
      },
    ]),
  );
