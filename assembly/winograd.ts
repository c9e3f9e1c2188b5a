/**
 * Winograd's minimal filtering for 3×3 kernels: the transforms of tiles and weights. The product between them is
 * f32_conv2d with one group for each of the transform's points.
 *
 * F(2×2) uses the points 0, ±1, ∞, F(3×3) the points ±1/2, ±3/2, ∞, whose transforms are exact in binary, and F(4×4) the points 0, ±1/√2,
 * ±√2, ∞, which are half as inaccurate as 0, ±1, ±2, ∞ at the same cost (Lavin and Gray, arXiv:1509.09308; Barabasz et al.,
 * arXiv:1803.10986). A dilated convolution is one on each of its sub-grids.
 *
 * Where these have at most two pixels along each side, all around them is padding, and three products do for two outputs: of the Toeplitz matrix
 * [w1 w2; w0 w1] by [x0; x1], they are w1·(x0 + x1), (w2 − w1)·x1 and (w0 − w1)·x0 (Fan and Hasan, IEEE Trans. Computers 56(2), 2007).
 *
 * With stride 2, w0 and w2 meet every other pixel, and w1 those between: three outputs are F(3, 2) of the first at the points 0, ±1, ∞, and
 * three products by w1.
 */

import { activate, variable } from "./epilogue";
import { madd, msub } from "./simd";

// a = 1/√2 and b = √2: a² = ½, b² = 2, a²b² = 1, a² + b² = 5/2.
// @ts-ignore: decorator
@inline
const A: f32 = 0.70710678118654752;
// @ts-ignore: decorator
@inline
const B: f32 = 1.41421356237309505;

/** Points along a side of a transform: 6 of F(4×4), 5 of F(3×3), 4 of F(2×2), 3 of two pixels by themselves, and 7 with stride 2. */
// @ts-ignore: decorator
@inline
const PAIRS: i32 = 3, STRIDED: i32 = 7;

/** Output pixels along a side of a tile. */
// @ts-ignore: decorator
@inline
function sizeOf(points: i32): i32 { return points == STRIDED ? 3 : max(2, points - 2); }

/** Bytes that say where a tile is. */
// @ts-ignore: decorator
@inline
const TILE_BYTES: usize = 12;

/** Where in the scratch, after the addresses of up to 49 pixels, as many vectors begin. */
// @ts-ignore: decorator
@inline
const VECTORS: usize = 208;

/**
 * Transforms a 3×3 convolution's weight, in panels as f32_pack_conv2d leaves it, for f32_conv2d: [point][panel][channel][8].
 *
 * @param points along a side: 3, 4, 5 or 6; or 7, of which the last three have one weight, so that five are written
 * @param channels a multiple of 4
 * @param panels of all points of what is written, of which `count` are
 * @param weight the first panel: [9][channels][8]
 * @param scratch 2304 bytes
 * @param out the first panel of the first point
 */
export function f32_winograd_weights(
  points: i32, channels: i32, panels: i32, count: i32, weight: usize, scratch: usize, out: usize,
): void {
  assert((channels & 3) == 0, "channels come in fours");
  const side = points == STRIDED ? 5 : points;
  const tap = <usize>channels << 5, plane = <usize>(panels * channels) << 5;
  for (let p = 0; p < count; p++) {
    let g = weight + <usize>p * 9 * tap, to = out + (<usize>(p * channels) << 5);
    for (let c = 0; c < channels; c += 4) {
      for (let j: usize = 0; j < 3; j++) {
        let column = g + j * tap;
        for (let q = scratch + (j << 7), end = q + 128; q < end; q += 16) {
          weightPoints(points, v128.load(column), v128.load(column + 3 * tap), v128.load(column + 6 * tap), q, 384);
          column += 16;
        }
      }
      // Row by row, so that few lines are written at a time.
      let row = scratch, at = to;
      for (let j = 0; j < side; j++) {
        for (let i: usize = 0; i < 128; i += 16) {
          const q = row + i;
          weightPoints(points, v128.load(q), v128.load(q, 128), v128.load(q, 256), at + i, plane);
        }
        row += 384;
        at += <usize>side * plane;
      }
      g += 128;
      to += 128;
    }
  }
}

