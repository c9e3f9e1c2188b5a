/** The search for the smallest input that a network takes. */

/** The largest side that is tried. */
const MOST = 1024;

/**
 * The side of the smallest square that works, or null where none up to 1024 does.
 *
 * @param record records the network on a square of this side
 */
export function smallestSize(record: (size: number) => unknown): number | null {
  const works = (size: number) => {
    try {
      record(size);
      return true;
    } catch {
      return false;
    }
  };
  let [below, size] = [0, 1];
  for (; !works(size); size *= 2) {
    if (size === MOST) return null;
    below = size;
  }
  while (size - below > 1) {
    const middle = (below + size) >> 1;
    if (works(middle)) size = middle;
    else below = middle;
  }
  return size;
}
