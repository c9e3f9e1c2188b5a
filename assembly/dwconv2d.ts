/** Depthwise convolution, one filter for each channel, on channels-last images. */

import { activatePixels } from "./activation";
import { activate, clamp, Epilogue, hardswish } from "./epilogue";
import { CLAMP, HARDSWISH } from "./layout";
import { addHigh, addLow, demote, madd, variable } from "./simd";
import { endOfTaps, firstTap } from "./window";

/** Bytes of a pixel's channels that are filtered together: a chunk. */
// @ts-ignore: decorator
@inline
const CHUNK_BYTES: usize = 768;

/** Pixels of a block: images are mostly a multiple of seven wide. */
// @ts-ignore: decorator
@inline
const BLOCK: i32 = 7;

/**
 * The most products that are added up in float32. Where a pixel has more, it has a sum in float64, which such runs are
 * added to.
 */
// @ts-ignore: decorator
@inline
const RUN: i32 = 64;

/**
 * What the functions below need of a call, of its chunk of channels, and of a pixel. These are globals, so that no
 * function has more than five parameters. An instance runs one call at a time, and each thread has an instance of its
 * own.
 */
class Call {
  static width: i32 = 0;
  static kernelWidth: i32 = 0;
  static stride: i32 = 0;
  static dilation: i32 = 0;
  /** Bytes of the input: from pixel to pixel, and from one row of taps to the next. */
  static pixelBytes: usize = 0;
  static rowBytes: usize = 0;
  /** Bytes of all channels, which is from tap to tap of the weights. */
  static channelBytes: usize = 0;
  /** Bytes of the output from pixel to pixel. */
  static outBytes: usize = 0;
  /** The chunk of channels, in bytes. */
  static from: usize = 0;
  static to: usize = 0;
  /** The column of the image at which the window begins; it may be negative. */
  static column: i32 = 0;
  /** One pixel's taps inside of the image along each axis, and its address in the output. */
  static tapsY: i32 = 0;
  static tapsX: i32 = 0;
  static out: usize = 0;
  /** Addresses of vectors of all channels; 0 for none. */
  static bias: usize = 0;
  static scale: usize = 0;
  static shift: usize = 0;
  /** 1 where blocks apply hardswish to sums in registers. */
  static isHardswish: i32 = 0;
  /** What sums are clamped to in registers. */
  static lo: f32 = 0;
  static hi: f32 = 0;
}

/**
 * Depthwise convolution of rows firstRow … lastRow − 1 of images firstImage … lastImage − 1: out = epilogue(bias + Σ
 * x·w).
 *
 * Square kernels of 3 or 5 go by blocks of seven pixels × four channels. With dilation d, the seven are every d-th
 * pixel, whose inputs lie on every d-th column. Other kernels, narrow images and wide paddings go pixel by pixel. Each
 * sum runs over the taps, row by row, and is within (min(taps, RUN) + 2)·2⁻²⁴·Σ|x·w| of the exact one: sums of more
 * taps go in runs, which are added up in float64.
 *
 * @param channels all; vectors of four are read and written, so a pixel holds ceil4(channels) floats in `x` and `out`
 * @param height, width of an image in `x`; outHeight, outWidth of one in `out`
 * @param top, left padding; the windows may reach as far beyond the other sides as they like
 * @param x the first image's first pixel, rows and images dense; nothing beyond it is read
 * @param weights [tap][ceil4(channels)], channels beyond the last being zero
 * @param bias ceil4(channels) floats; 0 for none
 * @param epilogue an {@link Epilogue} whose vectors have ceil4(channels) floats; its residual is laid out as `out`
 */