/**
 * G by three weights, `stride` bytes from point to point. Its rows are powers of the points over the products of their differences: of
 * F(4×4), ±1/√2 by 2·a²(a² − b²) = −3/2 and ±√2 by 2·b²(b² − a²) = 6; of F(3×3), ±1/2 by ±2a(a² − b²) = ∓2 and ±3/2 by ±2b(b² − a²) = ±6.
 */
function weightPoints(points: i32, g0: v128, g1: v128, g2: v128, to: usize, stride: usize): void {
  if (points == 6) {
    v128.store(to, g0); to += stride;
    let even = madd(f32x4.mul(g0, f32x4.splat(-2.0 / 3.0)), g2, f32x4.splat(-1.0 / 3.0)), odd = f32x4.mul(g1, f32x4.splat(A / 1.5));
    v128.store(to, f32x4.sub(even, odd)); to += stride;
    v128.store(to, f32x4.add(even, odd)); to += stride;
    even = madd(f32x4.mul(g0, f32x4.splat(1.0 / 6.0)), g2, f32x4.splat(1.0 / 3.0)), odd = f32x4.mul(g1, f32x4.splat(B / 6));
    v128.store(to, f32x4.add(even, odd)); to += stride;
    v128.store(to, f32x4.sub(even, odd)); to += stride;
  } else if (points == 5) {
    let even = f32x4.mul(g1, f32x4.splat(-0.25)), odd = madd(f32x4.mul(g0, f32x4.splat(0.5)), g2, f32x4.splat(0.125));
    v128.store(to, f32x4.sub(even, odd)); to += stride;
    v128.store(to, f32x4.add(even, odd)); to += stride;
    even = f32x4.mul(g1, f32x4.splat(0.25)), odd = madd(f32x4.mul(g0, f32x4.splat(1.0 / 6.0)), g2, f32x4.splat(0.375));
    v128.store(to, f32x4.add(even, odd)); to += stride;
    v128.store(to, f32x4.sub(even, odd)); to += stride;
  } else if (points == PAIRS) {
    v128.store(to, g1); to += stride;
    v128.store(to, f32x4.sub(g2, g1)); to += stride;
    v128.store(to, f32x4.sub(g0, g1));
    return;
  } else {
    v128.store(to, g0); to += stride;
    const half = f32x4.splat(0.5), isStrided = points == STRIDED;
    const even = f32x4.mul(isStrided ? g0 : f32x4.add(g0, g2), half), odd = f32x4.mul(isStrided ? g2 : g1, half);
    v128.store(to, f32x4.add(even, odd)); to += stride;
    v128.store(to, f32x4.sub(even, odd)); to += stride;
    if (isStrided) {
      v128.store(to, g2); to += stride;
      v128.store(to, g1);
      return;
    }
  }
  v128.store(to, g2);
}

/**
 * Transforms `count` input tiles: out[tile][point][channel].
 *
 * @param points along a side: 3, 4, 5 or 6; 7 with stride 2
 * @param height, width of the input
 * @param top, left from a tile's first input pixel to its first output pixel, times the stride
 * @param tiles of each, as integers of 4 bytes: its image, and the row and column of its first output pixel
 * @param x the first image's first pixel; whole vectors are read: ceil4(channels) floats of a pixel
 * @param zeros ceil4(channels) zeros, read in the padding
 * @param scratch 208 + 784 bytes
 * @param out `tileBytes` from tile to tile, of each points² · ceil4(channels) floats are written
 */
