/**
 * The taps of a window that lie inside an image, along one side. No sum here leaves 32 bits, whatever the dilation, as
 * long as the image with its padding has fewer than 2³¹ pixels along the side.
 */

/** The first tap at or after the image's first pixel, for a window that begins at `start`, which may be negative. */
// @ts-ignore: decorator
@inline
export function firstTap(start: i32, dilation: i32): i32 {
  return start < 0 ? (-1 - start) / dilation + 1 : 0;
}

/** The end of the taps before the image's end; not above {@link firstTap} where no tap is inside. */
// @ts-ignore: decorator
@inline
export function endOfTaps(start: i32, taps: i32, size: i32, dilation: i32): i32 {
  return start < size ? min(taps, (size - 1 - start) / dilation + 1) : 0;
}
