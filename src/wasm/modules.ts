/**
 * The binaries as modules: inlined in the code, decoded and compiled on first use. Where a host forbids compiling, the entry for
 * its export condition has modules.workerd.ts or modules.edge-light.ts in this file's place; the build sees to that.
 */

import { UnsupportedError } from '../errors.ts';
import { relaxedBytes, relaxedDifference, simd } from './binaries.gen.ts';
import type { Binary } from './binary.ts';

/** The binary that was validated last, until it is compiled: to decode takes longer than to compile. */
let validated: { readonly binary: Binary; readonly bytes: Uint8Array<ArrayBuffer> } | null = null;

/** Whether this engine runs a binary. */
export function isRunnable(binary: Binary): boolean {
  const bytes = bytesOf(binary);
  const runs = WebAssembly.validate(bytes);
  if (runs) validated = { binary, bytes };
  return runs;
}

/**
 * A binary's module.
 *
 * @throws {@link UnsupportedError} where the host has no WebAssembly SIMD, or forbids compiling
 */
export function moduleOf(binary: Binary): WebAssembly.Module {
  const bytes = validated?.binary === binary ? validated.bytes : bytesOf(binary);
  validated = null;
  try {
    return new WebAssembly.Module(bytes);
  } catch (cause) {
    throw new UnsupportedError(
      `layertap: expected a host that compiles WebAssembly with SIMD, got "${cause}"; ` +
        `a page's Content-Security-Policy has to allow 'wasm-unsafe-eval', other hosts have to call setModule with the ${binary} binary`,
      { cause },
    );
  }
}

/** A binary's bytes, a new copy of them. */
export function bytesOf(binary: Binary): Uint8Array<ArrayBuffer> {
  const bytes = decoded(simd);
  return binary === 'simd' ? bytes : applied(decoded(relaxedDifference), fused(bytes), relaxedBytes);
}

/** The bytes of scripts/text.mjs' text: characters stand for numbers from `#` on, 91 more after `!`, 182 more after a space. */
export function decoded(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length);
  let length = 0;
  for (let i = 0; i < text.length; i++) {
    let code = text.charCodeAt(i);
    let more = 0;
    if (code < 35) {
      more = (34 - code) * 91;
      code = text.charCodeAt(++i);
    }
    bytes[length++] = (code === 126 ? 92 : code) - 38 + more;
  }
  return bytes.slice(0, length);
}

/** scripts/difference.mjs' guess at the relaxed binary: f32x4.mul before local.get is left out, f32x4.add after that is relaxed_madd. */
export function fused(simd: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(simd);
  let length = 0;
  let products = 0;
  for (let at = 0; at < simd.length; at++) {
    const opcode = simd[at] === 0xfd && simd[at + 2] === 1 ? simd[at + 1] : 0;
    if (opcode === 0xe6 && simd[at + 3] === 0x20) {
      products++;
      at += 2;
    } else if (opcode === 0xe4 && products > 0) {
      products--;
      bytes.set([0xfd, 0x85, 2], length);
      length += 3;
      at += 2;
    } else {
      bytes[length++] = simd[at]!;
    }
  }
  return bytes.subarray(0, length);
}

/** What scripts/difference.mjs took apart: new bytes and copies from another binary in turns. */
export function applied(difference: Uint8Array, from: Uint8Array, length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  let read = 0;
  let written = 0;
  let next = 0;
  const number = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = difference[read++]!;
      value |= (byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  for (;;) {
    const fresh = number();
    bytes.set(difference.subarray(read, read + fresh), written);
    read += fresh;
    written += fresh;
    next += fresh;
    if (written === length) return bytes;
    const copied = number();
    const distance = number();
    next += distance % 2 === 0 ? distance / 2 : -(distance + 1) / 2;
    bytes.set(from.subarray(next, next + copied), written);
    written += copied;
    next += copied;
  }
}