export function f32_dwconv2d(
  firstImage: i32, lastImage: i32, channels: i32, height: i32, width: i32, outHeight: i32, outWidth: i32,
  kernelHeight: i32, kernelWidth: i32, strideHeight: i32, strideWidth: i32, top: i32, left: i32,
  dilationHeight: i32, dilationWidth: i32, firstRow: i32, lastRow: i32,
  x: usize, pixelBytes: usize, weights: usize, out: usize, outBytes: usize, bias: usize, epilogue: Epilogue,
): void {
  assert((pixelBytes & 15) == 0 && (outBytes & 15) == 0, "pixels are whole vectors");
  assert(firstRow >= 0 && lastRow <= outHeight, "rows are there");
  const channelBytes = <usize>((channels + 3) & ~3) << 2;
  // The most pixels by which a window reaches beyond the image. Blocks are for at most half a kernel.
  const beyond = max(
    max(top, (outHeight - 1) * strideHeight - top + (kernelHeight - 1) * dilationHeight + 1 - height),
    max(left, (outWidth - 1) * strideWidth - left + (kernelWidth - 1) * dilationWidth + 1 - width),
  );
  const isSquare = kernelHeight == kernelWidth && (kernelWidth == 3 || kernelWidth == 5);
  const isRegular = dilationHeight == dilationWidth && left % dilationWidth == 0
    && (strideWidth == 1 || (strideWidth == 2 && dilationWidth == 1));
  const inBlocks = isSquare && isRegular && outWidth / dilationWidth >= BLOCK
    && beyond <= (kernelWidth >> 1) * dilationWidth;
  // The windows of every `apart`-th pixel lie on every `apart`-th column, and are dense there.
  const apart = inBlocks ? dilationWidth : 1, step = inBlocks ? BLOCK : 1;
  // Clamp, and hardswish in blocks, act on registers. Residuals and rarer activations run in a second pass over the
  // row.
  const residual = epilogue.residual, residualBytes = epilogue.residualBytes, activation = epilogue.activation;
  const isHardswish = i32(activation == HARDSWISH && residual == 0 && inBlocks);
  const isFinishedLater = residual != 0 || (activation != CLAMP && !isHardswish);
  Call.kernelWidth = kernelWidth;
  Call.stride = strideWidth;
  Call.dilation = dilationWidth;
  Call.pixelBytes = pixelBytes * <usize>apart;
  const lineBytes = <usize>width * pixelBytes;
  Call.rowBytes = lineBytes * <usize>dilationHeight;
  Call.channelBytes = channelBytes;
  Call.bias = bias;
  Call.scale = epilogue.scale;
  Call.shift = epilogue.shift;
  Call.isHardswish = isHardswish;
  Call.lo = isFinishedLater ? f32(-Infinity) : epilogue.lo;
  Call.hi = isFinishedLater ? f32(Infinity) : epilogue.hi;
  for (let n = firstImage; n < lastImage; n++) {
    // Channels in chunks, so that the rows of a chunk stay in the first-level cache while windows pass over them.
    for (let from: usize = 0; from < channelBytes; from += CHUNK_BYTES) {
      Call.from = from;
      Call.to = min(from + CHUNK_BYTES, channelBytes);
      for (let oy = firstRow; oy < lastRow; oy++) {
        const y0 = oy * strideHeight - top;
        const skip = firstTap(y0, dilationHeight);
        const taps = endOfTaps(y0, kernelHeight, height, dilationHeight) - skip;
        const row = x + <usize>((n * height + y0 + skip * dilationHeight) * width) * pixelBytes;
        const weightRow = weights + <usize>(skip * kernelWidth) * channelBytes;
        const first = <usize>((n * outHeight + oy) * outWidth);
        Call.outBytes = outBytes * <usize>apart;
        for (let column = 0; column < apart; column++) {
          Call.width = (width - column + apart - 1) / apart;
          const columns = (outWidth - column + apart - 1) / apart;
          for (let ox = 0; ox < columns; ox += step) {
            // The last block may overlap the one before it.
            const i = min(ox, columns - step);
            const x0 = i * strideWidth - left / apart;
            const o = out + (first + column + i * apart) * outBytes;
            const start = row + <usize>(column + x0 * apart) * pixelBytes;
            Call.column = x0;
            switch (inBlocks ? kernelWidth : 0) {
              case 3: block3(taps, start, weightRow, o); break;
              case 5: block5(taps, start, weightRow, o); break;
              default: pixel(taps, start, weightRow, o);
            }
          }
        }
        Call.outBytes = outBytes;
        if (isFinishedLater) {
          finishRow(outWidth, out + first * outBytes, residual ? residual + first * residualBytes : 0, epilogue);
        }
      }
    }
  }
}

