/** The arena: one block of memory in which values whose lifetimes don't meet share bytes. */

/** How long some bytes are needed: from node `first` to node `last`, by their places in order, both included. */
export interface Lifetime {
  readonly bytes: number;
  readonly first: number;
  readonly last: number;
}

/** Slots begin at whole cache lines. */
export const ALIGNMENT = 64;

/** The next multiple of {@link ALIGNMENT}. */
export function aligned(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}

/**
 * A byte offset for each lifetime, and the bytes of them all: largest first, each into the smallest gap that holds it.
 *
 * @see Pisarchyk and Lee 2020, "Efficient memory management for deep neural net inference", arXiv:2001.03288
 */
export function packArena(lifetimes: readonly Lifetime[]): { offsets: number[]; bytes: number } {
  const offsets = new Array<number>(lifetimes.length).fill(0);
  const order = [...lifetimes.keys()].sort((a, b) => lifetimes[b]!.bytes - lifetimes[a]!.bytes || a - b);
  const placed: number[] = [];
  let bytes = 0;
  for (const i of order) {
    const { bytes: size, first, last } = lifetimes[i]!;
    const meeting = placed
      .filter((j) => lifetimes[j]!.first <= last && first <= lifetimes[j]!.last)
      .sort((a, b) => offsets[a]! - offsets[b]!);
    let offset = -1;
    let smallest = Infinity;
    let end = 0;
    for (const j of meeting) {
      const gap = offsets[j]! - end;
      if (gap >= size && gap < smallest) {
        offset = end;
        smallest = gap;
      }
      end = Math.max(end, aligned(offsets[j]! + lifetimes[j]!.bytes));
    }
    offsets[i] = offset >= 0 ? offset : end;
    placed.push(i);
    bytes = Math.max(bytes, aligned(offsets[i]! + size));
  }
  return { offsets, bytes };
}
