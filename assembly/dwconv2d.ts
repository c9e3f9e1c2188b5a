/**
 * Depthwise convolution, one filter for each channel, on channels-last images.
 */

import { activatePixels, clamp } from "./epilogue";
import { madd } from "./simd";

/**
 * Depthwise convolution of rows firstRow … lastRow − 1 of each image: out = act((bias + Σ x·w)·scale + shift + residual), four pixels ×
 * four channels at a time.
 *
 * The last block of a row overlaps the one before it, so rows need no tail; rows of fewer than four pixels go one by one. Taps above and
 * below the image are left out; blocks that reach beyond its sides read a copy of their window, with zeros.
 *
 * @param channels all; vectors of four are read and written, so a pixel holds ceil4(channels) floats in `x` and `out`
 * @param height, width of an image in `x`; outHeight, outWidth of one in `out`
 * @param top, left padding; the windows may reach as far beyond the other sides as they like
 * @param x the first image's first pixel, rows and images dense; nothing beyond it is read
 * @param scratch kernelHeight · (3·strideWidth + (kernelWidth − 1)·dilationWidth + 1) · 256 bytes where a window reaches beyond a side
 * @param weights from f32_pack_dwconv2d: [tap][ceil4(channels)]
 * @param bias, scale, shift ceil4(channels) floats; bias and scale 0 for none
 */
export function f32_dwconv2d(
  images: i32, channels: i32, height: i32, width: i32, outHeight: i32, outWidth: i32,
  kernelHeight: i32, kernelWidth: i32, strideHeight: i32, strideWidth: i32, top: i32, left: i32,
  dilationHeight: i32, dilationWidth: i32, firstRow: i32, lastRow: i32,
  x: usize, pixelBytes: usize, scratch: usize, weights: usize, out: usize, outBytes: usize,
  bias: usize, scale: usize, shift: usize, residual: usize, residualBytes: usize, activation: i32, lo: f32, hi: f32,
): void {
  assert((pixelBytes & 15) == 0 && (outBytes & 15) == 0, "pixels are whole vectors");
  assert(firstRow >= 0 && lastRow <= outHeight, "rows are there");
  const l = f32x4.splat(lo), h = f32x4.splat(hi);
  const channelBytes = <usize>((channels + 3) & ~3) << 2;
  const rowBytes = <usize>width * pixelBytes;
  // Square kernels of 3 or 5 without dilation have code of their own: 3 and 5 for stride 1, one more for stride 2.
  const isUsual = kernelHeight == kernelWidth && (kernelWidth == 3 || kernelWidth == 5) && dilationHeight == 1 && dilationWidth == 1
    && strideHeight == strideWidth && strideWidth <= 2;
  const form = isUsual ? kernelWidth + strideWidth - 1 : 0;
  const reach = (kernelWidth - 1) * dilationWidth + 1;
  const window = 3 * strideWidth + reach;
  // Beyond the last pixel whose taps are all inside.
  const insideEnd = width + left >= reach ? min(outWidth, (width + left - reach) / strideWidth + 1) : 0;
  for (let n = 0; n < images; n++) {
    for (let oy = firstRow; oy < lastRow; oy++) {
      const y0 = oy * strideHeight - top;
      const skip = y0 < 0 ? (dilationHeight - 1 - y0) / dilationHeight : 0;
      const taps = min(kernelHeight, (height - y0 + dilationHeight - 1) / dilationHeight) - skip;
      const row = x + <usize>((n * height + y0 + skip * dilationHeight) * width) * pixelBytes;
      const weightRow = weights + <usize>(skip * kernelWidth) * channelBytes;
      const pixel = <usize>((n * outHeight + oy) * outWidth);
      if (outWidth < 4 || taps <= 0) {
        for (let ox = 0; ox < outWidth; ox++) {
          const o = out + (pixel + ox) * outBytes;
          for (let c: usize = 0; c < channelBytes; c += 16) {
            let sum = f32x4.splat(0);
            if (bias) sum = v128.load(bias + c);
            let w = weightRow + c;
            for (let ky = 0; ky < taps; ky++) {
              const line = row + <usize>(ky * dilationHeight) * rowBytes + c;
              let ix = ox * strideWidth - left;
              for (let kx = 0; kx < kernelWidth; kx++) {
                if (ix >= 0 && ix < width) sum = madd(sum, v128.load(line + <usize>ix * pixelBytes), v128.load(w));
                ix += dilationWidth;
                w += channelBytes;
              }
            }
            if (scale) sum = madd(v128.load(shift + c), sum, v128.load(scale + c));
            if (residual) sum = f32x4.add(sum, v128.load(residual + (pixel + ox) * residualBytes + c));
            v128.store(o + c, clamp(sum, l, h));
          }
        }
        if (activation) activatePixels(outWidth, <i32>(channelBytes >> 2), out + pixel * outBytes, outBytes, activation);
        continue;
      }
      // Channels in chunks, so that the rows of a chunk stay in the first-level cache while blocks pass over them.
      for (let from: usize = 0; from < channelBytes; from += CHUNK_BYTES) {
        const to = min(from + CHUNK_BYTES, channelBytes);
        let ox = 0;
        while (ox < outWidth) {
          const i = min(ox, outWidth - 4);
          const x0 = i * strideWidth - left;
          let count = 4, a = row + <usize>x0 * pixelBytes, step = pixelBytes, line = rowBytes * <usize>dilationHeight;
          if (x0 >= 0 && i + 4 <= insideEnd) {
            count = insideEnd - i;
          } else {
            step = to - from;
            line = <usize>window * step;
            copyWindow(taps, window, x0, width, row, rowBytes * <usize>dilationHeight, pixelBytes, from, to, scratch);
            a = scratch - from;
          }
          const o = out + (pixel + i) * outBytes;
          const r = residual ? residual + (pixel + i) * residualBytes : 0;
          switch (form) {
            case 3: row3(taps, count, a, step, line, from, to, channelBytes, weightRow, o, outBytes, bias, scale, shift, r, residualBytes, lo, hi); break;
            case 4: row3s2(taps, count, a, step, line, from, to, channelBytes, weightRow, o, outBytes, bias, scale, shift, r, residualBytes, lo, hi); break;
            case 5: row5(taps, count, a, step, line, from, to, channelBytes, weightRow, o, outBytes, bias, scale, shift, r, residualBytes, lo, hi); break;
            case 6: row5s2(taps, count, a, step, line, from, to, channelBytes, weightRow, o, outBytes, bias, scale, shift, r, residualBytes, lo, hi); break;
            default:
              count = 4;
              blockOf(taps, kernelWidth, <usize>strideWidth * step, <usize>dilationWidth * step, line, a, from, to, channelBytes, weightRow, o, outBytes, bias, scale, shift, r, residualBytes, lo, hi);
          }
          ox = i + count;
        }
        // Once for the row: its last block may have been computed over one that was there.
        if (activation) activatePixels(outWidth, <i32>((to - from) >> 2), out + pixel * outBytes + from, outBytes, activation);
      }
    }
  }
}

