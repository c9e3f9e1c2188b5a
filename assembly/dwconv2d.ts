/**
 * Depthwise convolution, one filter for each channel, on channels-last images.
 */

import { activate, clamp, hardswish, variable } from "./epilogue";
import { addHigh, addLow, demote, madd } from "./simd";
import { firstTap, endOfTaps } from "./window";

/**
 * Depthwise convolution of rows firstRow … lastRow − 1 of each image: out = act((bias + Σ x·w)·scale + shift + residual).
 *
 * Square kernels of 3 or 5 go by blocks of seven pixels × four channels; other kernels, narrow images and wide paddings pixel by pixel.
 * Each sum runs over the taps, row by row, and is within (min(taps, {@link RUN}) + 2)·2⁻²⁴·Σ|x·w| of the exact one: what has more taps goes in runs,
 * whose sums are added up in float64.
 *
 * @param channels all; vectors of four are read and written, so a pixel holds ceil4(channels) floats in `x` and `out`
 * @param height, width of an image in `x`; outHeight, outWidth of one in `out`
 * @param top, left padding; the windows may reach as far beyond the other sides as they like
 * @param x the first image's first pixel, rows and images dense; nothing beyond it is read
 * @param weights [tap][ceil4(channels)], channels beyond the last being zero
 * @param bias, scale, shift ceil4(channels) floats; bias and scale 0 for none
 */
export function f32_dwconv2d(
  images: i32, channels: i32, height: i32, width: i32, outHeight: i32, outWidth: i32,
  kernelHeight: i32, kernelWidth: i32, strideHeight: i32, strideWidth: i32, top: i32, left: i32,
  dilationHeight: i32, dilationWidth: i32, firstRow: i32, lastRow: i32,
  x: usize, pixelBytes: usize, weights: usize, out: usize, outBytes: usize,
  bias: usize, scale: usize, shift: usize, residual: usize, residualBytes: usize, activation: i32, lo: f32, hi: f32,
): void {
  assert((pixelBytes & 15) == 0 && (outBytes & 15) == 0, "pixels are whole vectors");
  assert(firstRow >= 0 && lastRow <= outHeight, "rows are there");
  const channelBytes = <usize>((channels + 3) & ~3) << 2;
  const rowBytes = <usize>width * pixelBytes;
  // In blocks, windows reach at most half a kernel beyond the image.
  const beyond = max(
    max(top, (outHeight - 1) * strideHeight - top + kernelHeight - height),
    max(left, (outWidth - 1) * strideWidth - left + kernelWidth - width),
  );
  const inBlocks = kernelHeight == kernelWidth && (kernelWidth == 3 || kernelWidth == 5) && dilationHeight == 1 && dilationWidth == 1
    && strideHeight == strideWidth && strideWidth <= 2 && outWidth >= BLOCK && beyond <= kernelWidth >> 1;
  // Clamps and, in blocks, hardswish are applied to sums in registers; what few networks have, to each row once it is there.
  const isHardswish = i32(activation == 1 && residual == 0 && inBlocks);
  const isFinishedLater = residual != 0 || activation > isHardswish;
  const l = isFinishedLater ? f32(-Infinity) : lo, h = isFinishedLater ? f32(Infinity) : hi;
  for (let n = 0; n < images; n++) {
    // Channels in chunks, so that the rows of a chunk stay in the first-level cache while windows pass over them.
    for (let from: usize = 0; from < channelBytes; from += CHUNK_BYTES) {
      const to = min(from + CHUNK_BYTES, channelBytes);
      for (let oy = firstRow; oy < lastRow; oy++) {
        const y0 = oy * strideHeight - top;
        const skip = firstTap(y0, dilationHeight);
        const taps = endOfTaps(y0, kernelHeight, height, dilationHeight) - skip;
        const row = x + <usize>((n * height + y0 + skip * dilationHeight) * width) * pixelBytes;
        const weightRow = weights + <usize>(skip * kernelWidth) * channelBytes;
        const first = <usize>((n * outHeight + oy) * outWidth);
        for (let ox = 0; ox < outWidth; ox += inBlocks ? BLOCK : 1) {
          // The last block may overlap the one before it.
          const i = inBlocks ? min(ox, outWidth - BLOCK) : ox;
          const x0 = i * strideWidth - left;
          const o = out + (first + i) * outBytes;
          switch (inBlocks ? kernelWidth : 0) {
            case 3: block3(strideWidth, taps, x0, width - x0, row + <usize>x0 * pixelBytes, pixelBytes, rowBytes, from, to, channelBytes, weightRow, o, outBytes, bias, scale, shift, isHardswish, l, h); break;
            case 5: block5(strideWidth, taps, x0, width - x0, row + <usize>x0 * pixelBytes, pixelBytes, rowBytes, from, to, channelBytes, weightRow, o, outBytes, bias, scale, shift, isHardswish, l, h); break;
            default: pixel(taps, kernelWidth, x0, width, dilationWidth, row, pixelBytes, rowBytes * <usize>dilationHeight, from, to, channelBytes, weightRow, o, bias, scale, shift, l, h);
          }
        }
        if (isFinishedLater) finishRow(outWidth, from, to, out + first * outBytes, outBytes, residual ? residual + first * residualBytes : 0, residualBytes, activation, lo, hi);
      }
    }
  }
}

