/** Which reads get the wanted bytes of a file: few, since each has its latency, and none of them huge. */

/** Bytes of a file from `begin` up to `end`, not included. */
export interface ByteRange {
  readonly begin: number;
  readonly end: number;
}

/** What {@link coalesceRanges} may trade for fewer reads. */
export interface ReadLimits {
  /** Unwanted bytes between two ranges that are read over rather than left out by another read. */
  readonly maxGapBytes: number;
  /** The most bytes of one read; at least 1. */
  readonly maxReadBytes: number;
}

/**
 * The reads that cover the wanted ranges: in order, disjoint, each beginning and ending with wanted bytes. One by one,
 * since a stranger's range may be split without end.
 *
 * @param wanted in order and disjoint; empty ones are skipped
 */
export function* coalesceRanges(
  wanted: Iterable<ByteRange>,
  { maxGapBytes, maxReadBytes }: ReadLimits,
): Generator<ByteRange, void, void> {
  let read: ByteRange | null = null;
  for (const { begin, end } of wanted) {
    if (begin >= end) continue;
    let at = begin;
    if (!read || begin - read.end > maxGapBytes || begin >= read.begin + maxReadBytes) {
      if (read) yield read;
      read = { begin, end: begin };
    }
    for (;;) {
      at = Math.min(end, read.begin + maxReadBytes);
      read = { begin: read.begin, end: at };
      if (at === end) break;
      yield read;
      read = { begin: at, end: at };
    }
  }
  if (read) yield read;
}