/** Copies the bytes `from` to `to` of a window's pixels, densely; pixels beyond the sides of the image are zero. */
function copyWindow(
  rows: i32, columns: i32, x0: i32, width: i32, row: usize, rowBytes: usize, pixelBytes: usize, from: usize, to: usize, out: usize,
): void {
  for (let y = 0; y < rows; y++) {
    for (let i = 0; i < columns; i++) {
      const ix = x0 + i;
      const at = row + <usize>ix * pixelBytes;
      if (ix >= 0 && ix < width) for (let c = from; c < to; c += 16) { v128.store(out, v128.load(at + c)); out += 16; }
      else for (let c = from; c < to; c += 16) { v128.store(out, f32x4.splat(0)); out += 16; }
    }
    row += rowBytes;
  }
}

/** Bytes of a pixel's channels that are filtered together. */
// @ts-ignore: decorator
@inline
const CHUNK_BYTES: usize = 256;

/** The epilogue of four pixels, and their stores. */
// @ts-ignore: decorator
@inline
function finish(
  c0: v128, c1: v128, c2: v128, c3: v128, c: usize, out: usize, outBytes: usize,
  scale: usize, shift: usize, residual: usize, residualBytes: usize, lo: f32, hi: f32,
): void {
  if (scale) {
    const s = v128.load(scale + c), t = v128.load(shift + c);
    c0 = madd(t, c0, s); c1 = madd(t, c1, s); c2 = madd(t, c2, s); c3 = madd(t, c3, s);
  }
  if (residual) {
    const r = residual + c;
    c0 = f32x4.add(c0, v128.load(r)); c1 = f32x4.add(c1, v128.load(r + residualBytes));
    c2 = f32x4.add(c2, v128.load(r + 2 * residualBytes)); c3 = f32x4.add(c3, v128.load(r + 3 * residualBytes));
  }
  const l = f32x4.splat(lo), h = f32x4.splat(hi);
  const o = out + c;
  v128.store(o, clamp(c0, l, h));
  v128.store(o + outBytes, clamp(c1, l, h));
  v128.store(o + 2 * outBytes, clamp(c2, l, h));
  v128.store(o + 3 * outBytes, clamp(c3, l, h));
}

