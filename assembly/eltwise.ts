/**
 * Element by element on channels-last pixels, for what no epilogue took up. Whole vectors are read and written:
 * ceil4(channels) floats of a pixel, except in {@link f32_copy}.
 */

import { activate, Epilogue } from "./epilogue";
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
  for (let i = 0; i < pixels; i++) {
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
