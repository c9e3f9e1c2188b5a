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