/** Four pixels with any kernel. */
function blockOf(
  kernelHeight: i32, kernelWidth: i32, step: usize, tapX: usize, tapY: usize,
  x: usize, from: usize, to: usize, channelBytes: usize, weights: usize, out: usize, outBytes: usize,
  bias: usize, scale: usize, shift: usize, residual: usize, residualBytes: usize, lo: f32, hi: f32,
): void {
  for (let c = from; c < to; c += 16) {
    let b = f32x4.splat(0);
    if (bias) b = v128.load(bias + c);
    let c0 = b, c1 = b, c2 = b, c3 = b;
    let w = weights + c;
    for (let ky = 0; ky < kernelHeight; ky++) {
      let a = x + <usize>ky * tapY + c;
      for (let kx = 0; kx < kernelWidth; kx++) {
        const f = v128.load(w);
        c0 = madd(c0, v128.load(a), f);
        c1 = madd(c1, v128.load(a + step), f);
        c2 = madd(c2, v128.load(a + 2 * step), f);
        c3 = madd(c3, v128.load(a + 3 * step), f);
        a += tapX;
        w += channelBytes;
      }
    }
    finish(c0, c1, c2, c3, c, out, outBytes, scale, shift, residual, residualBytes, lo, hi);
  }
}

/** Four pixels with `rows` rows of a kernel k wide (3 or 5, a constant) and stride s (1 or 2, a constant): each input is loaded once. */
// @ts-ignore: decorator
@inline
function block(
  k: i32, s: i32, rows: i32, x: usize, pixelBytes: usize, rowBytes: usize, from: usize, to: usize, channelBytes: usize, weights: usize,
  out: usize, outBytes: usize,
  bias: usize, scale: usize, shift: usize, residual: usize, residualBytes: usize, lo: f32, hi: f32,
): void {
  for (let c = from; c < to; c += 16) {
    let b = f32x4.splat(0);
    if (bias) b = v128.load(bias + c);
    let c0 = b, c1 = b, c2 = b, c3 = b;
    let w = weights + c;
    let a = x + c;
    const end = a + <usize>rows * rowBytes;
    do {
      const w0 = v128.load(w), w1 = v128.load(w + channelBytes), w2 = v128.load(w + 2 * channelBytes);
      let w3 = w2, w4 = w2;
      if (k == 5) { w3 = v128.load(w + 3 * channelBytes); w4 = v128.load(w + 4 * channelBytes); }
      // Input i meets output j with weight i − j·s, in ascending order for each output.
      if (s == 1) {
        const x0 = v128.load(a); c0 = madd(c0, x0, w0);
        const x1 = v128.load(a + pixelBytes); c0 = madd(c0, x1, w1); c1 = madd(c1, x1, w0);
        const x2 = v128.load(a + 2 * pixelBytes); c0 = madd(c0, x2, w2); c1 = madd(c1, x2, w1); c2 = madd(c2, x2, w0);
        const x3 = v128.load(a + 3 * pixelBytes); if (k == 5) c0 = madd(c0, x3, w3); c1 = madd(c1, x3, w2); c2 = madd(c2, x3, w1); c3 = madd(c3, x3, w0);
        const x4 = v128.load(a + 4 * pixelBytes); if (k == 5) { c0 = madd(c0, x4, w4); c1 = madd(c1, x4, w3); } c2 = madd(c2, x4, w2); c3 = madd(c3, x4, w1);
        const x5 = v128.load(a + 5 * pixelBytes); if (k == 5) { c1 = madd(c1, x5, w4); c2 = madd(c2, x5, w3); } c3 = madd(c3, x5, w2);
        if (k == 5) {
          const x6 = v128.load(a + 6 * pixelBytes); c2 = madd(c2, x6, w4); c3 = madd(c3, x6, w3);
          c3 = madd(c3, v128.load(a + 7 * pixelBytes), w4);
        }
      } else {
        const x0 = v128.load(a); c0 = madd(c0, x0, w0);
        const x1 = v128.load(a + pixelBytes); c0 = madd(c0, x1, w1);
        const x2 = v128.load(a + 2 * pixelBytes); c0 = madd(c0, x2, w2); c1 = madd(c1, x2, w0);
        const x3 = v128.load(a + 3 * pixelBytes); if (k == 5) c0 = madd(c0, x3, w3); c1 = madd(c1, x3, w1);
        const x4 = v128.load(a + 4 * pixelBytes); if (k == 5) c0 = madd(c0, x4, w4); c1 = madd(c1, x4, w2); c2 = madd(c2, x4, w0);
        const x5 = v128.load(a + 5 * pixelBytes); if (k == 5) c1 = madd(c1, x5, w3); c2 = madd(c2, x5, w1);
        const x6 = v128.load(a + 6 * pixelBytes); if (k == 5) c1 = madd(c1, x6, w4); c2 = madd(c2, x6, w2); c3 = madd(c3, x6, w0);
        const x7 = v128.load(a + 7 * pixelBytes); if (k == 5) c2 = madd(c2, x7, w3); c3 = madd(c3, x7, w1);
        const x8 = v128.load(a + 8 * pixelBytes); if (k == 5) c2 = madd(c2, x8, w4); c3 = madd(c3, x8, w2);
        if (k == 5) {
          c3 = madd(c3, v128.load(a + 9 * pixelBytes), w3);
          c3 = madd(c3, v128.load(a + 10 * pixelBytes), w4);
        }
      }
      a += rowBytes;
      w += <usize>k * channelBytes;
    } while (a < end);
    finish(c0, c1, c2, c3, c, out, outBytes, scale, shift, residual, residualBytes, lo, hi);
  }
}

