/** Runs a script in the edge runtime, with the host's modules of the kernels: `node edge-vm.mjs SCRIPT FOLDER-OF-KERNELS`. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { EdgeVM } from '@edge-runtime/vm';

const [script, dist] = process.argv.slice(2);
const names = ['kernels.wasm', 'kernels.relaxed.wasm'];
const modules = names.map((name) => [name, new WebAssembly.Module(readFileSync(join(dist, name)))]);
const vm = new EdgeVM({ codeGeneration: { strings: false, wasm: false } });
vm.context.hostModules = Object.fromEntries(modules);
vm.evaluate(readFileSync(script, 'utf8'));
console.log(vm.evaluate('globalThis.result'));
