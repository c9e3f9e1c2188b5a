/**
 * Changes files at random, knowing their format: what `npm run fuzz` and the tests feed to readers. A seed gives the
 * same files on every machine.
 */

import { crc32 } from 'node:zlib';
import { zipPieces } from './pth.mjs';

/** Values that sizes and places break at. */
const EDGES = [0, 1, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff];

/** Opcodes of pickles, some with arguments. */
const OPCODES = [
  ...'(.0126)]}tlduseabNRQ\x85\x86\x87\x88\x89\x81\x92\x93\x94\x8f\x90\x91',
  ...['h\0', 'h\x05', 'q\x01', 'j\0\0\0\0', 'K\0', 'K\xff', 'M\xff\xff', 'J\xff\xff\xff\xff', 'J\xff\xff\xff\x7f'],
  ...['\x8a\x01\xff', '\x8b\xff\xff\xff\x7f', 'X\0\0\0\0', 'X\xff\xff\xff\xff', '\x8c\x01a', 'G\x7f\xf0\0\0\0\0\0\0'],
  ...['cos\nsystem\n', 'ctorch\nFloatStorage\n', 'ctorch._utils\n_rebuild_tensor_v2\n', 'ccollections\nOrderedDict\n'],
  ...['C\x01a', '\x8e\xff\xff\xff\xff\xff\xff\xff\xff', '\x95\0\0\0\0\0\0\0\0', '\x80\x05'],
];

/** What headers of safetensors break at. */
const TOKENS = [
  ...['{', '}', '[', ']', ',', ':', '"', '-1', '1e9', '007', '9007199254740993', 'null', '\\u0000', ' ', '"__proto__"'],
  ...['"F4"', '"I64"', '"BOOL"', '"shape"', '"dtype"', '"data_offsets"', '"__metadata__"', '[0,0]', '\x80'],
];

/** What values of JSON break at. */
const VALUES = [
  ...[null, true, -1, 0, 0.5, 1, 1e-9, 999, 1001, 1e9, 2 ** 53, '', 'x', 'x'.repeat(300), '__proto__', '../x', [], {}],
  ...[
    [3, 0, 0],
    [3, 32, 32],
    [3, 1e6, 1e6],
    [1, 28, 28],
    [3, 224, 225],
    [0.5, 0.5, 0.5],
    [1, 2],
    [[]],
    { a: { a: 1 } },
  ],
  ...['resnet18', 'resnet18d', 'vgg11', 'tf_efficientnet_b0', 'squash', 'bilinear', 'cc-by-nc-4.0', '1.safetensors'],
];

const bytesOf = (/** @type {string} */ text) => Buffer.from(text, 'latin1');

/**
 * A source of mutated files.
 *
 * @param {number} seed
 */