/** A row of pixels by blocks of four, of which the last may overlap. */
// @ts-ignore: decorator
@inline
function rowOf(
  k: i32, s: i32, rows: i32, outWidth: i32, x: usize, pixelBytes: usize, rowBytes: usize, from: usize, to: usize, channelBytes: usize,
  weights: usize, out: usize, outBytes: usize,
  bias: usize, scale: usize, shift: usize, residual: usize, residualBytes: usize, lo: f32, hi: f32,
): void {
  for (let ox = 0; ox < outWidth; ox += 4) {
    const i = <usize>min(ox, outWidth - 4);
    const r = residual ? residual + i * residualBytes : 0;
    block(k, s, rows, x + i * <usize>s * pixelBytes, pixelBytes, rowBytes, from, to, channelBytes, weights, out + i * outBytes, outBytes, bias, scale, shift, r, residualBytes, lo, hi);
  }
}

function row3(rows: i32, outWidth: i32, x: usize, pixelBytes: usize, rowBytes: usize, from: usize, to: usize, channelBytes: usize, weights: usize, out: usize, outBytes: usize, bias: usize, scale: usize, shift: usize, residual: usize, residualBytes: usize, lo: f32, hi: f32): void {
  rowOf(3, 1, rows, outWidth, x, pixelBytes, rowBytes, from, to, channelBytes, weights, out, outBytes, bias, scale, shift, residual, residualBytes, lo, hi);
}
function row3s2(rows: i32, outWidth: i32, x: usize, pixelBytes: usize, rowBytes: usize, from: usize, to: usize, channelBytes: usize, weights: usize, out: usize, outBytes: usize, bias: usize, scale: usize, shift: usize, residual: usize, residualBytes: usize, lo: f32, hi: f32): void {
  rowOf(3, 2, rows, outWidth, x, pixelBytes, rowBytes, from, to, channelBytes, weights, out, outBytes, bias, scale, shift, residual, residualBytes, lo, hi);
}
function row5(rows: i32, outWidth: i32, x: usize, pixelBytes: usize, rowBytes: usize, from: usize, to: usize, channelBytes: usize, weights: usize, out: usize, outBytes: usize, bias: usize, scale: usize, shift: usize, residual: usize, residualBytes: usize, lo: f32, hi: f32): void {
  rowOf(5, 1, rows, outWidth, x, pixelBytes, rowBytes, from, to, channelBytes, weights, out, outBytes, bias, scale, shift, residual, residualBytes, lo, hi);
}
function row5s2(rows: i32, outWidth: i32, x: usize, pixelBytes: usize, rowBytes: usize, from: usize, to: usize, channelBytes: usize, weights: usize, out: usize, outBytes: usize, bias: usize, scale: usize, shift: usize, residual: usize, residualBytes: usize, lo: f32, hi: f32): void {
  rowOf(5, 2, rows, outWidth, x, pixelBytes, rowBytes, from, to, channelBytes, weights, out, outBytes, bias, scale, shift, residual, residualBytes, lo, hi);
}
