/**
 * What a user ships for a ResNet-18 getter with safetensors loading: `npm run size [-- --json]`. JavaScript minified, with the binaries
 * that the bundle has or imports, all by gzip -9. Fails where a limit is passed.
 */

import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { installPackage } from '../with-package.mjs';

installPackage('scripts/size');
const { build } = await import('esbuild');

const dist = join(dirname(fileURLToPath(import.meta.url)), '../../dist');
const KB = 1000;

/** What is imported, from which entry, and bytes that it may take. */
const SHIPMENTS = [
  {
    name: 'ResNet-18 getter',
    names: 'IntermediateLayerGetter, loadSafetensors, resnet18',
    entry: 'index.js',
    limit: 45 * KB,
  },
  {
    name: 'ResNet-18 getter',
    names: 'IntermediateLayerGetter, loadSafetensors, resnet18',
    entry: 'index.workerd.js',
    limit: 45 * KB,
  },
  {
    name: 'ResNet-18 getter',
    names: 'IntermediateLayerGetter, loadSafetensors, resnet18',
    entry: 'index.edge-light.js',
    limit: 45 * KB,
  },
  { name: 'everything', names: '*', entry: 'index.js', limit: 70 * KB },
];

const results = await Promise.all(
  SHIPMENTS.map(async ({ name, names, entry, limit }) => {
    const what = names === '*' ? '*' : `{ ${names} }`;
    const { outputFiles, metafile } = await build({
      stdin: { contents: `export ${what} from './${entry}';`, resolveDir: dist },
      bundle: true,
      minify: true,
      format: 'esm',
      write: false,
      metafile: true,
      external: ['*.wasm?module'],
    });
    const imported = Object.values(metafile.outputs).flatMap(({ imports }) => imports.map(({ path }) => path));
    const wasm = imported.map((path) => readFileSync(join(dist, path.replace('../', '').replace('?module', ''))));
    const js = outputFiles[0].contents;
    const jsGzipBytes = gzipped(js);
    const wasmGzipBytes = wasm.reduce((sum, bytes) => sum + gzipped(bytes), 0);
    const gzipBytes = jsGzipBytes + wasmGzipBytes;
    return {
      name,
      entry,
      gzipBytes,
      jsGzipBytes,
      wasmGzipBytes,
      jsBytes: js.length,
      limit,
      passed: gzipBytes <= limit,
    };
  }),
);

if (process.argv.includes('--json')) console.log(JSON.stringify(results, null, 2));
else
  for (const { name, entry, gzipBytes, jsGzipBytes, wasmGzipBytes, limit, passed } of results) {
    const parts = `${kb(jsGzipBytes)} of JavaScript, ${kb(wasmGzipBytes)} of files .wasm`;
    console.log(
      `${passed ? 'ok      ' : 'TOO BIG '} ${name}, ${entry}: ${kb(gzipBytes)} of at most ${kb(limit)} (${parts})`,
    );
  }
process.exitCode = results.every(({ passed }) => passed) ? 0 : 1;

/** @param {Uint8Array} bytes */
function gzipped(bytes) {
  return gzipSync(bytes, { level: 9 }).length;
}

/** @param {number} bytes */
function kb(bytes) {
  return `${(bytes / KB).toFixed(1)} kB`;
}