export function mutator(seed) {
  let state = seed >>> 0;

  /** A whole number below `most`. @param {number} most */
  function random(most) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * most);
  }

  /** @template T @param {readonly T[]} items */
  const one = (items) => items[random(items.length)];

  /** A copy with some bytes changed, moved, or cut off. @param {Uint8Array} file @param {Uint8Array} other */
  function changed(file, other) {
    let bytes = file.slice();
    for (let n = random(3); n >= 0 && bytes.length > 0; n--) {
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
          if (at + 4 <= bytes.length) view.setUint32(at, one(EDGES), random(2) === 0);
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
          if (at + 8 <= bytes.length) view.setBigUint64(at, BigInt(one(EDGES)), true);
      }
    }
    return bytes;
  }

  /**
   * A copy with some pieces replaced by others. @param {Uint8Array} file @param {readonly string[]} pieces @param
   * {number} [end] of the part that is changed
   */
  function spliced(file, pieces, end = file.length) {
    let bytes = Buffer.from(file);
    for (let n = random(3); n >= 0; n--) {
      const at = random(end);
      const from = random(end);
      const piece = random(3) === 0 ? bytes.subarray(from, from + random(40)) : bytesOf(one(pieces));
      bytes = Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(at + random(random(4) === 0 ? 40 : 4))]);
    }
    return new Uint8Array(bytes);
  }

  /** A zip file whose entries are changed, with checksums and places that fit. @param {Uint8Array} file */
  function rezipped(file) {
    const entries = entriesOf(file).map(([name, content]) => {
      const isDeflated = random(6) === 0;
      if (name.endsWith('data.pkl')) return { name, content: spliced(content, OPCODES), isDeflated };
      const cut = random(8) === 0 ? content.subarray(0, random(content.length + 1)) : content;
      return { name: random(30) === 0 ? `${name}x` : name, content: cut, isDeflated };
    });
    return new Uint8Array(Buffer.concat(zipPieces(entries)));
  }

  /** A safetensors file whose header is changed, and its length that fits. @param {Uint8Array} file */
  function reheaded(file) {
    const headerEnd = 8 + Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true));
    const header = spliced(file.subarray(8, headerEnd), TOKENS);
    const bytes = Buffer.concat([file.subarray(0, 8), header, file.subarray(headerEnd)]);
    bytes.writeBigUInt64LE(BigInt(header.length));
    return new Uint8Array(bytes);
  }

  /** A JSON object with some of its values replaced, left out, or put elsewhere. @param {Uint8Array} file */
  function rewritten(file) {
    const root = JSON.parse(Buffer.from(file).toString());
    for (let n = random(3); n >= 0; n--) {
      let object = root;
      for (let key = one(Object.keys(object)); ; key = one(Object.keys(object))) {
        const inner = object[key];
        if (inner && typeof inner === 'object' && !Array.isArray(inner) && Object.keys(inner).length && random(4) > 0) {
          object = inner;
          continue;
        }
        if (random(5) === 0) delete object[key];
        else object[random(8) === 0 ? 'license' : key] = structuredClone(one(VALUES));
        break;
      }
      if (Object.keys(root).length === 0) break;
    }
    return new TextEncoder().encode(JSON.stringify(root));
  }

  return {
    random,
    one,
    /**
     * One of the files, changed. @param {string} format @param {readonly Uint8Array[]} files @returns {Uint8Array}
     */
    file(format, files) {
      const original = one(files);
      if (random(2) === 0) {
        if (format === 'pth-zip') return rezipped(original);
        if (format === 'pth-legacy') return spliced(original, OPCODES, Math.ceil(original.length * 0.8));
        if (format === 'safetensors') return reheaded(original);
        if (format === 'hub-config' || format === 'index') {
          return random(4) === 0 ? spliced(original, TOKENS) : rewritten(original);
        }
      }
      const bytes = changed(original, one(files));
      return format === 'pth-zip' && random(4) > 0 ? withChecksums(bytes) : bytes;
    },
  };
}

/**
 * The names and contents of a zip file that is as it should be.
 *
 * @param {Uint8Array} bytes @returns {[string, Uint8Array][]}
 */
function entriesOf(bytes) {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const end = file.lastIndexOf('PK\x05\x06', undefined, 'latin1');
  let at = file.readUInt32LE(end + 16);
  return Array.from({ length: file.readUInt16LE(end + 10) }, () => {
    const [name, extra, comment] = [28, 30, 32].map((field) => file.readUInt16LE(at + field));
    const begin = file.readUInt32LE(at + 42);
    const content = begin + 30 + file.readUInt16LE(begin + 26) + file.readUInt16LE(begin + 28);
    const entry = file.subarray(content, content + file.readUInt32LE(at + 24));
    const path = file.toString('utf8', at + 46, at + 46 + name);
    at += 46 + name + extra + comment;
    return /** @type {[string, Uint8Array]} */ ([path, entry]);
  });
}

/**
 * The file with checksums that fit its entries, so that what is in them is looked at. Where the directory was hit, it
 * stays as it is.
 *
 * @param {Uint8Array} bytes
 */
function withChecksums(bytes) {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const end = file.lastIndexOf('PK\x05\x06', undefined, 'latin1');
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