/** Bytes of a pixel's channels that are filtered together. */
// @ts-ignore: decorator
@inline
const CHUNK_BYTES: usize = 768;

/** Pixels of a block: images are mostly a multiple of seven wide. */
// @ts-ignore: decorator
@inline
const BLOCK: i32 = 7;

/** Adds the residual to what is there, and applies the activation. */
function finishRow(
  pixels: i32, from: usize, to: usize, out: usize, outBytes: usize,
  residual: usize, residualBytes: usize, activation: i32, lo: f32, hi: f32,
): void {
  const l = f32x4.splat(lo), h = f32x4.splat(hi);
  for (let i = 0; i < pixels; i++) {
    for (let c = from; c < to; c += 16) {
      let v = v128.load(out + c);
      if (residual) v = f32x4.add(v, v128.load(residual + c));
      v128.store(out + c, activate(v, activation, l, h));
    }
    out += outBytes;
    if (residual) residual += residualBytes;
  }
}

/** Products that are added up in float32 at most where a kernel has more, before their sum joins the pixel's in float64. */
// @ts-ignore: decorator
@inline
const RUN: i32 = 64;

/** One pixel with any kernel. */
function pixel(
  tapsY: i32, kernelWidth: i32, x0: i32, width: i32, dilation: i32, x: usize, pixelBytes: usize, rowBytes: usize,
  from: usize, to: usize, channelBytes: usize, weights: usize, out: usize,
  bias: usize, scale: usize, shift: usize, lo: f32, hi: f32,
): void {
  const skip = firstTap(x0, dilation);
  const tapsX = endOfTaps(x0, kernelWidth, width, dilation) - skip;
  x += <usize>(x0 + skip * dilation) * pixelBytes;
  weights += <usize>skip * channelBytes;
  const step = <usize>dilation * pixelBytes, weightRow = <usize>kernelWidth * channelBytes;
  let c = from;
  for (; c + 64 <= to; c += 64) vectors(4, tapsY, tapsX, x + c, rowBytes, step, weights + c, weightRow, channelBytes, c, out, bias, scale, shift, lo, hi);
  for (; c < to; c += 16) vectors(1, tapsY, tapsX, x + c, rowBytes, step, weights + c, weightRow, channelBytes, c, out, bias, scale, shift, lo, hi);
}

