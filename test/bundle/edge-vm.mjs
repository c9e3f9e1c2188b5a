/**
 * Runs a script in the edge runtime: `node edge-vm.mjs SCRIPT [BINARY …]`. The host compiles the binaries before any
 * code runs, all of them, and leaves them in globals, as Next.js does: one that the host's engine doesn't know stops
 * everything.
 */

import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { EdgeVM } from '@edge-runtime/vm';

const [script, ...binaries] = process.argv.slice(2);
const modules = binaries.map((file) => [basename(file), new WebAssembly.Module(readFileSync(file))]);
const vm = new EdgeVM({ codeGeneration: { strings: false, wasm: false } });
vm.context.hostModules = Object.fromEntries(modules);
vm.evaluate(readFileSync(script, 'utf8'));
console.log(vm.evaluate('globalThis.result'));
