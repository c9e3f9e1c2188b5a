/** Texts of a stranger's file as messages show them: short, however long they are. */

import { describe } from '../errors.ts';

/** At most 200 characters of a text. */
export function cut(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}

/** A name of a file's, in quotes; a hostile file may have names of megabytes. */
export function quote(name: string): string {
  return JSON.stringify(cut(name));
}

/** The first few names. */
export function listNames(names: Iterable<string>): string {
  const listed: string[] = [];
  for (const name of names) {
    if (listed.length === 8) return `${listed.join(', ')}, …`;
    listed.push(typeof name === 'string' ? quote(name) : describe(name));
  }
  return listed.join(', ') || 'none';
}

let decoder: TextDecoder | null = null;

/** The text of some bytes, as lenient as Python, whose names may hold half of a surrogate pair. */
export function textOf(bytes: Uint8Array): string {
  // To make one takes longer than to decode a name, of which a file has thousands.
  decoder ??= new TextDecoder('utf-8', { ignoreBOM: true });
  return decoder.decode(bytes);
}
