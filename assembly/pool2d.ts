/**
 * Pooling on channels-last images. Windows are clipped to the image here, so no padding is ever stored. Pixels hold
 * whole vectors: ceil4(channels) floats are read and written.
 */

import { addHigh, addLow, demote } from "./simd";
import { endOfTaps, firstTap } from "./window";

/**
 * The window of a pixel. It lies in globals, so that no function has more than five parameters. An instance runs one
 * call at a time, and each thread has an instance of its own.
 */
class Window {
  /** Taps inside of the image, and bytes from tap to tap. */
  static tapsY: i32 = 0;
  static tapsX: i32 = 0;
  static stepY: usize = 0;
  static stepX: usize = 0;
}

/** Max pooling; padding counts as −∞, and a NaN in a window is its maximum, as in PyTorch. */
export function f32_maxpool2d(
  images: i32, channels: i32, height: i32, width: i32, outHeight: i32, outWidth: i32,
  kernelHeight: i32, kernelWidth: i32, strideHeight: i32, strideWidth: i32, top: i32, left: i32,
  dilationHeight: i32, dilationWidth: i32,
  x: usize, pixelBytes: usize, out: usize, outBytes: usize,
): void {
  assert((pixelBytes & 15) == 0 && (outBytes & 15) == 0, "pixels are whole vectors");
  const channelBytes = <usize>((channels + 3) & ~3) << 2;
  Window.stepX = <usize>dilationWidth * pixelBytes;
  Window.stepY = <usize>(dilationHeight * width) * pixelBytes;
  for (let n = 0; n < images; n++) {
    for (let oy = 0; oy < outHeight; oy++) {
      const y0 = oy * strideHeight - top;
      const skipY = firstTap(y0, dilationHeight);
      Window.tapsY = endOfTaps(y0, kernelHeight, height, dilationHeight) - skipY;
      const row = (n * height + y0 + skipY * dilationHeight) * width;
      for (let ox = 0; ox < outWidth; ox++) {
        const x0 = ox * strideWidth - left;
        const skipX = firstTap(x0, dilationWidth);
        Window.tapsX = endOfTaps(x0, kernelWidth, width, dilationWidth) - skipX;
        const first = x + <usize>(row + x0 + skipX * dilationWidth) * pixelBytes;
        let c: usize = 0;
        for (; c + 64 <= channelBytes; c += 64) largest4(first + c, out + c);
        for (; c < channelBytes; c += 16) largest(first + c, out + c);
        out += outBytes;
      }
    }
  }
}

/**
 * A window's maxima in four vectors of channels. pmax(m, v) is v where m < v, otherwise m. So a v that is NaN is lost.
 * That is why the values are added up as well. Where the sum is NaN, a value may be NaN, and the window is looked
 * through again. The sum of infinities of both signs is NaN too.
 */
function largest4(x: usize, out: usize): void {
  const tapsY = Window.tapsY, tapsX = Window.tapsX, stepY = Window.stepY, stepX = Window.stepX;
  let m0 = f32x4.splat(-Infinity), m1 = m0, m2 = m0, m3 = m0, sum = f32x4.splat(0);
  let row = x;
  for (let ky = 0; ky < tapsY; ky++) {
    let a = row;
    for (let kx = 0; kx < tapsX; kx++) {
      const v0 = v128.load(a), v1 = v128.load(a, 16), v2 = v128.load(a, 32), v3 = v128.load(a, 48);
      m0 = f32x4.pmax(m0, v0); m1 = f32x4.pmax(m1, v1); m2 = f32x4.pmax(m2, v2); m3 = f32x4.pmax(m3, v3);
      sum = f32x4.add(sum, f32x4.add(f32x4.add(v0, v1), f32x4.add(v2, v3)));
      a += stepX;
    }
    row += stepY;
  }
  if (v128.any_true(f32x4.ne(sum, sum))) {
    for (let i: usize = 0; i < 64; i += 16) largest(x + i, out + i);
  } else {
    v128.store(out, m0); v128.store(out, m1, 16); v128.store(out, m2, 32); v128.store(out, m3, 48);
  }
}

/** A window's maxima in one vector of channels. A mask has the lanes that met a NaN, since pmax loses it. */
function largest(x: usize, out: usize): void {
  const tapsY = Window.tapsY, tapsX = Window.tapsX, stepY = Window.stepY, stepX = Window.stepX;
  let m = f32x4.splat(-Infinity), isNaN_ = i32x4.splat(0);
  for (let ky = 0; ky < tapsY; ky++) {
    let a = x;
    for (let kx = 0; kx < tapsX; kx++) {
      const v = v128.load(a);
      m = f32x4.pmax(m, v);
      isNaN_ = v128.or(isNaN_, f32x4.ne(v, v));
      a += stepX;
    }
    x += stepY;
  }
  v128.store(out, v128.bitselect(f32x4.splat(NaN), m, isNaN_));
}

/**
 * The most pixels that are added up in float32. Where a window has more, it has a sum in float64, which such runs are
 * added to.
 */
// @ts-ignore: decorator
@inline
const RUN: i32 = 16;

/**
 * Average pooling: the window's sum over its divisor, within {@link RUN}·2⁻²⁴·Σ|x| / divisor however large the window
 * is, and the last rounding.
 *
 * Strides and kernels are given in parts of a pixel: window i runs from floor(i·stride / parts) − padding to
 * floor((i·stride + kernel) / parts) − padding. Adaptive pooling of H pixels to O is that with O parts, a stride of H,
 * and a kernel of H + O − 1: from floor(i·H / O) to ceil((i + 1)·H / O).
 *
 * @param bottom, right padding on the far sides; with `countIncludePad` the divisor is the window clipped to the padded
 * image, otherwise to the image
 * @param divisorOverride 0 for none
 */
