/**
 * Where the milliseconds of a start go, in a plain process that does nothing else: `node bench/phases.mjs MODEL FOLDER`
 * prints them as JSON for the bundle in the folder (see bundle.mjs).
 *
 * import: the package, and its processor time, which others' work makes no longer; compile: decoding is the package's,
 * this is what WebAssembly's constructors take; plan: the module, the file's header and the plans, up to the first read
 * of weights; read: waiting for weights with nothing else to do; pack: the rest of loading; first: the first run.
 */

import { readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';

const [model, folder] = process.argv.slice(2);

let compileMs = 0;
/** @param {Function} f */
const counted = (f) =>
  new Proxy(f, {
    apply: (target, self, args) => timed(() => Reflect.apply(target, self, args)),
    construct: (target, args) => timed(() => Reflect.construct(target, args)),
  });
function timed(/** @type {() => any} */ run) {
  const start = performance.now();
  const result = run();
  compileMs += performance.now() - start;
  return result;
}
for (const name of /** @type {const} */ (['validate', 'Module', 'Instance'])) {
  WebAssembly[name] = /** @type {any} */ (counted(WebAssembly[name]));
}

const begin = performance.now();
const before = process.cpuUsage();
const { openSafetensors, Tensor } = await import('../dist/index.js');
const imported = performance.now();
const { user, system } = process.cpuUsage(before);
// What models there are, and the benchmark's own files, are no part of a start.
const { modelOf } = await import('./models.mjs');
const { build, shape } = modelOf(model);
const { buffer, byteOffset, byteLength } = readFileSync(join(folder, 'input.bin'));
const x = new Tensor(new Float32Array(buffer, byteOffset, byteLength / 4), shape);

const ready = performance.now();
const module = build().eval();
const file = await open(join(folder, 'model.safetensors'));
let isLoading = false;
let firstRead = 0;
const handle = {
  stat: () => file.stat(),
  read(/** @type {[any, number, number, number]} */ ...args) {
    if (isLoading) firstRead ||= performance.now();
    return file.read(...args);
  },
};
const opened = await openSafetensors(handle);
isLoading = true;
const idle = performance.eventLoopUtilization();
await module.loadStateDictAsync(opened, { inputShapes: [shape] });
const loaded = performance.now();
const compiledMs = compileMs;
const readMs = performance.eventLoopUtilization(idle).idle;
module.call(x);
const done = performance.now();
process.stdout.write(
  JSON.stringify({
    importMs: imported - begin,
    importCpuMs: (user + system) / 1000,
    compileMs: compiledMs,
    planMs: firstRead - ready - compiledMs,
    readMs,
    packMs: loaded - firstRead - readMs,
    firstMs: done - loaded,
  }),
);