export function f32_winograd_input(
  points: i32, channels: i32, height: i32, width: i32, top: i32, left: i32, dilation: i32, count: i32, tiles: usize,
  x: usize, pixelBytes: usize, zeros: usize, scratch: usize, out: usize, tileBytes: usize,
): void {
  assert((pixelBytes & 15) == 0 && (tileBytes & 15) == 0, "pixels are whole vectors");
  const edge = points == PAIRS ? 2 : points, stride = points == STRIDED ? 2 : 1;
  // For constants that stay in registers.
  const one = i32(points > 0);
  const channelBytes = <usize>((channels + 3) & ~3) << 2;
  for (let t = 0; t < count; t++) {
    const line = load<i32>(tiles) * height, y0 = load<i32>(tiles, 4) * stride - top, x0 = load<i32>(tiles, 8) * stride - left;
    tiles += TILE_BYTES;
    let at = scratch;
    for (let i = 0; i < edge; i++) {
      const iy = y0 + i * dilation;
      const row = x + <usize>((line + iy) * width) * pixelBytes;
      for (let j = 0; j < edge; j++) {
        const ix = x0 + j * dilation;
        const inside = iy >= 0 && iy < height && ix >= 0 && ix < width;
        store<usize>(at, inside ? row + <usize>ix * pixelBytes : zeros);
        at += 4;
      }
    }
    if (points == 6) input4(scratch, channelBytes, out, one);
    else if (points == 5) input3(scratch, channelBytes, out, one);
    else if (points == PAIRS) inputPairs(scratch, channelBytes, out);
    else input2(scratch, channelBytes, out, edge, stride);
    out += tileBytes;
  }
}

function input4(scratch: usize, channelBytes: usize, out: usize, one: i32): void {
  const vectors = scratch + VECTORS;
  const halves = variable(-2.5, one), two = variable(-2, one), half = variable(-0.5, one);
  const a = variable(A, one), b = variable(B, one);
  for (let c: usize = 0; c < channelBytes; c += 16) {
    for (let j: usize = 0; j < 6; j++) {
      const p = scratch + (j << 2), q = vectors + (j << 4);
      const d1 = v128.load(load<usize>(p, 24) + c), d2 = v128.load(load<usize>(p, 48) + c);
      const d3 = v128.load(load<usize>(p, 72) + c), d4 = v128.load(load<usize>(p, 96) + c);
      const s = madd(d4, d2, two), r = madd(d3, d1, two);
      const u = madd(d4, d2, half), v = madd(d3, d1, half);
      v128.store(q, f32x4.add(v128.load(load<usize>(p) + c), madd(d4, d2, halves)));
      v128.store(q, madd(s, r, a), 96);
      v128.store(q, msub(s, r, a), 192);
      v128.store(q, madd(u, v, b), 288);
      v128.store(q, msub(u, v, b), 384);
      v128.store(q, f32x4.add(d1, madd(v128.load(load<usize>(p, 120) + c), d3, halves)), 480);
    }
    let o = out + c;
    for (let i: usize = 0; i < 6; i++) {
      const q = vectors + i * 96;
      const d1 = v128.load(q, 16), d2 = v128.load(q, 32), d3 = v128.load(q, 48), d4 = v128.load(q, 64);
      const s = madd(d4, d2, two), r = madd(d3, d1, two);
      const u = madd(d4, d2, half), v = madd(d3, d1, half);
      v128.store(o, f32x4.add(v128.load(q), madd(d4, d2, halves))); o += channelBytes;
      v128.store(o, madd(s, r, a)); o += channelBytes;
      v128.store(o, msub(s, r, a)); o += channelBytes;
      v128.store(o, madd(u, v, b)); o += channelBytes;
      v128.store(o, msub(u, v, b)); o += channelBytes;
      v128.store(o, f32x4.add(d1, madd(v128.load(q, 80), d3, halves))); o += channelBytes;
    }
  }
}