/** `count` (1 or 4, a constant) vectors of a pixel's channels, in runs where there are more taps. */
// @ts-ignore: decorator
@inline
function vectors(
  count: i32, tapsY: i32, tapsX: i32, x: usize, rowBytes: usize, step: usize, weights: usize, weightRow: usize, weightStep: usize,
  c: usize, out: usize, bias: usize, scale: usize, shift: usize, lo: f32, hi: f32,
): void {
  let c0 = f32x4.splat(0), c1 = c0, c2 = c0, c3 = c0;
  let low0 = f64x2.splat(0), low1 = low0, low2 = low0, low3 = low0, high0 = low0, high1 = low0, high2 = low0, high3 = low0;
  if (bias) {
    c0 = v128.load(bias + c);
    if (count == 4) { c1 = v128.load(bias + c, 16); c2 = v128.load(bias + c, 32); c3 = v128.load(bias + c, 48); }
  }
  const isOneRun = tapsY * tapsX <= RUN;
  let left = RUN;
  for (let ky = 0; ky < tapsY; ky++) {
    let a = x, w = weights;
    for (let kx = 0; kx < tapsX;) {
      const end = min(tapsX, kx + left);
      left -= end - kx;
      for (; kx < end; kx++) {
        c0 = madd(c0, v128.load(a), v128.load(w));
        if (count == 4) {
          c1 = madd(c1, v128.load(a, 16), v128.load(w, 16));
          c2 = madd(c2, v128.load(a, 32), v128.load(w, 32));
          c3 = madd(c3, v128.load(a, 48), v128.load(w, 48));
        }
        a += step;
        w += weightStep;
      }
      if (left == 0 && !isOneRun) {
        left = RUN;
        low0 = addLow(low0, c0); high0 = addHigh(high0, c0); c0 = f32x4.splat(0);
        if (count == 4) {
          low1 = addLow(low1, c1); high1 = addHigh(high1, c1); c1 = f32x4.splat(0);
          low2 = addLow(low2, c2); high2 = addHigh(high2, c2); c2 = f32x4.splat(0);
          low3 = addLow(low3, c3); high3 = addHigh(high3, c3); c3 = f32x4.splat(0);
        }
      }
    }
    x += rowBytes;
    weights += weightRow;
  }
  if (!isOneRun) {
    c0 = demote(addLow(low0, c0), addHigh(high0, c0));
    if (count == 4) {
      c1 = demote(addLow(low1, c1), addHigh(high1, c1));
      c2 = demote(addLow(low2, c2), addHigh(high2, c2));
      c3 = demote(addLow(low3, c3), addHigh(high3, c3));
    }
  }
  store(c0, c, out, scale, shift, lo, hi);
  if (count == 4) {
    store(c1, c + 16, out, scale, shift, lo, hi);
    store(c2, c + 32, out, scale, shift, lo, hi);
    store(c3, c + 48, out, scale, shift, lo, hi);
  }
}

/** Stores the sums of four channels of a pixel. */
function store(sum: v128, c: usize, out: usize, scale: usize, shift: usize, lo: f32, hi: f32): void {
  if (scale) sum = madd(v128.load(shift + c), sum, v128.load(scale + c));
  v128.store(out + c, clamp(sum, f32x4.splat(lo), f32x4.splat(hi)));
}

/**
 * Seven pixels with `taps` rows of a kernel k wide (3 or 5, a constant) and stride s (1 or 2). Each input is loaded once.
 *
 * The outer columns of a block, half a kernel on each side, may lie beyond the image: then others are loaded in their place, and masked.
 * Stores go down, so that V8 before 13 loads inputs where they are used, not all at first; one pointer walks a row's inner columns, since
 * V8 would compute each column's product with `pixelBytes` in every row; and the loop over channels ends at its end, since V8 computes what
 * doesn't change in a loop before it only where every way out comes after.
 *
 * @param x0 the first column in the image, `past` the columns from there to the image's end
 */
