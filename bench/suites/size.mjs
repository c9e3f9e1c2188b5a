/**
 * What a page downloads for each runtime: a use that needs no more than the benchmark does, bundled and minified, and
 * the WASM files that it fetches, for an engine with relaxed SIMD.
 */

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { installPackage } from '../../scripts/with-package.mjs';

/**
 * A use, the WASM files it fetches, and scripts that it loads beside itself, by their paths in
 * bench/peers/node_modules.
 *
 * @type {Readonly<Record<string, { use: string, wasm?: readonly string[], scripts?: readonly string[] }>>}
 */
const USES = {
  layertap: {
    use: `import { IntermediateLayerGetter, loadSafetensors, resnet50, Tensor } from 'layertap';
          globalThis.app = [IntermediateLayerGetter, loadSafetensors, resnet50, Tensor];`,
  },
  'tfjs-wasm': {
    use: `import * as tf from '@tensorflow/tfjs-core';
          import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
          globalThis.app = [setWasmPaths, tf.setBackend, tf.ready, tf.tensor, tf.fused.conv2d, tf.fused.matMul,
            tf.maxPool, tf.mean, tf.add, tf.relu];`,
    wasm: ['@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm'],
  },
  'onnxruntime-web': {
    use: `import * as ort from 'onnxruntime-web/wasm';
          globalThis.app = [ort.InferenceSession, ort.Tensor, ort.env];`,
    wasm: ['onnxruntime-web/dist/ort-wasm-simd-threaded.wasm'],
  },
  litert: {
    use: `import { loadAndCompile, loadLiteRt, Tensor } from '@litertjs/core';
          globalThis.app = [loadLiteRt, loadAndCompile, Tensor];`,
    wasm: ['@litertjs/core/wasm/litert_wasm_internal.wasm'],
    scripts: ['@litertjs/core/wasm/litert_wasm_internal.js'],
  },
};

const gzipBytes = (/** @type {Uint8Array} */ bytes) => gzipSync(bytes, { level: 9 }).length;

/** @param {import('../run.mjs').Context} context @returns {Promise<import('../report.mjs').Result>} */
export async function run({ peers, log }) {
  const folder = installPackage('bench/peers');
  const { build } = createRequire(`${folder}/`)('esbuild');
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const options = { minify: true, write: false, logLevel: 'error' };
  const rows = [];
  for (const runtime of ['layertap', ...peers.filter((peer) => peer in USES)]) {
    log(`size of ${runtime}`);
    const { use, wasm = [], scripts = [] } = USES[runtime];
    const bundled = await build({
      ...options,
      ...{ stdin: { contents: use, resolveDir: runtime === 'layertap' ? root : folder }, bundle: true },
      ...{ format: 'esm', platform: 'browser', external: ['node:*', ...NODE_MODULES] },
    });
    const entryPoints = scripts.map((path) => `${folder}/node_modules/${path}`);
    const beside = scripts.length > 0 ? await build({ ...options, entryPoints, outdir: folder }) : { outputFiles: [] };
    /** @type {Uint8Array[]} */
    const js = [...bundled.outputFiles, ...beside.outputFiles].map(({ contents }) => contents);
    const binaries = wasm.map((path) => readFileSync(`${folder}/node_modules/${path}`));
    const sum = (/** @type {readonly number[]} */ sizes) => sizes.reduce((total, size) => total + size, 0);
    rows.push({
      ...{ suite: 'size', model: 'minimal use', runtime, engine: 'browser', binary: '', threads: 1 },
      ...{ medianMs: null, minMs: null, gflops: null, peakRssMB: null, maxAbsDiff: null },
      ...{ jsBytes: sum(js.map(({ length }) => length)), wasmBytes: sum(binaries.map(({ length }) => length)) },
      gzipBytes: sum([...js, ...binaries].map(gzipBytes)),
    });
  }
  return { rows, checks: [] };
}

/** What runtimes ask for where they find themselves in Node. */
const NODE_MODULES = [
  'fs',
  'path',
  'worker_threads',
  'perf_hooks',
  'util',
  'crypto',
  'string_decoder',
  'module',
  'os',
  'url',
];
