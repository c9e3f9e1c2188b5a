/** LiteRT.js in Node, where its loader looks for a browser. */

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { compileFunction } from 'node:vm';
import { loadAndCompile, loadLiteRt, Tensor } from '@litertjs/core';
import { readFloats, readProgram } from '../../bundle.mjs';

const require = createRequire(import.meta.url);
const BUILDS = join(dirname(require.resolve('@litertjs/core')), '../wasm');
const SCRIPTS = { relaxed: 'litert_wasm_internal.js', simd: 'litert_wasm_compat_internal.js' };
const THREADED = 'litert_wasm_threaded_internal.js';

/** A process has one build. @type {Promise<unknown> | undefined} */
let loaded;

const silent = () => {};

/** A worker's `importScripts`, which the loader calls where there is one: the scripts are CommonJS modules, too. */
function importScripts(/** @type {string} */ path) {
  const module = { exports: {} };
  const names = ['module', 'exports', 'require', '__dirname', '__filename'];
  const script = compileFunction(readFileSync(path, 'utf8'), names, { filename: path });
  script(module, module.exports, require, dirname(path), path);
  Object.assign(globalThis, { ModuleFactory: module.exports });
}

/**
 * @param {import('../../subject.mjs').Bundle} bundle
 * @param {'relaxed' | 'simd'} build
 * @returns {ReturnType<import('../../subject.mjs').Load>}
 */
export async function loadBuild({ folder, threads, isResident }, build) {
  Object.assign(globalThis, { self: globalThis, importScripts });
  // It tells every step, and that there is no GPU; what matters is thrown.
  Object.assign(console, { info: silent, warn: silent, error: silent });
  loaded ??= loadLiteRt(join(BUILDS, threads > 1 ? THREADED : SCRIPTS[build]));
  await loaded;
  const model = await loadAndCompile(readFileSync(join(folder, 'model.tflite')), {
    accelerator: 'wasm',
    cpuOptions: { numThreads: threads },
  });
  const { input, shapes } = readProgram(folder);
  const [images, channels, height, width] = shapes[input];
  const x = readFloats(join(folder, 'input-nhwc.bin'));
  const uploaded = () => new Tensor(x, [images, height, width, channels]);
  const resident = isResident ? uploaded() : null;
  return {
    binary: build,
    async run() {
      const tensor = resident ?? uploaded();
      const outputs = [await model.run(tensor)].flat();
      if (!resident) tensor.delete();
      return outputs.map((output) => {
        const data = isResident ? new Float32Array(0) : output.toTypedArray().slice();
        output.delete();
        return { data, layout: 'nhwc' };
      });
    },
  };
}