function input3(scratch: usize, channelBytes: usize, out: usize, one: i32): void {
  const vectors = scratch + VECTORS;
  const quarter = variable(-0.25, one), nine = variable(-2.25, one), halves = variable(-2.5, one), last = variable(0.5625, one);
  const a = variable(0.5, one), b = variable(1.5, one);
  for (let c: usize = 0; c < channelBytes; c += 16) {
    for (let j: usize = 0; j < 5; j++) {
      const p = scratch + (j << 2), q = vectors + (j << 4);
      const d0 = v128.load(load<usize>(p) + c), d1 = v128.load(load<usize>(p, 20) + c);
      const d2 = v128.load(load<usize>(p, 40) + c), d3 = v128.load(load<usize>(p, 60) + c);
      const s = madd(d3, d1, nine), r = madd(d2, d0, nine);
      const u = madd(d3, d1, quarter), v = madd(d2, d0, quarter);
      v128.store(q, madd(s, r, a));
      v128.store(q, msub(s, r, a), 80);
      v128.store(q, madd(u, v, b), 160);
      v128.store(q, msub(u, v, b), 240);
      v128.store(q, madd(madd(v128.load(load<usize>(p, 80) + c), d2, halves), d0, last), 320);
    }
    let o = out + c;
    for (let i: usize = 0; i < 5; i++) {
      const q = vectors + i * 80;
      const d0 = v128.load(q), d1 = v128.load(q, 16), d2 = v128.load(q, 32), d3 = v128.load(q, 48);
      const s = madd(d3, d1, nine), r = madd(d2, d0, nine);
      const u = madd(d3, d1, quarter), v = madd(d2, d0, quarter);
      v128.store(o, madd(s, r, a)); o += channelBytes;
      v128.store(o, msub(s, r, a)); o += channelBytes;
      v128.store(o, madd(u, v, b)); o += channelBytes;
      v128.store(o, msub(u, v, b)); o += channelBytes;
      v128.store(o, madd(madd(v128.load(q, 64), d2, halves), d0, last)); o += channelBytes;
    }
  }
}

/** Of every `stride`th pixel; with stride 2 those between go as they are. */
function input2(scratch: usize, channelBytes: usize, out: usize, edge: i32, stride: usize): void {
  const vectors = scratch + VECTORS;
  const line = <usize>edge << 2, row = line << 2;
  const next = line * stride, beside = stride << 4;
  for (let c: usize = 0; c < channelBytes; c += 16) {
    for (let p = scratch, q = vectors; p < scratch + line; p += 4, q += 16) {
      const d0 = pixelAt(p, c), d1 = pixelAt(p + next, c), d2 = pixelAt(p + 2 * next, c), d3 = pixelAt(p + 3 * next, c);
      let to = q;
      v128.store(to, f32x4.sub(d0, d2)); to += row;
      v128.store(to, f32x4.add(d1, d2)); to += row;
      v128.store(to, f32x4.sub(d2, d1)); to += row;
      v128.store(to, f32x4.sub(d1, d3)); to += row;
      if (stride == 1) continue;
      v128.store(to, pixelAt(p + line, c)); to += row;
      v128.store(to, pixelAt(p + 3 * line, c)); to += row;
      v128.store(to, pixelAt(p + 5 * line, c));
    }
    let o = out + c;
    for (let i = 0, q = vectors; i < edge; i++, q += row) {
      const d0 = v128.load(q), d1 = v128.load(q + beside), d2 = v128.load(q + 2 * beside), d3 = v128.load(q + 3 * beside);
      v128.store(o, f32x4.sub(d0, d2)); o += channelBytes;
      v128.store(o, f32x4.add(d1, d2)); o += channelBytes;
      v128.store(o, f32x4.sub(d2, d1)); o += channelBytes;
      v128.store(o, f32x4.sub(d1, d3)); o += channelBytes;
      if (stride == 1) continue;
      v128.store(o, v128.load(q, 16)); o += channelBytes;
      v128.store(o, v128.load(q, 48)); o += channelBytes;
      v128.store(o, v128.load(q, 80)); o += channelBytes;
    }
  }
}

/** Four channels of the pixel whose address lies at `p`. */
// @ts-ignore: decorator
@inline
function pixelAt(p: usize, c: usize): v128 { return v128.load(load<usize>(p) + c); }

