/** The binaries for threads: the same, but for one bit that says that the imported memory is shared. */

import { assert } from '../errors.ts';
import type { Binary } from '../wasm/binary.ts';
import { bytesOf } from '../wasm/modules.ts';

const modules = new Map<Binary, WebAssembly.Module>();

/** A binary's module for a shared memory. */
export function sharedModule(binary: Binary): WebAssembly.Module {
  let module = modules.get(binary);
  if (!module) {
    module = new WebAssembly.Module(withSharedMemory(bytesOf(binary)));
    modules.set(binary, module);
  }
  return module;
}

const IMPORT_SECTION = 2;

/**
 * The import "env" "memory" of a memory with a maximum, and with one that is shared, as bytes of the import section.
 */
const PLAIN = [...name('env'), ...name('memory'), 2, 1];
const SHARED = [...PLAIN.slice(0, -1), 3];

function name(text: string): number[] {
  return [text.length, ...[...text].map((letter) => letter.charCodeAt(0))];
}

/** @see https://webassembly.github.io/threads/core/binary/types.html#limits */
function withSharedMemory(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  let at = 8;
  while (bytes[at] !== IMPORT_SECTION) {
    const [size, start] = leb128(bytes, at + 1);
    at = start + size;
    assert(at < bytes.length, 'a binary has an import section');
  }
  const [size, start] = leb128(bytes, at + 1);
  for (let i = start; i + PLAIN.length <= start + size; i++) {
    if (!PLAIN.every((byte, j) => bytes[i + j] === byte)) continue;
    bytes.set(SHARED, i);
    return bytes;
  }
  assert(false, 'a binary imports its memory');
}

/** An unsigned number in LEB128, and where the next thing begins. */
function leb128(bytes: Uint8Array, at: number): [value: number, next: number] {
  let value = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++]!;
    value += (byte & 127) * 2 ** shift;
    if (byte < 128) return [value, at];
  }
}
