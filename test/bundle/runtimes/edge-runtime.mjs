/** Vercel's edge runtime, with code generation from WebAssembly and strings switched off, as production has it. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { outputOf, printedResult } from '../command.mjs';

const script = fileURLToPath(new URL('../edge-vm.mjs', import.meta.url));

export const checks = async (project) => {
  const { version } = JSON.parse(readFileSync(join(project.packages, 'node_modules/@edge-runtime/vm/package.json')));
  const run = async (entry, conditions) => {
    const outfile = join(project.folder, entry.replace('.mjs', '.bundle.js'));
    await build({
      absWorkingDir: project.folder,
      entryPoints: [entry],
      outfile,
      bundle: true,
      format: 'iife',
      conditions,
      logLevel: 'error',
      plugins: [modulesOfTheHost],
    });
    const dist = join(project.folder, 'node_modules/layertap/dist');
    const printed = await outputOf(project.node(24), [script, outfile, dist], { cwd: project.folder });
    return { version, ...printedResult(printed) };
  };
  return [
    ['edge-runtime, no code generation', () => run('edge.mjs', ['edge-light'])],
    ['edge-runtime, no code generation, default entry with setModule', () => run('given.mjs', [])],
  ];
};

/** Modules that the host compiles and leaves in a global, as Next.js does. */
const modulesOfTheHost = {
  name: 'modules-of-the-host',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /\.wasm\?module$/ }, ({ path }) => ({ path: path.split('/').at(-1), namespace: 'host' }));
    onLoad({ filter: /.*/, namespace: 'host' }, ({ path }) => ({
      contents: `export default hostModules[${JSON.stringify(path.replace('?module', ''))}];`,
    }));
  },
};
