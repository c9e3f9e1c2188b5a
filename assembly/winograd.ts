/**
 * Winograd's minimal filtering for 3×3 kernels of stride 1: the transforms of tiles and weights. The product between them is
 * f32_conv2d with one group for each of the transform's points.
 *
 * F(2×2) uses the points 0, ±1, ∞ and F(4×4) the points 0, ±1/√2, ±√2, ∞, which are half as inaccurate as 0, ±1, ±2, ∞ at the same cost
 * (Lavin and Gray, arXiv:1509.09308; Barabasz et al., arXiv:1803.10986). A dilated convolution is one on each of its sub-grids.
 */

import { clamp, madd } from "./simd";

// a = 1/√2 and b = √2: a² = ½, b² = 2, a²b² = 1, a² + b² = 5/2.
// @ts-ignore: decorator
@inline
const A: f32 = 0.70710678118654752;
// @ts-ignore: decorator
@inline
const B: f32 = 1.41421356237309505;

/** Bytes of scratch that the transforms need: addresses of 36 pixels, and 36 vectors. */
// @ts-ignore: decorator
@inline
const VECTORS: usize = 160;

/**
 * Transforms the weight [channelsOut, channelsIn, 9] and packs it for f32_conv2d: [point][panel][channelsIn][8], zero beyond the
 * last channel. Computed in f64, rounded once.
 *
 * @param size 2 or 4: output pixels of a tile in each direction; (size + 2)² points
 * @param first the first of `count` output channels in `weight`; a multiple of 8
 * @param out the whole constant, of `channelsOut` output channels
 */
export function f32_winograd_pack(
  size: i32, channelsOut: i32, channelsIn: i32, first: i32, count: i32, weight: usize, out: usize,
): void {
  const edge = size + 2;
  const plane = <usize>(((channelsOut + 7) >> 3) * channelsIn) << 5;
  const end = min((first + count + 7) & ~7, (channelsOut + 7) & ~7);
  for (let n = first; n < end; n++) {
    for (let c = 0; c < channelsIn; c++) {
      const g = weight + (<usize>((n - first) * channelsIn + c) * 36);
      let to = out + (<usize>((n >> 3) * channelsIn + c) << 5) + (<usize>(n & 7) << 2);
      for (let i = 0; i < edge; i++) {
        for (let j = 0; j < edge; j++) {
          let sum: f64 = 0;
          if (n < channelsOut) {
            for (let y = 0; y < 3; y++) {
              for (let x = 0; x < 3; x++) {
                sum += coefficient(size, i, y) * coefficient(size, j, x) * <f64>load<f32>(g + (<usize>(y * 3 + x) << 2));
              }
            }
          }
          store<f32>(to, <f32>sum);
          to += plane;
        }
      }
    }
  }
}

/** G[point][k]: the k-th power of the point over its product of differences. */
function coefficient(size: i32, point: i32, k: i32): f64 {
  if (point == 0) return k == 0 ? 1 : 0;
  if (point == size + 1) return k == 2 ? 1 : 0;
  if (size == 2) return k == 1 && point == 2 ? -0.5 : 0.5;
  const square: f64 = point < 3 ? 0.5 : 2;
  const norm: f64 = point < 3 ? -1.5 : 6; // 2·a²(a² − b²) and 2·b²(b² − a²)
  if (k != 1) return (k == 0 ? 1 : square) / norm;
  return (point & 1 ? 1 : -1) * sqrt(square) / norm;
}

/**
 * Transforms input tiles first … last − 1: out[tile][point][channel].
 *
 * Tiles are numbered [image][sub-grid row][sub-grid column][tile row][tile column]; with dilation 1 there is one sub-grid.
 *
 * @param size 2 or 4
 * @param tilesHigh, tilesWide tiles of one sub-grid
 * @param x the first image's first pixel; whole vectors are read: ceil4(channels) floats of a pixel
 * @param zeros ceil4(channels) zeros, read in the padding
 * @param scratch 160 + 576 bytes
 * @param out `tileBytes` from tile to tile, of each (size + 2)² · ceil4(channels) floats are written
 */
export function f32_winograd_input(
  size: i32, channels: i32, height: i32, width: i32, top: i32, left: i32, dilation: i32,
  tilesHigh: i32, tilesWide: i32, first: i32, last: i32,
  x: usize, pixelBytes: usize, zeros: usize, scratch: usize, out: usize, tileBytes: usize,
): void {
  assert((pixelBytes & 15) == 0 && (tileBytes & 15) == 0, "pixels are whole vectors");
  const edge = size + 2;
  const channelBytes = <usize>((channels + 3) & ~3) << 2;
  const area = tilesHigh * tilesWide;
  for (let t = first; t < last; t++) {
    const grid = t / area, cell = t - grid * area;
    const image = grid / (dilation * dilation), sub = grid - image * dilation * dilation;
    const ty = cell / tilesWide, tx = cell - ty * tilesWide;
    const y0 = sub / dilation + ty * size * dilation - top, x0 = sub % dilation + tx * size * dilation - left;
    let at = scratch;
    for (let i = 0; i < edge; i++) {
      const iy = y0 + i * dilation;
      const row = x + <usize>((image * height + iy) * width) * pixelBytes;
      for (let j = 0; j < edge; j++) {
        const ix = x0 + j * dilation;
        const inside = iy >= 0 && iy < height && ix >= 0 && ix < width;
        store<usize>(at, inside ? row + <usize>ix * pixelBytes : zeros);
        at += 4;
      }
    }
    if (size == 4) input4(scratch, channelBytes, out);
    else input2(scratch, channelBytes, out);
    out += tileBytes;
  }
}

