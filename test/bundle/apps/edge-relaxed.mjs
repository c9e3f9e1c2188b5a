// For Vercel's edge runtime on an engine that is known to have relaxed SIMD.
import * as layertap from 'layertap';
import relaxed from 'layertap/relaxed';
import { golden } from './golden.mjs';
import { probe } from './probe.mjs';

layertap.setModule(relaxed);
globalThis.result = JSON.stringify(probe(layertap, golden));
