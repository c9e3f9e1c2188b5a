/**
 * How fast and how exact an index is: `node measure.mjs`. It puts 10,000 vectors of 512 numbers into a file, and asks
 * for the ten nearest of others, each time in an index that is opened anew, as query.mjs does. What is printed is the
 * part of the exact ten nearest that was found, and the median of the times: on the clock, and of a processor. It ends
 * with exit code 1 where a neighbour is missing.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { VectorIndex } from './vector-index.mjs';

const TOP = 10;

/**
 * @param {{ count: number, size: number, queries: number }} what
 * @returns {{ recall: number, similarityError: number, openMs: number, queryMs: number, processorMs: number }} `recall`
 *   is 1 where all nearest are found in the order of an exact search in float64; times are medians
 */
export function measure({ count, size, queries }) {
  const random = generator(7);
  const vectors = Array.from({ length: count }, () => unit(size, random));
  const folder = mkdtempSync(join(tmpdir(), 'layertap-measure-'));
  const open = () => new VectorIndex(join(folder, 'measure.db'), { fingerprint: { model: 'random' }, size });
  try {
    const filled = open();
    filled.add(vectors.map((vector, i) => ({ path: String(i), sha256: '', vector })));
    filled.close();
    let [found, similarityError] = [0, 0];
    /** @type {{ openMs: number[], queryMs: number[], processorMs: number[] }} */
    const times = { openMs: [], queryMs: [], processorMs: [] };
    for (let i = 0; i < queries; i++) {
      const query = unit(size, random);
      const begin = performance.now();
      const index = open();
      const opened = performance.now();
      const before = process.cpuUsage();
      const neighbours = index.nearest(query, TOP);
      const { user, system } = process.cpuUsage(before);
      times.openMs.push(opened - begin);
      times.queryMs.push(performance.now() - opened);
      times.processorMs.push((user + system) / 1000);
      index.close();
      const cosines = vectors.map((vector) => vector.reduce((sum, value, k) => sum + value * query[k], 0));
      const exact = [...cosines.keys()].sort((a, b) => cosines[b] - cosines[a]).slice(0, TOP);
      for (const [rank, { path, similarity }] of neighbours.entries()) {
        if (Number(path) === exact[rank]) found++;
        similarityError = Math.max(similarityError, Math.abs(similarity - cosines[exact[rank]]));
      }
    }
    const { openMs, queryMs, processorMs } = times;
    return {
      recall: found / (queries * TOP),
      similarityError,
      openMs: median(openMs),
      queryMs: median(queryMs),
      processorMs: median(processorMs),
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Numbers from -1 to 1. @param {number} seed */
function generator(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  };
}

/** A vector of length 1. @param {number} size @param {() => number} random */
function unit(size, random) {
  const vector = Float32Array.from({ length: size }, random);
  const length = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
  return vector.map((value) => value / length);
}

/** @param {number[]} values */
const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const what = { count: 10_000, size: 512, queries: 50 };
  const { recall, openMs, queryMs, processorMs } = measure(what);
  const ms = Object.entries({ open: openMs, query: queryMs, 'processor, of a query': processorMs });
  console.log(`${what.queries} queries of ${what.count} vectors of ${what.size}: recall@${TOP} ${recall.toFixed(3)}`);
  console.log(`median ms: ${ms.map(([name, value]) => `${name} ${value.toFixed(1)}`).join(', ')}`);
  if (recall < 1) process.exitCode = 1;
}