/** Adds the residual to the chunk of a row's pixels, and applies the activation. */
function finishRow(pixels: i32, out: usize, residual: usize, epilogue: Epilogue): void {
  const lo = f32x4.splat(epilogue.lo), hi = f32x4.splat(epilogue.hi);
  const activation = epilogue.activation, residualBytes = epilogue.residualBytes;
  const from = Call.from, to = Call.to, outBytes = Call.outBytes;
  if (residual || activation == HARDSWISH) {
    let pixel = out;
    for (let i = 0; i < pixels; i++) {
      for (let c = from; c < to; c += 16) {
        let v = v128.load(pixel + c);
        if (residual) v = f32x4.add(v, v128.load(residual + c));
        v128.store(pixel + c, activate(v, activation, lo, hi));
      }
      pixel += outBytes;
      if (residual) residual += residualBytes;
    }
  }
  if (activation > HARDSWISH) activatePixels(pixels, i32(to - from) >> 2, out + from, outBytes, activation);
}

/**
 * The chunk of one pixel with any kernel.
 *
 * @param tapsY rows of taps inside of the image, the first of which reads the row at `x`
 */
function pixel(tapsY: i32, x: usize, weights: usize, out: usize): void {
  const column = Call.column, dilation = Call.dilation, to = Call.to;
  const skip = firstTap(column, dilation);
  const tapsX = endOfTaps(column, Call.kernelWidth, Call.width, dilation) - skip;
  x += <usize>(skip * dilation) * Call.pixelBytes;
  weights += <usize>skip * Call.channelBytes;
  Call.tapsY = tapsY;
  Call.tapsX = tapsX;
  Call.out = out;
  let c = Call.from;
  for (; c + 64 <= to; c += 64) vectors(4, c, x, weights);
  for (; c < to; c += 16) vectors(1, c, x, weights);
}

/** `count` (1 or 4, a constant) vectors of a pixel's channels from byte `c` on, in runs where there are more taps. */
// @ts-ignore: decorator
@inline
function vectors(count: i32, c: usize, x: usize, weights: usize): void {
  const tapsY = Call.tapsY, tapsX = Call.tapsX, rowBytes = Call.rowBytes, bias = Call.bias;
  const isOneRun = tapsY * tapsX <= RUN;
  const step = <usize>Call.dilation * Call.pixelBytes;
  const weightStep = Call.channelBytes, weightRow = <usize>Call.kernelWidth * weightStep;
  x += c;
  weights += c;
  let c0 = f32x4.splat(0), c1 = c0, c2 = c0, c3 = c0;
  let low0 = f64x2.splat(0), low1 = low0, low2 = low0, low3 = low0;
  let high0 = low0, high1 = low0, high2 = low0, high3 = low0;
  if (bias) {
    c0 = v128.load(bias + c);
    if (count == 4) { c1 = v128.load(bias + c, 16); c2 = v128.load(bias + c, 32); c3 = v128.load(bias + c, 48); }
  }
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
  finish(c0, c);
  if (count == 4) {
    finish(c1, c + 16);
    finish(c2, c + 32);
    finish(c3, c + 48);
  }
}

/** Applies the epilogue to the sums of four channels from byte `c` on, and stores them. */
function finish(sum: v128, c: usize): void {
  const scale = Call.scale;
  if (scale) sum = madd(v128.load(Call.shift + c), sum, v128.load(scale + c));
  v128.store(Call.out + c, clamp(sum, f32x4.splat(Call.lo), f32x4.splat(Call.hi)));
}

/**
 * The chunk of seven pixels with `taps` rows of a kernel k wide (3 or 5, a constant). Each input is loaded once.
 *
 *     stride 1, k = 3:  inputs   x0 x1 x2 x3 x4 x5 x6 x7 x8      output j is x[j]·w0 + x[j + 1]·w1 + x[j + 2]·w2
 *                       outputs     c0 c1 c2 c3 c4 c5 c6
 *     stride 2, k = 3:  inputs   x0 x1 x2 … x14                  output j is x[2j]·w0 + x[2j + 1]·w1 + x[2j + 2]·w2
 *
 * The outer columns of a block, half a kernel on each side, may lie beyond the image. Then other columns are loaded in
 * their place, and masked.
 *
 * Three things are so because of V8:
 *
 * - Stores go from the last pixel to the first, so that V8 before 13 loads inputs where they are used, and not all at
 *   first.
 * - One pointer walks a row's inner columns. V8 would compute each column's product with `pixelBytes` in every row.
 * - The loop over channels ends at its end. V8 hoists what doesn't change in a loop only where every way out comes
 *   after.
 */
