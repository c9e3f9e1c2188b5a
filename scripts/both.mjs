/**
 * Puts two binaries into one: `node scripts/both.mjs SIMD RELAXED OUT`. A host that forbids compiling takes binaries as
 * files, and a compressor finds one in the other only where they are one file. Functions that are the same in both are
 * there once. Exports of the simd binary are named as src/wasm/both.ts says.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import binaryen from 'binaryen';

const { SIMD128, RelaxedSIMD, BulkMemory, MutableGlobals, SignExt, NontrappingFPToInt } = binaryen.Features;
const FEATURES = SIMD128 | RelaxedSIMD | BulkMemory | MutableGlobals | SignExt | NontrappingFPToInt;

/** A binary's types, imports, globals, exports and functions as text. @param {string} file */
function partsOf(file) {
  const module = binaryen.readBinary(readFileSync(file));
  module.setFeatures(FEATURES);
  const text = module.emitText();
  module.dispose();
  const parts = text.slice('(module\n '.length, text.lastIndexOf('\n)')).split(/\n (?=\()/);
  const of = (/** @type {string} */ kind) => parts.filter((part) => part.startsWith(`(${kind} `));
  return {
    types: of('type'),
    imports: of('import'),
    globals: of('global'),
    exports: of('export'),
    functions: of('func'),
  };
}

const [simdFile, relaxedFile, outFile] = process.argv.slice(2);
const simd = partsOf(simdFile);
const relaxed = partsOf(relaxedFile);
for (const kind of /** @type {const} */ (['imports', 'globals'])) {
  if (simd[kind].join() !== relaxed[kind].join()) throw new Error(`both: expected the same ${kind} in both binaries`);
}
// The memory and the globals are shared: an instance runs the kernels of one binary alone.
const renamed = (/** @type {readonly string[]} */ parts) =>
  parts.map((part) =>
    part.replace(/\$([\w$]+)/g, (name, rest) => (/^(mimport|global)\$/.test(rest) ? name : `$relaxed_${rest}`)),
  );
const ofKernels = (/** @type {readonly string[]} */ parts) => parts.filter((part) => part.includes('(func '));
const text = [
  ...simd.types,
  ...renamed(relaxed.types),
  ...simd.imports,
  ...simd.globals,
  ...simd.exports.map((part) => part.replace(/(?<=")\w+(?=" \(func )/, 'simd_$&')),
  ...renamed(ofKernels(relaxed.exports)),
  ...simd.functions,
  ...renamed(relaxed.functions),
];
const module = binaryen.parseText(`(module ${text.join('\n')})`);
module.setFeatures(FEATURES);
module.runPasses(['duplicate-function-elimination']);
if (!module.validate()) throw new Error('both: expected a valid binary');
writeFileSync(outFile, module.emitBinary());
