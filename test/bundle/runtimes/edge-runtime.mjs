/** Vercel's edge runtime, with code generation from WebAssembly and strings switched off, as production has it. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { outputOf, printedResult } from '../command.mjs';

const script = fileURLToPath(new URL('../edge-vm.mjs', import.meta.url));

export const checks = async (project) => {
  const { version } = JSON.parse(readFileSync(join(project.packages, 'node_modules/@edge-runtime/vm/package.json')));
  const dist = join(project.folder, 'node_modules/layertap/dist');
  const run = async (major, entry, { conditions = ['edge-light'], binaries = [] } = {}) => {
    const outfile = join(project.folder, entry.replace('.mjs', '.bundle.js'));
    const imported = new Set(binaries);
    await build({
      absWorkingDir: project.folder,
      entryPoints: [entry],
      outfile,
      bundle: true,
      format: 'iife',
      conditions,
      logLevel: 'error',
      plugins: [modulesOfTheHost(imported)],
    });
    const files = [...imported].map((name) => join(dist, name));
    const printed = await outputOf(project.node(major), [script, outfile, ...files], { cwd: project.folder });
    return { version, ...printedResult(printed) };
  };
  const both = ['kernels.wasm', 'kernels.relaxed.wasm'];
  return [
    ['edge-runtime on Node 20, no code generation', () => run(20, 'edge.mjs')],
    ['edge-runtime on Node 24, no code generation', () => run(24, 'edge.mjs')],
    ['edge-runtime on Node 24, layertap/relaxed', () => run(24, 'edge-relaxed.mjs')],
    [
      'edge-runtime on Node 24, default entry with setModule',
      () => run(24, 'given.mjs', { conditions: [], binaries: both }),
    ],
  ];
};

/**
 * Modules that the host compiles and leaves in a global, as Next.js does. @param {Set<string>} imported gets their
 * names
 */
function modulesOfTheHost(imported) {
  return {
    name: 'modules-of-the-host',
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /\.wasm\?module$/ }, ({ path }) => {
        const name = path.split('/').at(-1).replace('?module', '');
        imported.add(name);
        return { path: name, namespace: 'host' };
      });
      onLoad({ filter: /.*/, namespace: 'host' }, ({ path }) => ({
        contents: `export default hostModules[${JSON.stringify(path)}];`,
      }));
    },
  };
}
