/** numpy's files: `.npy` of one array, `.npz` of several by name. */

import { zipSync } from 'fflate';

/** What precedes each header: a magic number and the format's version 1.0. */
const MAGIC = [0x93, ...Buffer.from('NUMPY'), 1, 0];

/** Headers end at a multiple of this. */
const ALIGNMENT = 64;

/**
 * The bytes of a `.npy` file.
 *
 * @param {import('layertap').Tensor<Float32Array>} tensor
 * @returns {Uint8Array}
 * @see numpy.lib.format
 */
export function npyBytes({ data, shape }) {
  const sizes = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const text = `{'descr': '<f4', 'fortran_order': False, 'shape': (${sizes}), }`;
  const before = MAGIC.length + 2;
  const length = Math.ceil((before + text.length + 1) / ALIGNMENT) * ALIGNMENT - before;
  const header = Buffer.alloc(before + length, ' ');
  header.set(MAGIC);
  header.writeUInt16LE(length, MAGIC.length);
  header.write(text, before, 'latin1');
  header[header.length - 1] = 0x0a;
  return Buffer.concat([header, Buffer.from(data.buffer, data.byteOffset, data.byteLength)]);
}

/**
 * The bytes of a `.npz` file: an archive of `NAME.npy`, not compressed, as numpy.savez writes it.
 *
 * @param {readonly (readonly [string, import('layertap').Tensor<Float32Array>])[]} tensors
 * @returns {Uint8Array}
 */
export function npzBytes(tensors) {
  const files = tensors.map(([name, tensor]) => [`${name}.npy`, npyBytes(tensor)]);
  // A time of its own would make the same features another file.
  return zipSync(Object.fromEntries(files), { level: 0, mtime: '1980-01-01T00:00:00' });
}
