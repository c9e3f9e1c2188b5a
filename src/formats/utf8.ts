/** Text in a stranger's file. */

let decoder: TextDecoder | null = null;

/** The text of some bytes, as lenient as Python, whose names may hold half of a surrogate pair. */
export function textOf(bytes: Uint8Array): string {
  // A decoder allocates for each text, and a file has thousands of names.
  if (bytes.length < 99 && bytes.every((byte) => byte < 128)) return String.fromCharCode.apply(null, [...bytes]);
  decoder ??= new TextDecoder('utf-8', { ignoreBOM: true });
  return decoder.decode(bytes);
}
