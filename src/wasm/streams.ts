/**
 * A binary taken apart into streams, each with what is alike: instructions, the locals that they name, … Streams
 * compress a quarter better than the binary does. scripts/streams.mjs takes it apart by the same rule as this file puts
 * it together.
 */

/** What a byte is: a constant vector, a whole number, or an address' offset. */
const VECTORS = 0;
const INTEGERS = 2;
const OFFSETS = 5;

/** Or anything else beside the instructions. */
export const OTHERS = 1;

/** Or the first byte of an instruction. */
export const INSTRUCTIONS = 6;

/** Or a further byte of one, from the same stream. */
export const PARTS = 7;

/** The stream of what differs between the binaries. */
export const FUSED = 7;

/** Or the number of a local that is read, or written. */
const READ = 3;
const WRITTEN = 4;

/**
 * Whether a stream has locals. They stand there by their places among the function's last ones, since one is often used
 * again soon.
 */
export const hasLocals = (stream: number): boolean => stream === READ || stream === WRITTEN;

/**
 * Goes through a binary.
 *
 * @param hasMore whether there is a section left
 * @param next the next byte, which belongs to that stream; and the function's locals, the one that was used last first
 * @see https://webassembly.github.io/spec/core/binary/
 */
export function walk(hasMore: () => boolean, next: (stream: number, last: Uint8Array) => number): void {
  let at = 0;
  let last = new Uint8Array();
  const byte = (stream: number): number => {
    at++;
    return next(stream, last);
  };
  const bytes = (stream: number, count: number): void => {
    for (let i = 0; i < count; i++) byte(stream);
  };
  /** An unsigned number in LEB128. A signed one has the same bytes. */
  const number = (stream: number): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const part = byte(stream);
      value |= (part & 127) << shift;
      if (part < 128) return value;
    }
  };
  const address = (): void => {
    number(PARTS);
    number(OFFSETS);
  };
  const vectorInstruction = (opcode: number): void => {
    if (opcode < 12 || (opcode > 83 && opcode < 94)) address();
    if (opcode === 12 || opcode === 13) bytes(VECTORS, 16);
    // A lane.
    if ((opcode > 20 && opcode < 35) || (opcode > 83 && opcode < 92)) byte(PARTS);
  };
  const instruction = (opcode: number): void => {
    // Blocks' types, branches, and how memory grows.
    if ((opcode > 1 && opcode < 5) || opcode === 12 || opcode === 13 || opcode === 63 || opcode === 64) byte(PARTS);
    else if (opcode === 14) for (let labels = number(PARTS); labels >= 0; labels--) byte(PARTS);
    else if (opcode > 31 && opcode < 35) number(opcode === 32 ? READ : WRITTEN);
    // Calls and globals.
    else if (opcode === 16 || opcode === 35 || opcode === 36) number(OTHERS);
    else if (opcode > 39 && opcode < 63) address();
    else if (opcode === 65 || opcode === 66) number(INTEGERS);
    else if (opcode === 67) bytes(OTHERS, 4);
    else if (opcode === 68) bytes(OTHERS, 8);
    // memory.copy has two bytes more, memory.fill one.
    else if (opcode === 252) bytes(PARTS, 12 - number(PARTS));
    else if (opcode === 253) vectorInstruction(number(PARTS));
  };

  bytes(OTHERS, 8);
  while (hasMore()) {
    const section = byte(OTHERS);
    const size = number(OTHERS);
    if (section !== 10) {
      bytes(OTHERS, size);
      continue;
    }
    for (let functions = number(OTHERS); functions > 0; functions--) {
      const bodyBytes = number(OTHERS);
      const end = at + bodyBytes;
      last = Uint8Array.from({ length: 256 }, (_, i) => i);
      for (let types = number(OTHERS); types > 0; types--) {
        number(OTHERS);
        byte(OTHERS);
      }
      while (at < end) instruction(byte(INSTRUCTIONS));
    }
  }
}

/**
 * The simd binary or the relaxed one, made of their streams.
 *
 * The stream of instructions has how many different ones there are, each of these after the number of its bytes, and
 * then one byte for each instruction of the binary: which of the different ones it is.
 *
 * The stream of what differs has the first different ones as the relaxed binary has them: a fused multiply-add in place
 * of a sum, nops in place of a product. They have as many bytes, so all else is the same in both binaries.
 */
export function joined(streams: readonly Uint8Array[], isRelaxed: boolean): Uint8Array<ArrayBuffer> {
  const places = streams.map(() => 0);
  const others = streams[OTHERS]!;
  const code = streams[INSTRUCTIONS]!;
  if (isRelaxed) code.set(streams[FUSED]!, 1);
  /** Where each different instruction's number of bytes is. */
  const different: number[] = [];
  let nextCode = 1;
  for (; different.length < code[0]!; nextCode += code[nextCode]! + 1) different.push(nextCode);
  /** The last byte of the instruction under way, and how many are left of it. */
  let part = 0;
  let left = 0;
  const bytes: number[] = [];
  walk(
    () => places[OTHERS]! < others.length,
    (stream, last) => {
      let byte: number;
      if (stream >= INSTRUCTIONS) {
        if (left === 0) {
          part = different[code[nextCode++]!]!;
          left = code[part]!;
        }
        left--;
        byte = code[++part]!;
      } else {
        byte = streams[stream]![places[stream]!++]!;
        if (hasLocals(stream)) {
          const place = byte;
          byte = last[place]!;
          last.copyWithin(1, 0, place);
          last[0] = byte;
        }
      }
      bytes.push(byte);
      return byte;
    },
  );
  return new Uint8Array(bytes);
}