function inputPairs(scratch: usize, channelBytes: usize, out: usize): void {
  for (let c: usize = 0; c < channelBytes; c += 16) {
    const d00 = v128.load(load<usize>(scratch) + c), d01 = v128.load(load<usize>(scratch, 4) + c);
    const d10 = v128.load(load<usize>(scratch, 8) + c), d11 = v128.load(load<usize>(scratch, 12) + c);
    let o = out + c;
    o = storePairs(o, channelBytes, f32x4.add(d00, d10), f32x4.add(d01, d11));
    o = storePairs(o, channelBytes, d10, d11);
    storePairs(o, channelBytes, d00, d01);
  }
}

/** Stores the three points of two pixels, and gives the address after them. */
// @ts-ignore: decorator
@inline
function storePairs(o: usize, channelBytes: usize, d0: v128, d1: v128): usize {
  v128.store(o, f32x4.add(d0, d1)); o += channelBytes;
  v128.store(o, d1); o += channelBytes;
  v128.store(o, d0); o += channelBytes;
  return o;
}

/**
 * Transforms products back to output pixels: out = act((bias + Aᵀ·m·A)·scale + shift + residual), act being an activation of epilogue.ts.
 *
 * Pixels beyond the image aren't written. Where a tile's last row or column isn't there, neither have the points that go into it alone to be:
 * the last along a side; of pairs the last two; with stride 2 the fourth and the last.
 *
 * @param points along a side: 3, 4, 5 or 6; 7 with stride 2
 * @param outHeight, outWidth of the output
 * @param tiles as for {@link f32_winograd_input}
 * @param m [tile][point][channel], `tileBytes` from tile to tile
 * @param out the first image's first pixel; ceil4(channels) floats of each pixel are written
 * @param bias, scale, shift ceil4(channels) floats; bias, scale and residual 0 for none
 */
export function f32_winograd_output(
  points: i32, channels: i32, outHeight: i32, outWidth: i32, dilation: i32, count: i32, tiles: usize,
  m: usize, tileBytes: usize, scratch: usize, out: usize, outBytes: usize,
  bias: usize, scale: usize, shift: usize, residual: usize, residualBytes: usize, activation: i32, lo: f32, hi: f32,
): void {
  assert((outBytes & 15) == 0 && (tileBytes & 15) == 0, "pixels are whole vectors");
  const channelBytes = <usize>((channels + 3) & ~3) << 2;
  const l = f32x4.splat(lo), h = f32x4.splat(hi);
  const size = sizeOf(points);
  for (let t = 0; t < count; t++) {
    const y0 = load<i32>(tiles, 4), x0 = load<i32>(tiles, 8);
    const rows = min(size, (outHeight - y0 + dilation - 1) / dilation);
    const columns = min(size, (outWidth - x0 + dilation - 1) / dilation);
    const pixel = <usize>((load<i32>(tiles) * outHeight + y0) * outWidth + x0);
    tiles += TILE_BYTES;
    for (let c: usize = 0; c < channelBytes; c += 16) {
      if (points == 6) output4(m + c, channelBytes, scratch, rows);
      else if (points == 5) output3(m + c, channelBytes, scratch, rows);
      else if (points == PAIRS) outputPairs(m + c, channelBytes, scratch, rows, columns);
      else if (points == STRIDED) outputStrided(m + c, channelBytes, scratch, rows);
      else output2(m + c, channelBytes, scratch, rows);
      let b = f32x4.splat(0);
      if (bias) b = v128.load(bias + c);
      for (let i = 0; i < rows; i++) {
        let q = scratch + <usize>i * 64;
        let at = pixel + <usize>(i * dilation * outWidth);
        for (let j = 0; j < columns; j++) {
          let v = f32x4.add(v128.load(q), b);
          if (scale) v = madd(v128.load(shift + c), v, v128.load(scale + c));
          if (residual) v = f32x4.add(v, v128.load(residual + at * residualBytes + c));
          v128.store(out + at * outBytes + c, activate(v, activation, l, h));
          q += 16;
          at += dilation;
        }
      }
    }
    m += tileBytes;
  }
}

