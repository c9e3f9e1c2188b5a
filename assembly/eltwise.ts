/**
 * Element by element on channels-last pixels, for what no epilogue took up. Whole vectors are read and written:
 * ceil4(channels) floats of a pixel, except in {@link f32_copy} and {@link f32_channel_shuffle}.
 */

import { activatePixels } from "./activation";
import { activate, Epilogue } from "./epilogue";
import { HARDSWISH } from "./layout";
import { madd } from "./simd";

/**
 * Applies an epilogue to pixels, and rounds as a convolution's epilogue does.
 *
 * @param firstPixel of `x`, `out` and the residual, from which on `pixels` are computed
 */
export function f32_affine(
  firstPixel: i32, pixels: i32, channels: i32,
  x: usize, pixelBytes: usize, out: usize, outBytes: usize, epilogue: Epilogue,
): void {
  assert((pixelBytes & 15) == 0 && (outBytes & 15) == 0, "pixels are whole vectors");
  const scale = epilogue.scale, shift = epilogue.shift, residualBytes = epilogue.residualBytes;
  const activation = epilogue.activation, lo = f32x4.splat(epilogue.lo), hi = f32x4.splat(epilogue.hi);
  let residual = epilogue.residual;
  x += <usize>firstPixel * pixelBytes;
  out += <usize>firstPixel * outBytes;
  if (residual) residual += <usize>firstPixel * residualBytes;
  const channelBytes = <usize>((channels + 3) & ~3) << 2;
  // Some pixels at a time: what an activation makes ready takes as long as a few of them, and they stay in the cache.
  for (let first = 0; first < pixels; first += 16) {
    const count = min(pixels - first, 16), start = out;
    for (let i = 0; i < count; i++) {
      for (let c: usize = 0; c < channelBytes; c += 16) {
        let v = v128.load(x + c);
        if (scale) v = madd(v128.load(shift + c), v, v128.load(scale + c));
        if (residual) v = f32x4.add(v, v128.load(residual + c));
        v128.store(out + c, activate(v, activation, lo, hi));
      }
      x += pixelBytes;
      out += outBytes;
      if (residual) residual += residualBytes;
    }
    if (activation > HARDSWISH) activatePixels(count, i32(channelBytes) >> 2, start, outBytes, activation);
  }
}

/** Copies exactly `channels` floats of each pixel. */
export function f32_copy(pixels: i32, channels: i32, x: usize, pixelBytes: usize, out: usize, outBytes: usize): void {
  for (let i = 0; i < pixels; i++) {
    let c = 0;
    for (; c + 4 <= channels; c += 4) v128.store(out + (<usize>c << 2), v128.load(x + (<usize>c << 2)));
    for (; c < channels; c++) store<f32>(out + (<usize>c << 2), load<f32>(x + (<usize>c << 2)));
    x += pixelBytes;
    out += outBytes;
  }
}

/**
 * Writes the channels of several groups in turn: the first of each group, then the second of each. Exactly `channels`
 * floats of each pixel are read and written.
 *
 * @param channels a multiple of `groups`
 */
export function f32_channel_shuffle(
  pixels: i32, channels: i32, groups: i32, x: usize, pixelBytes: usize, out: usize, outBytes: usize,
): void {
  const run = channels / groups, groupBytes = <usize>run << 2;
  for (let i = 0; i < pixels; i++) {
    let from = x, to = out, c = 0;
    // Two groups: a₀a₁a₂a₃ and b₀b₁b₂b₃ become a₀b₀a₁b₁ and a₂b₂a₃b₃.
    if (groups == 2) {
      for (; c + 4 <= run; c += 4) {
        const a = v128.load(from), b = v128.load(from + groupBytes);
        v128.store(to, v128.shuffle<f32>(a, b, 0, 4, 1, 5));
        v128.store(to, v128.shuffle<f32>(a, b, 2, 6, 3, 7), 16);
        from += 16;
        to += 32;
      }
    }
    for (; c < run; c++) {
      for (let g = 0; g < groups; g++) {
        store<f32>(to, load<f32>(from + <usize>g * groupBytes));
        to += 4;
      }
      from += 4;
    }
    x += pixelBytes;
    out += outBytes;
  }
}

/**
 * out = x·scale for each channel of an image, or for each element.
 *
 * @param pixels of one image
 * @param scale `scaleBytes` from pixel to pixel, 0 for one pixel for the whole image; images are `scaleImageBytes`
 *   apart
 */
export function f32_mul(
  images: i32, pixels: i32, channels: i32,
  x: usize, pixelBytes: usize, scale: usize, scaleBytes: usize, scaleImageBytes: usize, out: usize, outBytes: usize,
): void {
  assert((pixelBytes & 15) == 0 && (outBytes & 15) == 0, "pixels are whole vectors");
  const channelBytes = <usize>((channels + 3) & ~3) << 2;
  for (let n = 0; n < images; n++) {
    let s = scale + <usize>n * scaleImageBytes;
    for (let i = 0; i < pixels; i++) {
      for (let c: usize = 0; c < channelBytes; c += 16) {
        v128.store(out + c, f32x4.mul(v128.load(x + c), v128.load(s + c)));
      }
      x += pixelBytes;
      out += outBytes;
      s += scaleBytes;
    }
  }
}