// @ts-ignore: decorator
@inline
function block(k: i32, taps: i32, x: usize, weights: usize, out: usize): void {
  const s = Call.stride, column = Call.column, past = Call.width - column;
  const pixelBytes = Call.pixelBytes, rowBytes = Call.rowBytes, outBytes = Call.outBytes;
  const channelBytes = Call.channelBytes;
  const bias = Call.bias, scale = Call.scale, shift = Call.shift, isHardswish = Call.isHardswish;
  const from = Call.from, to = Call.to, l = f32x4.splat(Call.lo), h = f32x4.splat(Call.hi);
  const three = variable(3, isHardswish), six = variable(6, isHardswish), sixth = variable(1.0 / 6.0, isHardswish);
  // l0, l1 and r1, r0 are the distances of the outer columns from `x`, the first and the last being l0 and r0. A mask
  // (ml0 … mr0) keeps a column's bits (−1), or none (0) where the column lies beyond the image. Another one, inside, is
  // loaded then.
  const last = (BLOCK - 1) * s + k - 1;
  const inside = <usize>(k >> 1) * pixelBytes;
  const l0 = column < 0 ? inside : 0, ml0 = i32x4.splat(i32(column < 0) - 1);
  const r0 = past <= last ? inside : <usize>last * pixelBytes, mr0 = i32x4.splat(i32(past <= last) - 1);
  let l1: usize = 0, r1: usize = 0, ml1 = ml0, mr1 = mr0;
  if (k == 5) {
    l1 = column < -1 ? inside : pixelBytes; ml1 = i32x4.splat(i32(column < -1) - 1);
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
        let p = a + pixelBytes;
        const x1 = k == 5 ? v128.and(v128.load(a + l1), ml1) : v128.load(p);
        c0 = madd(c0, x1, w1); c1 = madd(c1, x1, w0);
        p += pixelBytes;
        const x2 = v128.load(p);
        c0 = madd(c0, x2, w2); c1 = madd(c1, x2, w1); c2 = madd(c2, x2, w0);
        p += pixelBytes;
        const x3 = v128.load(p);
        if (k == 5) { c0 = madd(c0, x3, w3); } c1 = madd(c1, x3, w2); c2 = madd(c2, x3, w1); c3 = madd(c3, x3, w0);
        p += pixelBytes;
        const x4 = v128.load(p);
        if (k == 5) { c0 = madd(c0, x4, w4); c1 = madd(c1, x4, w3); } c2 = madd(c2, x4, w2); c3 = madd(c3, x4, w1);
        c4 = madd(c4, x4, w0);
        p += pixelBytes;
        const x5 = v128.load(p);
        if (k == 5) { c1 = madd(c1, x5, w4); c2 = madd(c2, x5, w3); } c3 = madd(c3, x5, w2); c4 = madd(c4, x5, w1);
        c5 = madd(c5, x5, w0);
        p += pixelBytes;
        const x6 = v128.load(p);
        if (k == 5) { c2 = madd(c2, x6, w4); c3 = madd(c3, x6, w3); } c4 = madd(c4, x6, w2); c5 = madd(c5, x6, w1);
        c6 = madd(c6, x6, w0);
        p += pixelBytes;
        const x7 = v128.load(p);
        if (k == 5) { c3 = madd(c3, x7, w4); c4 = madd(c4, x7, w3); } c5 = madd(c5, x7, w2); c6 = madd(c6, x7, w1);
        p += pixelBytes;
        const x8 = k == 5 ? v128.load(p) : v128.and(v128.load(a + r0), mr0);
        if (k == 5) { c4 = madd(c4, x8, w4); c5 = madd(c5, x8, w3); } c6 = madd(c6, x8, w2);
        if (k == 5) { const x9 = v128.and(v128.load(a + r1), mr1); c5 = madd(c5, x9, w4); c6 = madd(c6, x9, w3); }
        if (k == 5) { const x10 = v128.and(v128.load(a + r0), mr0); c6 = madd(c6, x10, w4); }
      } else {
        const x0 = v128.and(v128.load(a + l0), ml0); c0 = madd(c0, x0, w0);
        let p = a + pixelBytes;
        const x1 = k == 5 ? v128.and(v128.load(a + l1), ml1) : v128.load(p);
        c0 = madd(c0, x1, w1);
        p += pixelBytes;
        const x2 = v128.load(p);
        c0 = madd(c0, x2, w2); c1 = madd(c1, x2, w0);
        p += pixelBytes;
        const x3 = v128.load(p);
        if (k == 5) { c0 = madd(c0, x3, w3); } c1 = madd(c1, x3, w1);
        p += pixelBytes;
        const x4 = v128.load(p);
        if (k == 5) { c0 = madd(c0, x4, w4); } c1 = madd(c1, x4, w2); c2 = madd(c2, x4, w0);
        p += pixelBytes;
        const x5 = v128.load(p);
        if (k == 5) { c1 = madd(c1, x5, w3); } c2 = madd(c2, x5, w1);
        p += pixelBytes;
        const x6 = v128.load(p);
        if (k == 5) { c1 = madd(c1, x6, w4); } c2 = madd(c2, x6, w2); c3 = madd(c3, x6, w0);
        p += pixelBytes;
        const x7 = v128.load(p);
        if (k == 5) { c2 = madd(c2, x7, w3); } c3 = madd(c3, x7, w1);
        p += pixelBytes;
        const x8 = v128.load(p);
        if (k == 5) { c2 = madd(c2, x8, w4); } c3 = madd(c3, x8, w2); c4 = madd(c4, x8, w0);
        p += pixelBytes;
        const x9 = v128.load(p);
        if (k == 5) { c3 = madd(c3, x9, w3); } c4 = madd(c4, x9, w1);
        p += pixelBytes;
        const x10 = v128.load(p);
        if (k == 5) { c3 = madd(c3, x10, w4); } c4 = madd(c4, x10, w2); c5 = madd(c5, x10, w0);
        p += pixelBytes;
        const x11 = v128.load(p);
        if (k == 5) { c4 = madd(c4, x11, w3); } c5 = madd(c5, x11, w1);
        p += pixelBytes;
        const x12 = v128.load(p);
        if (k == 5) { c4 = madd(c4, x12, w4); } c5 = madd(c5, x12, w2); c6 = madd(c6, x12, w0);
        p += pixelBytes;
        const x13 = v128.load(p);
        if (k == 5) { c5 = madd(c5, x13, w3); } c6 = madd(c6, x13, w1);
        p += pixelBytes;
        const x14 = k == 5 ? v128.load(p) : v128.and(v128.load(a + r0), mr0);
        if (k == 5) { c5 = madd(c5, x14, w4); } c6 = madd(c6, x14, w2);
        if (k == 5) { const x15 = v128.and(v128.load(a + r1), mr1); c6 = madd(c6, x15, w3); }
        if (k == 5) { const x16 = v128.and(v128.load(a + r0), mr0); c6 = madd(c6, x16, w4); }
      }
      a += rowBytes;
      w += <usize>k * channelBytes;
    } while (a < end);
    if (scale) {
      const f = v128.load(scale + c), t = v128.load(shift + c);
      c6 = madd(t, c6, f); c5 = madd(t, c5, f); c4 = madd(t, c4, f); c3 = madd(t, c3, f);
      c2 = madd(t, c2, f); c1 = madd(t, c1, f); c0 = madd(t, c0, f);
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
    v128.store(o + 6 * outBytes, clamp(c6, l, h)); v128.store(o + 5 * outBytes, clamp(c5, l, h));
    v128.store(o + 4 * outBytes, clamp(c4, l, h)); v128.store(o + 3 * outBytes, clamp(c3, l, h));
    v128.store(o + 2 * outBytes, clamp(c2, l, h)); v128.store(o + outBytes, clamp(c1, l, h));
    v128.store(o, clamp(c0, l, h));
    c += 16;
  } while (c < to);
}

function block3(taps: i32, x: usize, weights: usize, out: usize): void {
  block(3, taps, x, weights, out);
}
function block5(taps: i32, x: usize, weights: usize, out: usize): void {
  block(5, taps, x, weights, out);
}
