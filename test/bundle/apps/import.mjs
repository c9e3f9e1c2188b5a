import * as layertap from 'layertap';
import { golden } from './golden.mjs';
import { probe } from './probe.mjs';

console.log(JSON.stringify(probe(layertap, golden)));
