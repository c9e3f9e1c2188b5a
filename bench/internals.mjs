/**
 * What the benchmarks look at beside the package's exports. The build makes dist/internals.js of it, which isn't
 * published.
 */

export { fuseEpilogues } from '../src/graph/passes/fuse-epilogues.ts';
export { prune } from '../src/graph/passes/prune.ts';
export { scaleAndShift } from '../src/ops/rules/epilogue.ts';
export { CompiledModel } from '../src/plan/compiled-model.ts';
export { chooseBinary } from '../src/wasm/instantiate.ts';
export { callsOf } from '../src/wasm/step.ts';
