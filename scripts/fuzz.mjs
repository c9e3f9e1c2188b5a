/**
 * Mutates files of a format, and looks at what comes of them:
 *
 *     npm run fuzz -- --format pth-zip --runs 1000000 --seed 1
 *
 * A mutated file gives tensors, or an error of the library. Anything else ends the run with 1: another exception, a
 * file that takes longer than a second. The mutations know the format: lengths, offsets and opcodes are changed more
 * often than data.
 */

import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { crc32 } from 'node:zlib';
import { LayertapError, openWeights, saveSafetensors } from '../dist/index.js';

const GOLDENS = new URL('../test/goldens/pth/', import.meta.url);
const read = (/** @type {string} */ name) => new Uint8Array(readFileSync(new URL(`${name}.pth`, GOLDENS)));

/** The files that each format begins with. @type {Record<string, () => Promise<Uint8Array[]> | Uint8Array[]>} */
const FORMATS = {
  'pth-zip': () => ['state-dict.zip', 'checkpoint.zip', 'module.zip'].map(read),
  'pth-legacy': () => ['state-dict.legacy', 'checkpoint.legacy', 'module.legacy'].map(read),
  safetensors: async () => [saveSafetensors(await (await openWeights(read('state-dict.zip'))).load())],
};

const { values } = parseArgs({
  options: {
    format: { type: 'string', default: 'pth-zip' },
    runs: { type: 'string', default: '20000' },
    seed: { type: 'string', default: '1' },
  },
});
const [runs, seed] = [values.runs, values.seed].map(Number);
const files = FORMATS[values.format];
if (!files || !(runs >= 1) || !Number.isSafeInteger(seed)) {
  throw new RangeError(
    `fuzz: expected --format of ${Object.keys(FORMATS).join(', ')}, and whole numbers of runs and seed`,
  );
}

let state = seed >>> 0;
/** A whole number below `most`. @param {number} most */
function random(most) {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * most);
}

/** Values that sizes and places break at. */
const EDGES = [0, 1, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff];

/** A mutated copy. @param {Uint8Array} file @param {Uint8Array} other */
function mutated(file, other) {
  let bytes = file.slice();
  for (let n = random(3); n >= 0; n--) {
    const at = random(bytes.length);
    const view = new DataView(bytes.buffer);
    switch (random(random(4) === 0 ? 7 : 2)) {
      case 0:
        bytes[at] = random(256);
        break;
      case 1:
        bytes[at] ^= 1 << random(8);
        break;
      case 2:
        if (at + 4 <= bytes.length) view.setUint32(at, EDGES[random(EDGES.length)], random(2) === 0);
        break;
      case 3:
        bytes = bytes.slice(0, at);
        break;
      case 4: {
        const length = random(64);
        bytes.copyWithin(at, random(bytes.length), bytes.length);
        bytes = bytes.slice(0, Math.max(1, bytes.length - (random(4) === 0 ? length : 0)));
        break;
      }
      case 5:
        bytes.set(other.subarray(at, Math.min(bytes.length, at + random(256))), at);
        break;
      default:
        if (at + 8 <= bytes.length) view.setBigUint64(at, BigInt(EDGES[random(EDGES.length)]), true);
    }
    if (bytes.length === 0) break;
  }
  return bytes;
}

/**
 * The file with checksums that fit its entries, so that what is in them is looked at. Where the directory was hit, it
 * stays as it is.
 *
 * @param {Uint8Array} bytes
 */
function withChecksums(bytes) {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const end = file.lastIndexOf(Buffer.from('PK\x05\x06'));
  if (end < 0 || end + 22 > file.length) return bytes;
  let at = file.readUInt32LE(end + 16);
  while (at + 46 <= end && file.readUInt32LE(at) === 0x02014b50) {
    const begin = file.readUInt32LE(at + 42);
    if (begin + 30 <= file.length) {
      const content = begin + 30 + file.readUInt16LE(begin + 26) + file.readUInt16LE(begin + 28);
      file.writeUInt32LE(crc32(file.subarray(content, content + file.readUInt32LE(at + 20))), at + 16);
    }
    at += 46 + file.readUInt16LE(at + 28) + file.readUInt16LE(at + 30) + file.readUInt16LE(at + 32);
  }
  return bytes;
}

const originals = await files();
/** @type {Record<string, number>} */
const outcomes = {};
let slowest = 0;
for (let run = 0; run < runs; run++) {
  const before = state;
  const changed = mutated(originals[run % originals.length], originals[random(originals.length)]);
  const bytes = values.format === 'pth-zip' && run % 4 > 0 ? withChecksums(changed) : changed;
  const start = performance.now();
  let outcome = 'tensors';
  try {
    await (await openWeights(bytes, run % 3 === 1 ? { key: 'model' } : {})).load();
  } catch (error) {
    if (!(error instanceof LayertapError)) {
      console.error(`run ${run} of seed ${seed} (state ${before}):`, error);
      process.exit(1);
    }
    outcome = error.name;
  }
  const ms = performance.now() - start;
  slowest = Math.max(slowest, ms);
  if (ms > 1000) {
    console.error(`run ${run} of seed ${seed} (state ${before}) took ${ms.toFixed(0)} ms`);
    process.exit(1);
  }
  outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
}
console.log(`${runs} mutated files of ${values.format}, seed ${seed}:`, outcomes, `slowest ${slowest.toFixed(1)} ms`);