/** Aᵀ·m·A of 6×6 vectors as up to 4 rows of 4 vectors, 64 bytes from row to row. */
function output4(m: usize, channelBytes: usize, scratch: usize, rows: i32): void {
  const half = f32x4.splat(0.5), two = f32x4.splat(2);
  const a = f32x4.splat(A), b = f32x4.splat(B), a3 = f32x4.splat(A / 2), b3 = f32x4.splat(B * 2);
  const vectors = scratch + 256;
  const line = channelBytes * 6;
  for (let j: usize = 0; j < 6; j++) {
    let p = m + j * channelBytes;
    const m0 = v128.load(p); p += line;
    const m1 = v128.load(p); p += line;
    const m2 = v128.load(p); p += line;
    const m3 = v128.load(p); p += line;
    const m4 = v128.load(p); p += line;
    const m5 = v128.load(p);
    const s = f32x4.add(m1, m2), d = f32x4.sub(m1, m2), u = f32x4.add(m3, m4), e = f32x4.sub(m3, m4);
    const q = vectors + (j << 4);
    v128.store(q, f32x4.add(f32x4.add(m0, s), u));
    v128.store(q, madd(f32x4.mul(d, a), e, b), 96);
    v128.store(q, madd(f32x4.mul(s, half), u, two), 192);
    v128.store(q, madd(madd(m5, d, a3), e, b3), 288);
  }
  for (let i = 0; i < rows; i++) {
    const p = vectors + <usize>i * 96, q = scratch + <usize>i * 64;
    const m1 = v128.load(p, 16), m2 = v128.load(p, 32), m3 = v128.load(p, 48), m4 = v128.load(p, 64);
    const s = f32x4.add(m1, m2), d = f32x4.sub(m1, m2), u = f32x4.add(m3, m4), e = f32x4.sub(m3, m4);
    v128.store(q, f32x4.add(f32x4.add(v128.load(p), s), u));
    v128.store(q, madd(f32x4.mul(d, a), e, b), 16);
    v128.store(q, madd(f32x4.mul(s, half), u, two), 32);
    v128.store(q, madd(madd(v128.load(p, 80), d, a3), e, b3), 48);
  }
}

/** Aᵀ·m·A of 5×5 vectors as up to 3 rows of 3 vectors, 64 bytes from row to row. */
function output3(m: usize, channelBytes: usize, scratch: usize, rows: i32): void {
  const half = f32x4.splat(0.5), halves = f32x4.splat(1.5), quarter = f32x4.splat(0.25), nine = f32x4.splat(2.25);
  const vectors = scratch + 256;
  const line = channelBytes * 5;
  for (let j: usize = 0; j < 5; j++) {
    let p = m + j * channelBytes;
    const m0 = v128.load(p); p += line;
    const m1 = v128.load(p); p += line;
    const m2 = v128.load(p); p += line;
    const m3 = v128.load(p); p += line;
    const m4 = v128.load(p);
    const s = f32x4.add(m0, m1), d = f32x4.sub(m0, m1), u = f32x4.add(m2, m3), e = f32x4.sub(m2, m3);
    const q = vectors + (j << 4);
    v128.store(q, f32x4.add(s, u));
    v128.store(q, madd(f32x4.mul(d, half), e, halves), 80);
    v128.store(q, madd(madd(m4, s, quarter), u, nine), 160);
  }
  for (let i = 0; i < rows; i++) {
    const p = vectors + <usize>i * 80, q = scratch + <usize>i * 64;
    const m0 = v128.load(p), m1 = v128.load(p, 16), m2 = v128.load(p, 32), m3 = v128.load(p, 48);
    const s = f32x4.add(m0, m1), d = f32x4.sub(m0, m1), u = f32x4.add(m2, m3), e = f32x4.sub(m2, m3);
    v128.store(q, f32x4.add(s, u));
    v128.store(q, madd(f32x4.mul(d, half), e, halves), 16);
    v128.store(q, madd(madd(v128.load(p, 64), s, quarter), u, nine), 32);
  }
}