function input4(scratch: usize, channelBytes: usize, out: usize): void {
  const vectors = scratch + VECTORS;
  const halves = f32x4.splat(-2.5), two = f32x4.splat(-2), half = f32x4.splat(-0.5);
  const a = f32x4.splat(A), minusA = f32x4.splat(-A), b = f32x4.splat(B), minusB = f32x4.splat(-B);
  for (let c: usize = 0; c < channelBytes; c += 16) {
    for (let j: usize = 0; j < 6; j++) {
      const p = scratch + (j << 2), q = vectors + (j << 4);
      const d1 = v128.load(load<usize>(p, 24) + c), d2 = v128.load(load<usize>(p, 48) + c);
      const d3 = v128.load(load<usize>(p, 72) + c), d4 = v128.load(load<usize>(p, 96) + c);
      const s = madd(d4, d2, two), r = madd(d3, d1, two);
      const u = madd(d4, d2, half), v = madd(d3, d1, half);
      v128.store(q, f32x4.add(v128.load(load<usize>(p) + c), madd(d4, d2, halves)));
      v128.store(q, madd(s, r, a), 96);
      v128.store(q, madd(s, r, minusA), 192);
      v128.store(q, madd(u, v, b), 288);
      v128.store(q, madd(u, v, minusB), 384);
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
      v128.store(o, madd(s, r, minusA)); o += channelBytes;
      v128.store(o, madd(u, v, b)); o += channelBytes;
      v128.store(o, madd(u, v, minusB)); o += channelBytes;
      v128.store(o, f32x4.add(d1, madd(v128.load(q, 80), d3, halves))); o += channelBytes;
    }
  }
}

function input2(scratch: usize, channelBytes: usize, out: usize): void {
  const vectors = scratch + VECTORS;
  for (let c: usize = 0; c < channelBytes; c += 16) {
    for (let j: usize = 0; j < 4; j++) {
      const p = scratch + (j << 2), q = vectors + (j << 4);
      const d0 = v128.load(load<usize>(p) + c), d1 = v128.load(load<usize>(p, 16) + c);
      const d2 = v128.load(load<usize>(p, 32) + c), d3 = v128.load(load<usize>(p, 48) + c);
      v128.store(q, f32x4.sub(d0, d2));
      v128.store(q, f32x4.add(d1, d2), 64);
      v128.store(q, f32x4.sub(d2, d1), 128);
      v128.store(q, f32x4.sub(d1, d3), 192);
    }
    let o = out + c;
    for (let i: usize = 0; i < 4; i++) {
      const q = vectors + (i << 6);
      const d0 = v128.load(q), d1 = v128.load(q, 16), d2 = v128.load(q, 32), d3 = v128.load(q, 48);
      v128.store(o, f32x4.sub(d0, d2)); o += channelBytes;
      v128.store(o, f32x4.add(d1, d2)); o += channelBytes;
      v128.store(o, f32x4.sub(d2, d1)); o += channelBytes;
      v128.store(o, f32x4.sub(d1, d3)); o += channelBytes;
    }
  }
}

/**
 * Transforms products back to output pixels: out = clamp((bias + Aᵀ·m·A)·scale + shift + residual, lo, hi).
 *
 * Tiles are numbered as in {@link f32_winograd_input}; pixels beyond the image aren't written.
 *
 * @param outHeight, outWidth of the output
 * @param m [tile][point][channel], `tileBytes` from tile to tile
 * @param out the first image's first pixel; ceil4(channels) floats of each pixel are written
 * @param bias, scale, shift ceil4(channels) floats; bias, scale and residual 0 for none
 */
export function f32_winograd_output(
  size: i32, channels: i32, outHeight: i32, outWidth: i32, dilation: i32,
  tilesHigh: i32, tilesWide: i32, first: i32, last: i32,
  m: usize, tileBytes: usize, scratch: usize, out: usize, outBytes: usize,
  bias: usize, scale: usize, shift: usize, residual: usize, residualBytes: usize, lo: f32, hi: f32,
): void {
  assert((outBytes & 15) == 0 && (tileBytes & 15) == 0, "pixels are whole vectors");
  const channelBytes = <usize>((channels + 3) & ~3) << 2;
  const l = f32x4.splat(lo), h = f32x4.splat(hi);
  const area = tilesHigh * tilesWide;
  for (let t = first; t < last; t++) {
    const grid = t / area, cell = t - grid * area;
    const image = grid / (dilation * dilation), sub = grid - image * dilation * dilation;
    const ty = cell / tilesWide, tx = cell - ty * tilesWide;
    const y0 = sub / dilation + ty * size * dilation, x0 = sub % dilation + tx * size * dilation;
    const rows = min(size, (outHeight - y0 + dilation - 1) / dilation);
    const columns = min(size, (outWidth - x0 + dilation - 1) / dilation);
    if (rows > 0 && columns > 0) {
      const pixel = <usize>((image * outHeight + y0) * outWidth + x0);
      for (let c: usize = 0; c < channelBytes; c += 16) {
        if (size == 4) output4(m + c, channelBytes, scratch, rows);
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
            v128.store(out + at * outBytes + c, clamp(v, l, h));
            q += 16;
            at += dilation;
          }
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
