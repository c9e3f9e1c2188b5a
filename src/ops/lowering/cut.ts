/** How work is cut: for threads, and into pieces of one size. No result depends on the number of threads. */

import { LANES } from '../../wasm/kernels.gen.ts';

/** `count` things from `first` on. */
export interface Range {
  readonly first: number;
  readonly count: number;
}

/**
 * The one rule for cutting work for threads: a range for each thread, or for each thing where there are fewer things.
 * The ranges' counts differ by at most one.
 */
export function ranges(count: number, threads: number): Range[] {
  const shares = Math.min(count, threads);
  return Array.from({ length: shares }, (_, i) => {
    const first = Math.floor((count * i) / shares);
    return { first, count: Math.floor((count * (i + 1)) / shares) - first };
  });
}

/** `count` things in pieces of `size`, of which the last may be smaller. */
export function pieces(count: number, size: number): readonly Range[] {
  return Array.from({ length: Math.ceil(count / size) }, (_, i) => ({
    first: i * size,
    count: Math.min(size, count - i * size),
  }));
}

/** Whole images, or some rows of one image. */
export interface Band {
  /** The first image, and how many images. */
  readonly image: number;
  readonly images: number;
  /** The first row of each image, and how many rows. */
  readonly row: number;
  readonly rows: number;
}

/** Images of `height` rows cut for threads: whole images where there are enough, otherwise rows of each. */
export function bands(images: number, height: number, threads: number): Band[] {
  if (images >= threads) {
    return ranges(images, threads).map(({ first, count }) => ({ image: first, images: count, row: 0, rows: height }));
  }
  return Array.from({ length: images }, (_, image) =>
    ranges(height, threads).map(({ first, count }) => ({ image, images: 1, row: first, rows: count })),
  ).flat();
}

/** Some channels of every pixel. */
export interface ChannelRange {
  /** The byte where the range begins in a pixel. */
  readonly offset: number;
  /** How many channels the range has. */
  readonly count: number;
}

/** Channels cut for threads at whole vectors of four. */
export function channelRanges(channels: number, threads: number): ChannelRange[] {
  return ranges(Math.ceil(channels / LANES), threads).map(({ first, count }) => ({
    offset: first * LANES * 4,
    count: Math.min(count * LANES, channels - first * LANES),
  }));
}
