/**
 * Reads whole safetensors files, and single tensors: the header is checked, tensors are views of the file's bytes where
 * that can be. Leaves out files in several shards; open-safetensors.ts reads over HTTP, by the steps (length, header,
 * tensor) that are exported one by one.
 */

import { describe, KeyError, listed } from '../errors.ts';
import { arrayOf, type Dtype, itemBytes } from '../tensor/dtype.ts';
import { Tensor } from '../tensor/tensor.ts';
import {
  byteCount,
  FORMAT_DTYPES,
  OPENER,
  PREFIX_BYTES,
  parseSafetensorsHeader,
  READABLE,
  type SafetensorsHeader,
  safetensorsHeaderBytes,
  type TensorInfo,
} from './safetensors-header.ts';
import { malformed } from './safetensors-scanner.ts';
import { toBytes } from './to-bytes.ts';

/** An opened file: its checked header, and its tensors one by one. */
export interface SafetensorsFile extends SafetensorsHeader {
  /**
   * The tensor of that name: a view of the file's bytes where they are aligned for its dtype, as they are where the
   * writer padded the header and put wide dtypes first; else a copy, made on each call.
   *
   * @throws {@link KeyError} where the file has no such tensor
   * @throws {@link FormatError} where layertap has no such dtype (F4, F6, F8, U16, U32, U64, C64)
   */
  get(name: string): Tensor;
}

/**
 * The tensor that a file's bytes stand for: a view of them where they are aligned for its dtype, else a copy.
 *
 * @param name for messages
 * @param info from the header; its offsets aren't looked at
 * @param bytes the tensor's bytes alone
 * @throws {@link FormatError} where layertap has no such dtype, or there are too few or too many bytes
 */
export function decodeSafetensorsTensor(name: string, info: TensorInfo, bytes: Uint8Array): Tensor {
  const dtype = checkReadable(name, info);
  const expected = byteCount(name, info.dtype, info.shape);
  const data = toBytes('decodeSafetensorsTensor', bytes, OPENER);
  if (data.length !== expected) {
    throw malformed(`tensor ${describe(name)}: expected ${expected} bytes of data, got ${data.length}`);
  }
  const aligned = data.byteOffset % itemBytes(dtype) === 0 ? data : data.slice();
  const Elements = arrayOf(dtype);
  return new Tensor(new Elements(aligned.buffer, aligned.byteOffset, expected / itemBytes(dtype)), info.shape, dtype);
}

/** @internal layertap's dtype of a tensor. @throws {@link FormatError} where it has none */
export function checkReadable(name: string, info: TensorInfo): Dtype {
  const dtype = FORMAT_DTYPES[info.dtype];
  if (dtype !== undefined) return dtype;
  throw malformed(`tensor ${describe(name)}: expected a dtype of ${READABLE.join(', ')}, got ${info.dtype}`);
}

/**
 * A safetensors file, its header checked and its tensors not yet made. Tensors share the memory of `bytes`: it must
 * not be changed while they are in use.
 *
 * @param bytes the whole file
 * @throws {@link ValueError} where `bytes` isn't binary
 * @throws {@link FormatError} where the file breaks a rule of the format
 */
export function readSafetensors(bytes: Uint8Array | ArrayBuffer): SafetensorsFile {
  return readFile(toBytes('readSafetensors', bytes, OPENER));
}

function readFile(file: Uint8Array): SafetensorsFile {
  const dataBegin = PREFIX_BYTES + safetensorsHeaderBytes(file, file.length);
  const data = file.subarray(dataBegin);
  const { metadata, tensors } = parseSafetensorsHeader(file.subarray(PREFIX_BYTES, dataBegin), data.length);
  return {
    metadata,
    tensors,
    get(name) {
      const info = tensors.get(name);
      if (!info) {
        throw new KeyError(`safetensors: expected a tensor of ${listed(tensors.keys())}, got ${describe(name)}`);
      }
      return decodeSafetensorsTensor(name, info, data.subarray(info.begin, info.end));
    },
  };
}

/**
 * All tensors of a safetensors file, in the order of their bytes; views of the file where they are aligned, as with
 * {@link readSafetensors}.
 *
 * @param bytes the whole file
 * @throws {@link ValueError} where `bytes` isn't binary
 * @throws {@link FormatError} where the file breaks a rule of the format, or layertap lacks the dtype of a tensor
 */
export function loadSafetensors(bytes: Uint8Array | ArrayBuffer): Map<string, Tensor> {
  const file = readFile(toBytes('loadSafetensors', bytes, OPENER));
  return new Map(Array.from(file.tensors.keys(), (name) => [name, file.get(name)]));
}
