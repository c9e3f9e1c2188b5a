/** How a convolution's work is cut: rows into tiles, and sums into runs. See ../conv2d.ts for what these are. */

/**
 * The cut of rows into tiles, in globals, since a function returns one number: as few as there can be, whose sizes
 * differ by at most one. The larger ones come first, so that tiles of one size are neighbours.
 */
export class Cut {
  /** Rows of a tile; the first `larger` tiles have one more. */
  static size: i32 = 0;
  static larger: i32 = 0;

  /** Cuts rows into tiles of at most `tileRows`, and returns how many tiles there are. */
  static into(rows: i32, tileRows: i32): i32 {
    const tiles = (rows + tileRows - 1) / tileRows;
    Cut.size = rows / tiles;
    Cut.larger = rows - Cut.size * tiles;
    return tiles;
  }

  /** Rows of a tile. */
  // @ts-ignore: decorator
  @inline
  static sizeOf(tile: i32): i32 {
    return Cut.size + i32(tile < Cut.larger);
  }

  /** The first row of a tile. */
  // @ts-ignore: decorator
  @inline
  static rowOf(tile: i32): i32 {
    return tile * Cut.size + min(tile, Cut.larger);
  }
}

/** The cut of sums into runs: each of as many whole taps as fit, or of a part of one tap's channels. */
export class Runs {
  /** Taps and channels of a whole sum. */
  static taps: i32 = 0;
  static channels: i32 = 0;
  /** Taps and channels of a run. */
  static tapsOfRun: i32 = 0;
  static channelsOfRun: i32 = 0;
  /** Where sums lie before the last run. */
  static partial: usize = 0;

  /** Cuts sums of `taps` · `channels` products into runs of at most `run`, and returns whether a sum is one run. */
  // @ts-ignore: decorator
  @inline
  static into(taps: i32, channels: i32, run: i32): bool {
    const runsOfTap = (channels + run - 1) / run;
    const tapsOfRun = runsOfTap > 1 ? 1 : min(taps, run / channels);
    Runs.taps = taps;
    Runs.channels = channels;
    Runs.channelsOfRun = (channels + runsOfTap - 1) / runsOfTap;
    Runs.tapsOfRun = tapsOfRun;
    return runsOfTap == 1 && tapsOfRun == taps;
  }
}
