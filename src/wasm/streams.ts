/**
 * A binary taken apart into streams, each with what is alike: instructions, the locals that they name, … Streams
 * compress a quarter better than the binary does. scripts/streams.mjs takes it apart by the same rule as this file puts
 * it together, and knows WebAssembly's instructions: here an instruction is a number, and a table says what it is.
 */

/** Constant vectors, which follow an instruction as all of these do. */
export const VECTORS = 0;

/** Whole numbers. */
export const INTEGERS = 1;

/** Offsets of addresses. */
export const OFFSETS = 2;

/** Locals that are read. */
export const READ = 3;

/** Locals that are written. */
export const WRITTEN = 4;

/** All else that is no instruction, other sections included. */
export const OTHERS = 5;

/** The instructions, a byte for each: its number in the table. */
export const INSTRUCTIONS = 6;

/** For each different instruction the number of its bytes, what follows them, and its bytes. */
export const TABLE = 7;

/**
 * What the relaxed binary has in place of the table's begin: a fused multiply-add for a sum, nops for a product. They
 * have as many bytes, so all else is the same in both binaries.
 */
export const FUSED = 8;

/**
 * What follows an instruction's own bytes, as the table tells: a stream, and COUNT times the number of its bytes. With
 * 0 bytes there is one number in LEB128, or one local.
 */
export const COUNT = 8;

/** In a stream's place: nothing follows. {@link TABLE} has this number, too, and never follows an instruction. */
export const NOTHING = 7;

/** The section that has the functions. */
export const CODE = 10;

/**
 * Puts the simd binary or the relaxed one together.
 *
 * @param size of either
 * @see https://webassembly.github.io/spec/core/binary/
 */
export function joined(streams: readonly Uint8Array[], size: number, isRelaxed: boolean): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  const places = streams.map(() => 0);
  const code = streams[INSTRUCTIONS]!;
  const table = streams[TABLE]!.slice();
  if (isRelaxed) table.set(streams[FUSED]!);
  /** Where each instruction is in the table. */
  const entries: number[] = [];
  for (let entry = 0; entry < table.length; entry += table[entry]! + 2) entries.push(entry);
  let at = 0;
  let done = 0;
  const next = (stream: number): number => streams[stream]![places[stream]!++]!;
  const copy = (stream: number, count: number): void => {
    while (count-- > 0) bytes[at++] = next(stream);
  };
  /** Copies a number in LEB128, and returns it as unsigned: only counts are looked at, which have no sign. */
  const number = (stream: number): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const part = next(stream);
      bytes[at++] = part;
      value |= (part & 127) << shift;
      if (part < 128) return value;
    }
  };
  // Move-to-front coding: a local is its place in the list of locals, the one that was used last first. One is often
  // used again soon. A place is a byte, so scripts/streams.mjs refuses functions with more than 128 locals.
  // A call for each: an engine optimises a long loop amid all this for ten times as long as the loop takes.
  const instruction = (recent: Uint8Array): void => {
    let entry = entries[code[done++]!]!;
    let length = table[entry++]!;
    const follows = table[entry++]!;
    while (length-- > 0) bytes[at++] = table[entry++]!;
    const stream = follows % COUNT;
    if (stream === READ || stream === WRITTEN) {
      const place = next(stream);
      const local = recent[place]!;
      recent.copyWithin(1, 0, place);
      recent[0] = local;
      bytes[at++] = local;
    } else if (follows >= COUNT) copy(stream, (follows - stream) / COUNT);
    else if (follows !== NOTHING) number(stream);
  };
  copy(OTHERS, 8);
  while (at < size) {
    const section = number(OTHERS);
    const sectionBytes = number(OTHERS);
    if (section !== CODE) {
      copy(OTHERS, sectionBytes);
      continue;
    }
    for (let functions = number(OTHERS); functions > 0; functions--) {
      const bodyBytes = number(OTHERS);
      const end = at + bodyBytes;
      const recent = Uint8Array.from({ length: 128 }, (_, i) => i);
      for (let groups = number(OTHERS); groups > 0; groups--) {
        number(OTHERS);
        number(OTHERS);
      }
      while (at < end) instruction(recent);
    }
  }
  return bytes;
}
