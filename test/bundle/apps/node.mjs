// What only Node has, and what it says elsewhere.
import * as layertap from 'layertap';
import { enableRevectorization } from 'layertap/node';
import { golden } from './golden.mjs';
import { probe } from './probe.mjs';

let refusal = 'none';
try {
  enableRevectorization();
} catch (error) {
  refusal = error.code;
}
console.log(JSON.stringify({ ...probe(layertap, golden), refusal }));
