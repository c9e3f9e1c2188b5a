/**
 * Writes state dicts as torch.save does, in both layouts, for tests and benchmarks: the same records in the same order,
 * without PyTorch. Leaves out what the reader doesn't look at: memo, hooks, the order of legacy keys by address.
 */

import { crc32, deflateRawSync } from 'node:zlib';

/**
 * A tensor to be written: contiguous, of a storage of its own.
 *
 * @typedef {{ dtype: string, shape: readonly number[], bytes: Uint8Array }} Written
 */

/** @type {Readonly<Record<string, string>>} */
const STORAGES = { float32: 'FloatStorage', float16: 'HalfStorage', int64: 'LongStorage' };

/** Bytes that the content of an entry begins at a multiple of. */
const ALIGNMENT = 64;

const latin = (/** @type {string} */ text) => Buffer.from(text, 'latin1');

/** @param {string} text */
function unicode(text) {
  const bytes = Buffer.from(text);
  return Buffer.concat([latin('X'), u32(bytes.length), bytes]);
}

/** @param {number} value */
function u32(value) {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

/** @param {number} value */
function u64(value) {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

/** @param {number} value */
const int = (value) => Buffer.concat([latin('J'), u32(value)]);

/** @param {readonly number[]} values */
const tuple = (values) => Buffer.concat([latin('('), ...values.map(int), latin('t')]);

/**
 * The pickle of a state dict.
 *
 * @param {ReadonlyMap<string, Written>} tensors @param {readonly string[]} keys of their storages
 * @param {boolean} isLegacy whether a storage is named with the view that it is
 * @returns {Buffer}
 */
function pickled(tensors, keys, isLegacy) {
  const empty = latin('ccollections\nOrderedDict\n)R');
  const parts = [latin('\x80\x02'), empty, latin('(')];
  [...tensors].forEach(([name, { dtype, shape, bytes }], i) => {
    const count = shape.reduce((product, size) => product * size, 1);
    if (bytes.length % Math.max(count, 1) !== 0)
      throw new Error(`pth: expected bytes of ${count} elements for ${name}`);
    const stride = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, size) => product * size, 1));
    const storage = [unicode('storage'), latin(`ctorch\n${STORAGES[dtype]}\n`), unicode(keys[i]), unicode('cpu')];
    const id = [latin('('), ...storage, int(count), latin(isLegacy ? 'NtQ' : 'tQ')];
    const call = latin('ctorch._utils\n_rebuild_tensor_v2\n(');
    parts.push(unicode(name), call, ...id, int(0), tuple(shape), tuple(stride), latin('\x89'), empty, latin('tR'));
  });
  parts.push(latin('u.'));
  return Buffer.concat(parts);
}

/**
 * A file of the zip layout, in pieces: contents are the tensors' own bytes.
 *
 * @param {ReadonlyMap<string, Written>} tensors
 * @returns {Uint8Array[]}
 */
export function pthZip(tensors) {
  const keys = [...tensors.keys()].map((_, i) => String(i));
  const contents = [...tensors.values()].map(({ bytes }, i) => /** @type {const} */ ([`data/${keys[i]}`, bytes]));
  return zipPieces(
    [
      ['data.pkl', pickled(tensors, keys, false)],
      ['byteorder', latin('little')],
      ...contents,
      ['version', latin('3\n')],
      ['.data/serialization_id', latin('0'.repeat(40))],
    ].map(([path, content]) => ({ name: `archive/${path}`, content: /** @type {Uint8Array} */ (content) })),
  );
}

/**
 * A zip file in pieces, each content aligned as torch.save aligns it.
 *
 * @param {readonly { name: string, content: Uint8Array, isDeflated?: boolean }[]} entries
 * @returns {Uint8Array[]}
 */
export function zipPieces(entries) {
  /** @type {Uint8Array[]} */
  const pieces = [];
  /** @type {Buffer[]} */
  const directory = [];
  let at = 0;
  for (const { name: path, content, isDeflated = false } of entries) {
    const name = Buffer.from(path);
    const packed = isDeflated ? deflateRawSync(content) : content;
    const unpadded = at + 30 + name.length + 4;
    const padding = (ALIGNMENT - (unpadded % ALIGNMENT)) % ALIGNMENT;
    const fields = Buffer.alloc(26);
    fields.writeUInt16LE(isDeflated ? 8 : 0, 4);
    fields.writeUInt32LE(crc32(content), 10);
    fields.writeUInt32LE(packed.length, 14);
    fields.writeUInt32LE(content.length, 18);
    fields.writeUInt16LE(name.length, 22);
    fields.writeUInt16LE(4 + padding, 24);
    const extra = Buffer.alloc(4 + padding, 'Z');
    extra.write('FB', 'latin1');
    extra.writeUInt16LE(padding, 2);
    pieces.push(Buffer.concat([latin('PK\x03\x04'), fields, name, extra]), packed);
    const line = Buffer.alloc(16);
    line.writeUInt32LE(at, 12);
    directory.push(
      Buffer.concat([latin('PK\x01\x02\0\0'), fields.subarray(0, 24), Buffer.alloc(2), line.subarray(2), name]),
    );
    at = unpadded + padding + packed.length;
  }
  const listing = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(listing.length, 12);
  end.writeUInt32LE(at, 16);
  return [...pieces, listing, end];
}

/**
 * A file of the legacy layout, in pieces: contents are the tensors' own bytes. PyTorch sorts storages by their keys,
 * which are addresses: so the order is the caller's.
 *
 * @param {ReadonlyMap<string, Written>} tensors
 * @param {readonly number[]} [order] of the storages, as indices of the tensors
 * @returns {Uint8Array[]}
 */
export function pthLegacy(tensors, order = [...tensors.keys()].map((_, i) => i)) {
  const keys = [...tensors.keys()].map((_, i) => String(94_000_000 + i));
  const system = ['(', unicode('protocol_version'), 'M\xe9\x03', unicode('little_endian'), '\x88u.'];
  const head = [
    latin('\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.'),
    latin('\x80\x02M\xe9\x03.'),
    latin('\x80\x02}'),
    ...system.map((part) => (typeof part === 'string' ? latin(part) : part)),
    pickled(tensors, keys, true),
    latin('\x80\x02]('),
    ...order.map((i) => unicode(keys[i])),
    latin('e.'),
  ];
  const values = [...tensors.values()];
  const contents = order.flatMap((i) => {
    const { shape, bytes } = values[i];
    return [u64(shape.reduce((product, size) => product * size, 1)), bytes];
  });
  return [Buffer.concat(head), ...contents];
}
