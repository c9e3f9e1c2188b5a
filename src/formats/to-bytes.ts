/** Bytes as callers have them, and what to say of what isn't bytes. */

import { describe, kindOf, ValueError } from '../errors.ts';
import { withoutSecrets } from './secrets.ts';

/**
 * The bytes of an array of any type, or of a buffer; of other realms too, which `instanceof` would not take.
 *
 * @param caller the public function that was given them, for messages
 * @param opener the public function that opens such files without reading all of them
 * @throws {@link ValueError} where they are no bytes, or were given away
 */
export function toBytes(caller: string, bytes: unknown, opener: string): Uint8Array {
  if (!isBinary(bytes)) {
    const got = describe(typeof bytes === 'string' ? withoutSecrets(bytes) : bytes);
    throw new ValueError(`${caller}: expected a Uint8Array or an ArrayBuffer, got ${got}${wayToBytes(bytes, opener)}`);
  }
  try {
    if (!ArrayBuffer.isView(bytes)) return new Uint8Array(bytes);
    return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  } catch {
    // Only a buffer whose memory was given away, by postMessage for example, has none to look at.
    throw new ValueError(`${caller}: expected bytes, got a detached ${kindOf(bytes)}; pass a copy to what took it`);
  }
}

/** True for arrays of any type and for buffers. */
export function isBinary(value: unknown): value is ArrayBufferView | ArrayBuffer {
  return ArrayBuffer.isView(value) || ['ArrayBuffer', 'SharedArrayBuffer'].includes(kindOf(value));
}

/** How to get at bytes from what was given instead, for messages; empty where nothing comes to mind. */
export function wayToBytes(value: unknown, opener: string): string {
  if (typeof value === 'string') return `; read the file first, or open its URL with ${opener}`;
  const able = Object(value) as Record<string, unknown>;
  const can = (name: string) => typeof able[name] === 'function';
  if (can('then')) return '; await it first';
  if (can('load')) return '; it is open already: await its load()';
  if (can('arrayBuffer')) return '; await its arrayBuffer()';
  if (can('read')) return `; open it with ${opener}`;
  return '';
}
