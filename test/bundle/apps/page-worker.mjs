// In a web worker, where no import map holds: the package by its URL.
import { golden } from './golden.mjs';
import * as layertap from './node_modules/layertap/dist/index.js';
import { probe } from './probe.mjs';

try {
  postMessage(probe(layertap, golden));
} catch (error) {
  postMessage({ error: `${error}\n${error.stack}` });
}
