// For Vercel's edge runtime.
import * as layertap from 'layertap';
import { golden } from './golden.mjs';
import { probe } from './probe.mjs';

globalThis.result = JSON.stringify(probe(layertap, golden));
