/**
 * Numbers the locals of binaries by their first use: `node scripts/locals.mjs FILE…`, in place. Functions that are
 * alike then have the same numbers in the same places, and compress better. A parameter stays where it is, and a local
 * among those of its type.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { sectionsOf, withBodies } from './bodies.mjs';
import { isOfLocal, numberAt, takenApart } from './streams.mjs';

const [TYPES, FUNCTIONS] = [1, 3];

for (const file of process.argv.slice(2)) writeFileSync(file, renumbered(readFileSync(file)));

/** @param {Buffer} binary @returns {Buffer} */
function renumbered(binary) {
  const parameters = parametersOf(binary);
  const uses = takenApart(binary).instructions.filter(isOfLocal);
  let next = 0;
  return withBodies(binary, (from, to, index) => {
    const body = Buffer.from(binary.subarray(from, to));
    const types = [...Array(parameters[index]).keys()].map((i) => `parameter ${i}`).concat(localsOf(body));
    /** The new number of each old one. @type {Map<number, number>} */
    const numbers = new Map();
    for (; next < uses.length && uses[next].at < to; next++) {
      const at = uses[next].at + 1 - from;
      const local = body[at];
      let number = numbers.get(local);
      if (number === undefined) {
        const taken = new Set(numbers.values());
        number = types.findIndex((type, i) => type === types[local] && !taken.has(i));
        numbers.set(local, number);
      }
      body[at] = number;
    }
    return body;
  });
}

/** How many parameters each function has. @param {Buffer} binary */
function parametersOf(binary) {
  const sections = [...sectionsOf(binary)];
  const [types, functions] = [TYPES, FUNCTIONS].map((wanted) => sections.find(({ id }) => id === wanted));
  if (!types || !functions) throw new Error('locals: expected a binary with functions, got one without');
  /** @type {number[]} */
  const ofType = [];
  for (let at = numberAt(binary, types.start).end; at < types.end; ) {
    const { value: count, end: first } = numberAt(binary, at + 1);
    const { value: results, end: second } = numberAt(binary, first + count);
    ofType.push(count);
    at = second + results;
  }
  const { end: first } = numberAt(binary, functions.start);
  return [...binary.subarray(first, functions.end)].map((type) => ofType[type]);
}

/** The types of a function's locals. @param {Buffer} body */
function localsOf(body) {
  /** @type {string[]} */
  const types = [];
  let { value: groups, end: at } = numberAt(body, 0);
  for (; groups > 0; groups--) {
    const { value: count, end } = numberAt(body, at);
    for (let i = 0; i < count; i++) types.push(String(body[end]));
    at = end + 1;
  }
  return types;
}