/** Aᵀ·m·A of 4×4 vectors as up to 2 rows of 2 vectors, 64 bytes from row to row. */
function output2(m: usize, channelBytes: usize, scratch: usize, rows: i32): void {
  const vectors = scratch + 256;
  const line = channelBytes * 4;
  for (let j: usize = 0; j < 4; j++) {
    let p = m + j * channelBytes;
    const m0 = v128.load(p); p += line;
    const m1 = v128.load(p); p += line;
    const m2 = v128.load(p); p += line;
    const m3 = v128.load(p);
    const q = vectors + (j << 4);
    v128.store(q, f32x4.add(f32x4.add(m0, m1), m2));
    v128.store(q, f32x4.sub(f32x4.sub(m1, m2), m3), 64);
  }
  for (let i = 0; i < rows; i++) {
    const p = vectors + <usize>i * 64, q = scratch + <usize>i * 64;
    const m1 = v128.load(p, 16), m2 = v128.load(p, 32);
    v128.store(q, f32x4.add(f32x4.add(v128.load(p), m1), m2));
    v128.store(q, f32x4.sub(f32x4.sub(m1, m2), v128.load(p, 48)), 16);
  }
}

/** Aᵀ·m·A of 7×7 vectors as up to 3 rows of 3 vectors, 64 bytes from row to row. */
function outputStrided(m: usize, channelBytes: usize, scratch: usize, rows: i32): void {
  const vectors = scratch + 256;
  const line = channelBytes * 7;
  for (let j: usize = 0; j < 7; j++) {
    let p = m + j * channelBytes;
    const q = vectors + (j << 4);
    const m0 = v128.load(p); p += line;
    const m1 = v128.load(p); p += line;
    const m2 = v128.load(p); p += line;
    const m3 = v128.load(p); p += line;
    const s = f32x4.add(m1, m2);
    v128.store(q, f32x4.add(f32x4.add(m0, s), v128.load(p))); p += line;
    v128.store(q, f32x4.add(f32x4.sub(m1, m2), v128.load(p)), 112); p += line;
    v128.store(q, f32x4.add(f32x4.sub(s, m3), v128.load(p)), 224);
  }
  for (let i = 0; i < rows; i++) {
    const p = vectors + <usize>i * 112, q = scratch + <usize>i * 64;
    const m1 = v128.load(p, 16), m2 = v128.load(p, 32), s = f32x4.add(m1, m2);
    v128.store(q, f32x4.add(f32x4.add(v128.load(p), s), v128.load(p, 64)));
    v128.store(q, f32x4.add(f32x4.sub(m1, m2), v128.load(p, 80)), 16);
    v128.store(q, f32x4.add(f32x4.sub(s, v128.load(p, 48)), v128.load(p, 96)), 32);
  }
}

/** Aᵀ·m·A of 3×3 vectors as up to 2 rows of 2 vectors, 64 bytes from row to row; of one row or column, its point alone. */
function outputPairs(m: usize, channelBytes: usize, scratch: usize, rows: i32, columns: i32): void {
  const line = channelBytes * 3;
  let p = m;
  const m0 = v128.load(p); p += channelBytes;
  const m1 = v128.load(p); p += channelBytes;
  const m2 = v128.load(p);
  for (let i = 0; i < rows; i++) {
    let u0 = m0, u1 = m1, u2 = m2;
    if (rows > 1) {
      p = m + line + <usize>i * line;
      u0 = f32x4.add(u0, v128.load(p)); p += channelBytes;
      u1 = f32x4.add(u1, v128.load(p)); p += channelBytes;
      u2 = f32x4.add(u2, v128.load(p));
    }
    const q = scratch + (<usize>i << 6);
    v128.store(q, columns > 1 ? f32x4.add(u0, u1) : u0);
    v128.store(q, f32x4.add(u0, u2), 16);
  }
}