// @ts-ignore: decorator
@inline
function block(
  k: i32, s: i32, taps: i32, x0: i32, past: i32, x: usize, pixelBytes: usize, rowBytes: usize, from: usize, to: usize, channelBytes: usize, weights: usize, out: usize, outBytes: usize, bias: usize, scale: usize, shift: usize, isHardswish: i32, lo: f32, hi: f32,
): void {
  const l = f32x4.splat(lo), h = f32x4.splat(hi);
  const three = variable(3, isHardswish), six = variable(6, isHardswish), sixth = variable(1.0 / 6.0, isHardswish);
  // Where to load the outer columns, and what to keep of them: l0 is the first, r0 the last.
  const last = (BLOCK - 1) * s + k - 1;
  const inside = <usize>(k >> 1) * pixelBytes;
  const l0 = x0 < 0 ? inside : 0, ml0 = i32x4.splat(i32(x0 < 0) - 1);
  const r0 = past <= last ? inside : <usize>last * pixelBytes, mr0 = i32x4.splat(i32(past <= last) - 1);
  let l1: usize = 0, r1: usize = 0, ml1 = ml0, mr1 = mr0;
  if (k == 5) {
    l1 = x0 < -1 ? inside : pixelBytes; ml1 = i32x4.splat(i32(x0 < -1) - 1);
    r1 = past < last ? inside : <usize>(last - 1) * pixelBytes; mr1 = i32x4.splat(i32(past < last) - 1);
  }
  let c = from;
  do {
    let b = f32x4.splat(0);
    if (bias) b = v128.load(bias + c);
    let c0 = b, c1 = b, c2 = b, c3 = b, c4 = b, c5 = b, c6 = b;
    let w = weights + c, a = x + c;
    const end = a + <usize>taps * rowBytes;
    do {
      const w0 = v128.load(w), w1 = v128.load(w + channelBytes), w2 = v128.load(w + 2 * channelBytes);
      let w3 = w2, w4 = w2;
      if (k == 5) { w3 = v128.load(w + 3 * channelBytes); w4 = v128.load(w + 4 * channelBytes); }
      // Input i meets output j with weight i − j·s, in ascending order for each output.
      if (s == 1) {
        const x0 = v128.and(v128.load(a + l0), ml0); c0 = madd(c0, x0, w0);
        let p = a + pixelBytes; const x1 = k == 5 ? v128.and(v128.load(a + l1), ml1) : v128.load(p); c0 = madd(c0, x1, w1); c1 = madd(c1, x1, w0);
        p += pixelBytes; const x2 = v128.load(p); c0 = madd(c0, x2, w2); c1 = madd(c1, x2, w1); c2 = madd(c2, x2, w0);
        p += pixelBytes; const x3 = v128.load(p); if (k == 5) c0 = madd(c0, x3, w3); c1 = madd(c1, x3, w2); c2 = madd(c2, x3, w1); c3 = madd(c3, x3, w0);
        p += pixelBytes; const x4 = v128.load(p); if (k == 5) { c0 = madd(c0, x4, w4); c1 = madd(c1, x4, w3); } c2 = madd(c2, x4, w2); c3 = madd(c3, x4, w1); c4 = madd(c4, x4, w0);
        p += pixelBytes; const x5 = v128.load(p); if (k == 5) { c1 = madd(c1, x5, w4); c2 = madd(c2, x5, w3); } c3 = madd(c3, x5, w2); c4 = madd(c4, x5, w1); c5 = madd(c5, x5, w0);
        p += pixelBytes; const x6 = v128.load(p); if (k == 5) { c2 = madd(c2, x6, w4); c3 = madd(c3, x6, w3); } c4 = madd(c4, x6, w2); c5 = madd(c5, x6, w1); c6 = madd(c6, x6, w0);
        p += pixelBytes; const x7 = v128.load(p); if (k == 5) { c3 = madd(c3, x7, w4); c4 = madd(c4, x7, w3); } c5 = madd(c5, x7, w2); c6 = madd(c6, x7, w1);
        p += pixelBytes; const x8 = k == 5 ? v128.load(p) : v128.and(v128.load(a + r0), mr0); if (k == 5) { c4 = madd(c4, x8, w4); c5 = madd(c5, x8, w3); } c6 = madd(c6, x8, w2);
        if (k == 5) { const x9 = v128.and(v128.load(a + r1), mr1); c5 = madd(c5, x9, w4); c6 = madd(c6, x9, w3); }
        if (k == 5) { const x10 = v128.and(v128.load(a + r0), mr0); c6 = madd(c6, x10, w4); }
      } else {
        const x0 = v128.and(v128.load(a + l0), ml0); c0 = madd(c0, x0, w0);
        let p = a + pixelBytes; const x1 = k == 5 ? v128.and(v128.load(a + l1), ml1) : v128.load(p); c0 = madd(c0, x1, w1);
        p += pixelBytes; const x2 = v128.load(p); c0 = madd(c0, x2, w2); c1 = madd(c1, x2, w0);
        p += pixelBytes; const x3 = v128.load(p); if (k == 5) c0 = madd(c0, x3, w3); c1 = madd(c1, x3, w1);
        p += pixelBytes; const x4 = v128.load(p); if (k == 5) c0 = madd(c0, x4, w4); c1 = madd(c1, x4, w2); c2 = madd(c2, x4, w0);
        p += pixelBytes; const x5 = v128.load(p); if (k == 5) c1 = madd(c1, x5, w3); c2 = madd(c2, x5, w1);
        p += pixelBytes; const x6 = v128.load(p); if (k == 5) c1 = madd(c1, x6, w4); c2 = madd(c2, x6, w2); c3 = madd(c3, x6, w0);
        p += pixelBytes; const x7 = v128.load(p); if (k == 5) c2 = madd(c2, x7, w3); c3 = madd(c3, x7, w1);
        p += pixelBytes; const x8 = v128.load(p); if (k == 5) c2 = madd(c2, x8, w4); c3 = madd(c3, x8, w2); c4 = madd(c4, x8, w0);
        p += pixelBytes; const x9 = v128.load(p); if (k == 5) c3 = madd(c3, x9, w3); c4 = madd(c4, x9, w1);
        p += pixelBytes; const x10 = v128.load(p); if (k == 5) c3 = madd(c3, x10, w4); c4 = madd(c4, x10, w2); c5 = madd(c5, x10, w0);
        p += pixelBytes; const x11 = v128.load(p); if (k == 5) c4 = madd(c4, x11, w3); c5 = madd(c5, x11, w1);
        p += pixelBytes; const x12 = v128.load(p); if (k == 5) c4 = madd(c4, x12, w4); c5 = madd(c5, x12, w2); c6 = madd(c6, x12, w0);
        p += pixelBytes; const x13 = v128.load(p); if (k == 5) c5 = madd(c5, x13, w3); c6 = madd(c6, x13, w1);
        p += pixelBytes; const x14 = k == 5 ? v128.load(p) : v128.and(v128.load(a + r0), mr0); if (k == 5) c5 = madd(c5, x14, w4); c6 = madd(c6, x14, w2);
        if (k == 5) { const x15 = v128.and(v128.load(a + r1), mr1); c6 = madd(c6, x15, w3); }
        if (k == 5) { const x16 = v128.and(v128.load(a + r0), mr0); c6 = madd(c6, x16, w4); }
      }
      a += rowBytes;
      w += <usize>k * channelBytes;
    } while (a < end);
    if (scale) {
      const f = v128.load(scale + c), t = v128.load(shift + c);
      c6 = madd(t, c6, f); c5 = madd(t, c5, f); c4 = madd(t, c4, f); c3 = madd(t, c3, f); c2 = madd(t, c2, f); c1 = madd(t, c1, f); c0 = madd(t, c0, f);
    }
    if (isHardswish) {
      c6 = hardswish(c6, three, six, sixth);
      c5 = hardswish(c5, three, six, sixth);
      c4 = hardswish(c4, three, six, sixth);
      c3 = hardswish(c3, three, six, sixth);
      c2 = hardswish(c2, three, six, sixth);
      c1 = hardswish(c1, three, six, sixth);
      c0 = hardswish(c0, three, six, sixth);
    }
    const o = out + c;
    v128.store(o + 6 * outBytes, clamp(c6, l, h)); v128.store(o + 5 * outBytes, clamp(c5, l, h)); v128.store(o + 4 * outBytes, clamp(c4, l, h));
    v128.store(o + 3 * outBytes, clamp(c3, l, h)); v128.store(o + 2 * outBytes, clamp(c2, l, h)); v128.store(o + outBytes, clamp(c1, l, h));
    v128.store(o, clamp(c0, l, h));
    c += 16;
  } while (c < to);
}

function block3(s: i32, taps: i32, x0: i32, past: i32, x: usize, pixelBytes: usize, rowBytes: usize, from: usize, to: usize, channelBytes: usize, weights: usize, out: usize, outBytes: usize, bias: usize, scale: usize, shift: usize, isHardswish: i32, lo: f32, hi: f32): void {
  block(3, s, taps, x0, past, x, pixelBytes, rowBytes, from, to, channelBytes, weights, out, outBytes, bias, scale, shift, isHardswish, lo, hi);
}
function block5(s: i32, taps: i32, x0: i32, past: i32, x: usize, pixelBytes: usize, rowBytes: usize, from: usize, to: usize, channelBytes: usize, weights: usize, out: usize, outBytes: usize, bias: usize, scale: usize, shift: usize, isHardswish: i32, lo: f32, hi: f32): void {
  block(5, s, taps, x0, past, x, pixelBytes, rowBytes, from, to, channelBytes, weights, out, outBytes, bias, scale, shift, isHardswish, lo, hi);
}
