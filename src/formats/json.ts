/** JSON in a stranger's file. */

/** The most lists, objects and commas. Values take up to fifty times their text, and no index of shards has as many. */
const MOST_PARTS = 2 ** 18;

/** The value of a JSON text, with a byte order mark or without; undefined where it is none, or too much. */
export function jsonOf(bytes: Uint8Array): unknown {
  let parts = 0;
  // [ and {, commas.
  for (const byte of bytes) if (byte === 0x5b || byte === 0x7b || byte === 0x2c) parts++;
  if (parts > MOST_PARTS) return undefined;
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
}
