/**
 * A binary taken apart into streams, each with what is alike: instructions, the locals that they name, … Streams
 * compress a sixth better than the binary does. scripts/streams.mjs takes it apart by the same rule as this file puts
 * it together.
 */

/**
 * What a byte is: a part of an instruction, an address' offset, a whole number, a constant vector, or anything else.
 */
const INSTRUCTIONS = 0;
const OFFSETS = 2;
const INTEGERS = 3;
const VECTORS = 4;
const OTHERS = 5;

/** And a local's number. */
export const LOCALS = 1;

/** How many streams there are. */
export const STREAMS = 6;

/**
 * Goes through a binary of `length` bytes.
 *
 * @param next the next byte, which belongs to that stream
 * @see https://webassembly.github.io/spec/core/binary/
 */
export function walk(length: number, next: (stream: number) => number): void {
  let at = 0;
  const byte = (stream: number): number => {
    at++;
    return next(stream);
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
    number(INSTRUCTIONS);
    number(OFFSETS);
  };
  const vectorInstruction = (opcode: number): void => {
    if (opcode < 12 || (opcode > 83 && opcode < 94)) address();
    if (opcode === 12 || opcode === 13) bytes(VECTORS, 16);
    // A lane.
    if ((opcode > 20 && opcode < 35) || (opcode > 83 && opcode < 92)) byte(INSTRUCTIONS);
  };
  const instruction = (opcode: number): void => {
    // Blocks' types, branches, and how memory grows.
    if ((opcode > 1 && opcode < 5) || opcode === 12 || opcode === 13 || opcode === 63 || opcode === 64)
      byte(INSTRUCTIONS);
    else if (opcode === 14) for (let labels = number(INSTRUCTIONS); labels >= 0; labels--) byte(INSTRUCTIONS);
    else if (opcode > 31 && opcode < 35) number(LOCALS);
    // Calls and globals.
    else if (opcode === 16 || opcode === 35 || opcode === 36) number(OTHERS);
    else if (opcode > 39 && opcode < 63) address();
    else if (opcode === 65 || opcode === 66) number(INTEGERS);
    else if (opcode === 67) bytes(OTHERS, 4);
    else if (opcode === 68) bytes(OTHERS, 8);
    // memory.copy has two bytes more, memory.fill one.
    else if (opcode === 252) bytes(INSTRUCTIONS, 12 - number(INSTRUCTIONS));
    else if (opcode === 253) vectorInstruction(number(INSTRUCTIONS));
  };

  bytes(OTHERS, 8);
  while (at < length) {
    const section = byte(OTHERS);
    const size = number(OTHERS);
    if (section !== 10) {
      bytes(OTHERS, size);
      continue;
    }
    for (let functions = number(OTHERS); functions > 0; functions--) {
      const bodyBytes = number(OTHERS);
      const end = at + bodyBytes;
      for (let types = number(OTHERS); types > 0; types--) {
        number(OTHERS);
        byte(OTHERS);
      }
      while (at < end) instruction(byte(INSTRUCTIONS));
    }
  }
}

/**
 * The binary whose streams these are. A local stands there by its place among those used last, since one is often used
 * again soon.
 */
export function joined(streams: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(streams.reduce((length, stream) => length + stream.length, 0));
  const places = streams.map(() => 0);
  const last = Uint8Array.from({ length: 256 }, (_, i) => i);
  let at = 0;
  walk(bytes.length, (stream) => {
    let byte = streams[stream]![places[stream]!++]!;
    if (stream === LOCALS) {
      const place = byte;
      byte = last[place]!;
      last.copyWithin(1, 0, place);
      last[0] = byte;
    }
    bytes[at++] = byte;
    return byte;
  });
  return bytes;
}
