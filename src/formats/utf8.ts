/** Text in a stranger's file. */

let decoder: TextDecoder | null = null;

/** The text of some bytes, as lenient as Python, whose names may hold half of a surrogate pair. */
export function textOf(bytes: Uint8Array): string {
  decoder ??= new TextDecoder('utf-8', { ignoreBOM: true });
  return decoder.decode(bytes);
}
