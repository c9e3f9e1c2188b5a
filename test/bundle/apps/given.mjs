// For a host that no export condition names, and that forbids compiling.
import * as layertap from 'layertap';
import { golden } from './golden.mjs';
import { probe } from './probe.mjs';

let refusal = 'none';
try {
  probe(layertap, golden);
} catch (error) {
  refusal = error.code;
}
if (refusal !== 'ERR_UNSUPPORTED') throw new Error(`expected ERR_UNSUPPORTED before setModule, got ${refusal}`);
for (const module of Object.values(globalThis.hostModules)) layertap.setModule(module);
globalThis.result = JSON.stringify(probe(layertap, golden));
