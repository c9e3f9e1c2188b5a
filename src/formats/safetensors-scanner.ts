/** Reads the JSON of a safetensors header piece by piece, and says at which character it isn't what was expected. */

import { cut, FormatError } from '../errors.ts';

/** The most numbers of an array: a shape's axes, of which PyTorch allows as many. */
const MOST_NUMBERS = 64;

/**
 * Reads the header's JSON, whose form is known beforehand: it never nests values that it doesn't expect, so nothing
 * recurses, and it sees each key, where `JSON.parse` would keep the last of two.
 */
export class HeaderScanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** The keys of an object, each while the scanner stands before its value, which is to be read before the next. */
  *members(expected: string, expectedKey: string): Generator<string, void, void> {
    this.#take('{', expected);
    if (this.#takes('}')) return;
    do {
      const key = this.string(expectedKey);
      this.#take(':', '":"');
      yield key;
    } while (this.#takes(','));
    this.#take('}', '"," or "}"');
  }

  /** An array of whole numbers from 0 to 2⁵³ − 1. It takes no turns, and so is short. */
  integers(expected: string): number[] {
    const numbers: number[] = [];
    this.#take('[', expected);
    if (this.#takes(']')) return numbers;
    do {
      if (numbers.length === MOST_NUMBERS) throw this.#unexpected(`at most ${MOST_NUMBERS} ${expected}`);
      numbers.push(this.#integer(expected));
    } while (this.#takes(','));
    this.#take(']', '"," or "]"');
    return numbers;
  }

  /** A string, its escapes resolved. */
  string(expected: string): string {
    this.#skipSpace();
    // biome-ignore lint/suspicious/noControlCharactersInRegex: JSON's strings have none
    const simple = this.match(/"([^\0-\x1f"\\]*)"/y);
    if (simple) return simple[1]!;
    const text = this.#text;
    this.#take('"', expected);
    const begin = this.#at;
    for (;;) {
      const unit = text.charCodeAt(this.#at);
      if (unit === 0x22) break;
      if (Number.isNaN(unit) || unit < 0x20) throw this.#unexpected('the rest of a string');
      this.#at += unit === 0x5c ? 2 : 1;
    }
    const end = this.#at++;
    const literal = text.slice(begin - 1, end + 1);
    try {
      const value: string = JSON.parse(literal);
      if (!hasLoneSurrogate(value)) return value;
    } catch {}
    throw malformed(
      `expected a string with valid escapes at character ${begin - 1} of the header, got ${cut(literal)}`,
    );
  }

  /** What a sticky pattern finds where the scanner stands, which stands behind it then; null where it finds nothing. */
  match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text);
    if (found) this.#at = pattern.lastIndex;
    return found;
  }

  /** Nothing but white space to the end. */
  end(): void {
    this.#skipSpace();
    if (this.#at < this.#text.length) throw this.#unexpected('the end');
  }

  #integer(expected: string): number {
    this.#skipSpace();
    const begin = this.#at;
    const [digits] = this.match(/\d*/y)!;
    if (digits === '' || '.eE'.includes(this.#text[this.#at] ?? ' ')) throw this.#unexpected(expected);
    if (digits.length > 1 && digits[0] === '0') {
      this.#at = begin;
      throw this.#unexpected(`${expected} without leading zeros`);
    }
    const value = Number(digits);
    if (!Number.isSafeInteger(value)) {
      throw malformed(`expected ${expected} up to ${Number.MAX_SAFE_INTEGER}, got ${cut(digits)}`);
    }
    return value;
  }

  #take(char: string, expected: string): void {
    if (!this.#takes(char)) throw this.#unexpected(expected);
  }

  #takes(char: string): boolean {
    this.#skipSpace();
    if (this.#text[this.#at] !== char) return false;
    this.#at++;
    return true;
  }

  #skipSpace(): void {
    while (isSpace(this.#text.charCodeAt(this.#at))) this.#at++;
  }

  #unexpected(expected: string): FormatError {
    const at = Math.min(this.#at, this.#text.length);
    const code = this.#text.codePointAt(at);
    const got = code === undefined ? 'its end' : JSON.stringify(String.fromCodePoint(code));
    return malformed(`expected ${expected} at character ${at} of the header, got ${got}`);
  }
}

/** JSON's white space: space, tab, line feed, carriage return. */
export function isSpace(unit: number): boolean {
  return unit === 0x20 || unit === 0x0a || unit === 0x0d || unit === 0x09;
}

/** True where a text has half of a surrogate pair, so that it is no Unicode. */
export function hasLoneSurrogate(text: string): boolean {
  return /\p{Surrogate}/u.test(text);
}

/** The error of a file that breaks a rule of the format. */
export function malformed(message: string): FormatError {
  return new FormatError(`safetensors: ${message}`);
}
