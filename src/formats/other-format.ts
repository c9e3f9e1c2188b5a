/** What a file is that isn't one of the wanted format: its first bytes tell. For messages alone. */

import { hexOf } from './hex.ts';

/** What each begins with in hexadecimal digits, what that is, and how to get at weights from there. */
const FORMATS: readonly (readonly [begin: RegExp, what: string])[] = [
  // PK, or a pickle's protocol
  [/^(504b0304|800[2-5])/, 'a .pth or .pt file; openWeights reads it'],
  // version
  [/^76657273696f6e20/, 'a git-lfs pointer; run git lfs pull'],
  // white space and <
  [
    /^(efbbbf)?(20|09|0a|0d)*3c/,
    'an HTML or XML page; is the URL right? On Hugging Face, files are at /resolve/, not /blob/',
  ],
  // white space and { or [
  [/^(efbbbf)?(20|09|0a|0d)*[75]b/, 'JSON; if it is an index, open the files that it names'],
  [/^1f8b/, 'gzip; decompress it first'],
];

/** Bytes that tell: one of a page's may come after some white space. */
const FIRST_BYTES = 64;

/**
 * What the first bytes of a file are instead of the wanted format's, and the way out; null where nothing is known to
 * begin so.
 */
export function otherFormat(first: Uint8Array): string | null {
  const digits = hexOf(first.subarray(0, FIRST_BYTES));
  return FORMATS.find(([begin]) => begin.test(digits))?.[1] ?? null;
}
