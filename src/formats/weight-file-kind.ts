/** Which kind of weight file it is, by its first bytes; and, for messages, what it is where it is none. */

import { describe, FormatError } from '../errors.ts';
import { hexOf } from './hex.ts';
import { otherFormat } from './other-format.ts';
import { textOf } from './utf8.ts';

/** Safetensors, PyTorch's zip and legacy layouts, and an index of shards. */
export type WeightFileKind = 'safetensors' | 'zip' | 'legacy' | 'index';

const WAY_OUT = 'in Python, torch.save(model.state_dict(), path) writes what layertap reads';

/** What else is called a model or weights: what each begins with in hexadecimal digits, and what it is. */
const OTHERS: readonly (readonly [begin: RegExp, what: string])[] = [
  [/^89484446/, 'HDF5, as Keras writes it'],
  [/^.{8}54464c33/, 'a TFLite model'],
  // A protocol buffer whose first field is a small number, and whose next one is a text or a message.
  [/^08[01].(12|1a|22|32|3a|42)/, 'an ONNX model'],
  [/^47475546/, 'GGUF'],
  [/^934e554d5059/, 'a NumPy array'],
  [/^(2864|286c|5d71)70?/, 'a pickle of protocol 0 or 1'],
  // "ustar" after the first file's name and numbers
  [/^.{514}7573746172/, 'a tar archive, as PyTorch 0.1 wrote; unpack it or load it in Python'],
];

/** Bytes that tell. */
const FIRST_BYTES = 262;

/**
 * The kind of a weight file.
 *
 * @param caller the public function, for messages
 * @param head the file's first bytes; all of a short one
 * @throws {@link FormatError} where it is none, naming what it is as far as that is known
 */
export function weightFileKind(caller: string, head: Uint8Array): WeightFileKind {
  const digits = hexOf(head.subarray(0, FIRST_BYTES));
  // Safetensors have a length of eight bytes first, of which the last four are zeros; then { or white space.
  if (/^.{8}0{8}(7b|20|09|0a|0d)/.test(digits)) return 'safetensors';
  if (digits.startsWith('504b0304')) return 'zip';
  if (/^800[2-5]/.test(digits)) return 'legacy';
  if (/^(efbbbf)?(20|09|0a|0d)*7b/.test(digits)) return 'index';
  const other = OTHERS.find(([begin]) => begin.test(digits));
  const what = other ? `${other[1]}; ${WAY_OUT}` : otherFormat(head);
  if (what) throw new FormatError(`${caller}: expected a weight file, got ${what}`);
  // What begins as if it were one is told where it isn't.
  if (/^.{8}0{8}/.test(digits)) return 'safetensors';
  const text = textOf(head.subarray(0, 32));
  const shown = /^[\x20-\x7e\s]+$/.test(text) ? describe(text) : digits.slice(0, 16).replace(/..(?=.)/g, '$& ');
  const got = head.length < 8 ? `${head.length} bytes` : `one that begins with ${shown}`;
  throw new FormatError(`${caller}: expected a weight file, got ${got}; ${WAY_OUT}`);
}