export function f32_avgpool2d(
  images: i32, channels: i32, height: i32, width: i32, outHeight: i32, outWidth: i32,
  kernelHeight: i32, kernelWidth: i32, strideHeight: i32, strideWidth: i32, partsHeight: i32, partsWidth: i32,
  top: i32, left: i32, bottom: i32, right: i32, countIncludePad: i32, divisorOverride: f64,
  x: usize, pixelBytes: usize, out: usize, outBytes: usize,
): void {
  assert((pixelBytes & 15) == 0 && (outBytes & 15) == 0, "pixels are whole vectors");
  const channelBytes = <usize>((channels + 3) & ~3) << 2;
  Window.stepX = pixelBytes;
  Window.stepY = <usize>width * pixelBytes;
  for (let n = 0; n < images; n++) {
    const image = x + <usize>(n * height * width) * pixelBytes;
    for (let oy = 0; oy < outHeight; oy++) {
      const y0 = pixelOf(oy, strideHeight, 0, partsHeight) - top;
      const y1 = min(pixelOf(oy, strideHeight, kernelHeight, partsHeight) - top, height + bottom);
      const fromY = max(y0, 0), toY = min(y1, height);
      for (let ox = 0; ox < outWidth; ox++) {
        const x0 = pixelOf(ox, strideWidth, 0, partsWidth) - left;
        const x1 = min(pixelOf(ox, strideWidth, kernelWidth, partsWidth) - left, width + right);
        const fromX = max(x0, 0), toX = min(x1, width);
        const divisor = divisorOverride ? divisorOverride
          : countIncludePad ? <f64>(y1 - y0) * <f64>(x1 - x0) : <f64>(toY - fromY) * <f64>(toX - fromX);
        Window.tapsY = toY - fromY;
        Window.tapsX = toX - fromX;
        mean(image + <usize>(fromY * width + fromX) * pixelBytes, channelBytes, divisor, out);
        out += outBytes;
      }
    }
  }
}

/** floor((i·stride + more) / parts), whose dividend may be more than 32 bits hold. */
// @ts-ignore: decorator
@inline
function pixelOf(i: i32, stride: i32, more: i32, parts: i32): i32 {
  return <i32>((<i64>i * stride + more) / parts);
}

/** The sum of a window that begins at `x`, over `divisor`, for all channels. */
function mean(x: usize, channelBytes: usize, divisor: f64, out: usize): void {
  const tapsY = Window.tapsY, tapsX = Window.tapsX, stepY = Window.stepY, stepX = Window.stepX;
  const isSmall = <f64>tapsY * <f64>tapsX <= <f64>RUN;
  const d = f32x4.splat(<f32>divisor), wide = f64x2.splat(divisor);
  for (let c: usize = 0; c < channelBytes;) {
    // Whole cache lines, where there are any left.
    const isLine = channelBytes - c >= 64;
    let sum0 = f32x4.splat(0), sum1 = sum0, sum2 = sum0, sum3 = sum0;
    let low0 = f64x2.splat(0), low1 = low0, low2 = low0, low3 = low0;
    let high0 = low0, high1 = low0, high2 = low0, high3 = low0;
    let left = RUN;
    let row = x + c;
    for (let y = 0; y < tapsY; y++) {
      let a = row;
      row += stepY;
      for (let i = 0; i < tapsX;) {
        const end = min(tapsX, i + left);
        left -= end - i;
        for (; i < end; i++) {
          sum0 = f32x4.add(sum0, v128.load(a));
          if (isLine) {
            sum1 = f32x4.add(sum1, v128.load(a, 16));
            sum2 = f32x4.add(sum2, v128.load(a, 32));
            sum3 = f32x4.add(sum3, v128.load(a, 48));
          }
          a += stepX;
        }
        if (left > 0 || isSmall) continue;
        left = RUN;
        low0 = addLow(low0, sum0); high0 = addHigh(high0, sum0); sum0 = f32x4.splat(0);
        if (isLine) {
          low1 = addLow(low1, sum1); high1 = addHigh(high1, sum1); sum1 = f32x4.splat(0);
          low2 = addLow(low2, sum2); high2 = addHigh(high2, sum2); sum2 = f32x4.splat(0);
          low3 = addLow(low3, sum3); high3 = addHigh(high3, sum3); sum3 = f32x4.splat(0);
        }
      }
    }
    const o = out + c;
    v128.store(o, isSmall ? f32x4.div(sum0, d) : quotient(sum0, low0, high0, wide));
    c += 16;
    if (!isLine) continue;
    v128.store(o, isSmall ? f32x4.div(sum1, d) : quotient(sum1, low1, high1, wide), 16);
    v128.store(o, isSmall ? f32x4.div(sum2, d) : quotient(sum2, low2, high2, wide), 32);
    v128.store(o, isSmall ? f32x4.div(sum3, d) : quotient(sum3, low3, high3, wide), 48);
    c += 48;
  }
}

/** The last run and those before it, over the divisor in float64. */
function quotient(sum: v128, low: v128, high: v128, divisor: v128): v128 {
  return demote(f64x2.div(addLow(low, sum), divisor), f64x2.div(addHigh(high, sum), divisor));
}
