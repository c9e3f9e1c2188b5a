/**
 * Tiles of the indirect GEMM: 1 to 6 output pixels × a panel of 8 output channels in registers. See ../conv2d.ts for
 * what a table and a panel are.
 */

import { clamp, hardswish } from "../epilogue";
import { HARDSWISH } from "../layout";
import { madd, storeLanes } from "../simd";

/**
 * What the tiles of a call have in common. These are globals, so that no function has more than five parameters. An
 * instance runs one call at a time, and each thread has an instance of its own.
 */
export class Tiles {
  /** Pixels of a tile. */
  static size: i32 = 0;
  /** Bytes of the table: from tile to tile, from tap to tap, and of the taps to compute. */
  static tileBytes: usize = 0;
  static tapBytes: usize = 0;
  static runBytes: usize = 0;
  /** The byte of the first channel to read in each pixel, and the bytes of a panel that one tap reads. */
  static inOffset: usize = 0;
  static panelStep: usize = 0;
  /** Bytes from output pixel to output pixel, and how many of the panel's 8 channels are stored. */
  static outBytes: usize = 0;
  static stored: i32 = 0;
  /** Sums to add before the epilogue, `sumsBytes` from pixel to pixel; 0 for none. */
  static sums: usize = 0;
  static sumsBytes: usize = 0;
  /** The panel's part of the bias and of the epilogue's vectors; 0 for none. */
  static bias: usize = 0;
  static scale: usize = 0;
  static shift: usize = 0;
  /** What is added to the first tile, `residualBytes` from pixel to pixel; 0 for none. */
  static residual: usize = 0;
  static residualBytes: usize = 0;
  static activation: i32 = 0;
  static lo: f32 = 0;
  static hi: f32 = 0;
}

/**
 * `count` tiles of `rows` (2 to 6, a constant) pixels, one after the other: the bias, all products, the sums, the
 * epilogue.
 *
 * Where `Tiles.size` is 1, `rows` are two, and the pixel is there twice: both are computed from the same input, and
 * stored in the same place. That takes no longer, since so few sums wait for the multiply-add's latency. Three pixels
 * have a function of their own: as four with one twice they cost a thirtieth of ResNet-18's time on V8 11, whose code
 * for four got worse by it.
 *
 * The loop over channels is unrolled twice, with an exit between the halves. Without unrolling, decoding instructions
 * takes longer than the products. Rows go from last to first. In another order, V8 before 13 hoists the loads and
 * spills registers. `d1`…`d5` are the other rows' distances from row 0, so that one pointer moves.
 *
 * @param table the first tile's addresses; a tile whose first is 0 is left as it is
 * @param panel the weights of the taps to compute
 * @param out the panel's first channel of the first pixel
 */
// @ts-ignore: decorator
@inline
function adjacentTiles(rows: i32, count: i32, table: usize, panel: usize, out: usize): void {
  const tileBytes = Tiles.tileBytes, tapBytes = Tiles.tapBytes, runBytes = Tiles.runBytes;
  const inOffset = Tiles.inOffset, panelStep = Tiles.panelStep, outBytes = Tiles.outBytes, stored = Tiles.stored;
  const sumsBytes = Tiles.sumsBytes, residualBytes = Tiles.residualBytes;
  const bias = Tiles.bias, scale = Tiles.scale, shift = Tiles.shift;
  const activation = Tiles.activation, lo = Tiles.lo, hi = Tiles.hi;
  let sums = Tiles.sums, residual = Tiles.residual;
  do {
    const next = table + tileBytes, tableEnd = table + runBytes;
    if (load<usize>(table)) {
      let bias0 = f32x4.splat(0), bias1 = f32x4.splat(0);
      if (bias) { bias0 = v128.load(bias); bias1 = v128.load(bias, 16); }
      let c00 = bias0, c01 = bias1, c10 = bias0, c11 = bias1, c20 = bias0, c21 = bias1;
      let c30 = bias0, c31 = bias1, c40 = bias0, c41 = bias1, c50 = bias0, c51 = bias1;
      let weights = panel;
      do {
        let a = load<usize>(table);
        let d1: usize = 0, d2: usize = 0, d3: usize = 0, d4: usize = 0, d5: usize = 0;
        if (rows > 1) d1 = load<usize>(table + second(rows, 4)) - a;
        if (rows > 2) d2 = load<usize>(table, 8) - a;
        if (rows > 3) d3 = load<usize>(table, 12) - a;
        if (rows > 4) d4 = load<usize>(table, 16) - a;
        if (rows > 5) d5 = load<usize>(table, 20) - a;
        a += inOffset;
        const end = weights + panelStep;
        do {
          {
            const b0 = v128.load(weights), b1 = v128.load(weights, 16);
            if (rows > 5) { const x = v128.load32_splat(a + d5); c50 = madd(c50, x, b0); c51 = madd(c51, x, b1); }
            if (rows > 4) { const x = v128.load32_splat(a + d4); c40 = madd(c40, x, b0); c41 = madd(c41, x, b1); }
            if (rows > 3) { const x = v128.load32_splat(a + d3); c30 = madd(c30, x, b0); c31 = madd(c31, x, b1); }
            if (rows > 2) { const x = v128.load32_splat(a + d2); c20 = madd(c20, x, b0); c21 = madd(c21, x, b1); }
            if (rows > 1) { const x = v128.load32_splat(a + d1); c10 = madd(c10, x, b0); c11 = madd(c11, x, b1); }
            const x = v128.load32_splat(a); c00 = madd(c00, x, b0); c01 = madd(c01, x, b1);
          }
          weights += 32;
          if (weights == end) break;
          {
            const b0 = v128.load(weights), b1 = v128.load(weights, 16);
            if (rows > 5) { const x = v128.load32_splat(a + d5, 4); c50 = madd(c50, x, b0); c51 = madd(c51, x, b1); }
            if (rows > 4) { const x = v128.load32_splat(a + d4, 4); c40 = madd(c40, x, b0); c41 = madd(c41, x, b1); }
            if (rows > 3) { const x = v128.load32_splat(a + d3, 4); c30 = madd(c30, x, b0); c31 = madd(c31, x, b1); }
            if (rows > 2) { const x = v128.load32_splat(a + d2, 4); c20 = madd(c20, x, b0); c21 = madd(c21, x, b1); }
            if (rows > 1) { const x = v128.load32_splat(a + d1, 4); c10 = madd(c10, x, b0); c11 = madd(c11, x, b1); }
            const x = v128.load32_splat(a, 4); c00 = madd(c00, x, b0); c01 = madd(c01, x, b1);
          }
          a += 8;
          weights += 32;
        } while (weights < end);
        table += tapBytes;
      } while (table < tableEnd);
      if (sums) {
        let s = sums;
        c00 = f32x4.add(v128.load(s), c00); c01 = f32x4.add(v128.load(s, 16), c01);
        if (rows > 1) {
          s += second(rows, sumsBytes);
          c10 = f32x4.add(v128.load(s), c10); c11 = f32x4.add(v128.load(s, 16), c11);
        }
        if (rows > 2) { s += sumsBytes; c20 = f32x4.add(v128.load(s), c20); c21 = f32x4.add(v128.load(s, 16), c21); }
        if (rows > 3) { s += sumsBytes; c30 = f32x4.add(v128.load(s), c30); c31 = f32x4.add(v128.load(s, 16), c31); }
        if (rows > 4) { s += sumsBytes; c40 = f32x4.add(v128.load(s), c40); c41 = f32x4.add(v128.load(s, 16), c41); }
        if (rows > 5) { s += sumsBytes; c50 = f32x4.add(v128.load(s), c50); c51 = f32x4.add(v128.load(s, 16), c51); }
      }
      if (scale) {
        const s0 = v128.load(scale), s1 = v128.load(scale, 16), h0 = v128.load(shift), h1 = v128.load(shift, 16);
        c00 = madd(h0, c00, s0); c01 = madd(h1, c01, s1);
        if (rows > 1) { c10 = madd(h0, c10, s0); c11 = madd(h1, c11, s1); }
        if (rows > 2) { c20 = madd(h0, c20, s0); c21 = madd(h1, c21, s1); }
        if (rows > 3) { c30 = madd(h0, c30, s0); c31 = madd(h1, c31, s1); }
        if (rows > 4) { c40 = madd(h0, c40, s0); c41 = madd(h1, c41, s1); }
        if (rows > 5) { c50 = madd(h0, c50, s0); c51 = madd(h1, c51, s1); }
      }
      if (residual) {
        let r = residual;
        c00 = f32x4.add(c00, v128.load(r)); c01 = f32x4.add(c01, v128.load(r, 16));
        r += second(rows, residualBytes);
        if (rows > 1) { c10 = f32x4.add(c10, v128.load(r)); c11 = f32x4.add(c11, v128.load(r, 16)); }
        r += residualBytes;
        if (rows > 2) { c20 = f32x4.add(c20, v128.load(r)); c21 = f32x4.add(c21, v128.load(r, 16)); }
        r += residualBytes;
        if (rows > 3) { c30 = f32x4.add(c30, v128.load(r)); c31 = f32x4.add(c31, v128.load(r, 16)); }
        r += residualBytes;
        if (rows > 4) { c40 = f32x4.add(c40, v128.load(r)); c41 = f32x4.add(c41, v128.load(r, 16)); }
        r += residualBytes;
        if (rows > 5) { c50 = f32x4.add(c50, v128.load(r)); c51 = f32x4.add(c51, v128.load(r, 16)); }
      }
      if (activation == HARDSWISH) {
        c00 = hardswish(c00); c01 = hardswish(c01);
        if (rows > 1) { c10 = hardswish(c10); c11 = hardswish(c11); }
        if (rows > 2) { c20 = hardswish(c20); c21 = hardswish(c21); }
        if (rows > 3) { c30 = hardswish(c30); c31 = hardswish(c31); }
        if (rows > 4) { c40 = hardswish(c40); c41 = hardswish(c41); }
        if (rows > 5) { c50 = hardswish(c50); c51 = hardswish(c51); }
      } else {
        const l = f32x4.splat(lo), h = f32x4.splat(hi);
        c00 = clamp(c00, l, h); c01 = clamp(c01, l, h);
        if (rows > 1) { c10 = clamp(c10, l, h); c11 = clamp(c11, l, h); }
        if (rows > 2) { c20 = clamp(c20, l, h); c21 = clamp(c21, l, h); }
        if (rows > 3) { c30 = clamp(c30, l, h); c31 = clamp(c31, l, h); }
        if (rows > 4) { c40 = clamp(c40, l, h); c41 = clamp(c41, l, h); }
        if (rows > 5) { c50 = clamp(c50, l, h); c51 = clamp(c51, l, h); }
      }
      let o = out;
      if (stored == 8) {
        v128.store(o, c00); v128.store(o, c01, 16);
        if (rows > 1) { o += second(rows, outBytes); v128.store(o, c10); v128.store(o, c11, 16); }
        if (rows > 2) { o += outBytes; v128.store(o, c20); v128.store(o, c21, 16); }
        if (rows > 3) { o += outBytes; v128.store(o, c30); v128.store(o, c31, 16); }
        if (rows > 4) { o += outBytes; v128.store(o, c40); v128.store(o, c41, 16); }
        if (rows > 5) { o += outBytes; v128.store(o, c50); v128.store(o, c51, 16); }
      } else {
        storePart(o, c00, c01, stored);
        if (rows > 1) { o += second(rows, outBytes); storePart(o, c10, c11, stored); }
        if (rows > 2) { o += outBytes; storePart(o, c20, c21, stored); }
        if (rows > 3) { o += outBytes; storePart(o, c30, c31, stored); }
        if (rows > 4) { o += outBytes; storePart(o, c40, c41, stored); }
        if (rows > 5) { o += outBytes; storePart(o, c50, c51, stored); }
      }
    }
    table = next;
    const size = <usize>(rows == 2 ? Tiles.size : rows);
    out += size * outBytes;
    if (sums) sums += size * sumsBytes;
    if (residual) residual += size * residualBytes;
  } while (--count);
}

/** The step to the second row: none where it is the first one once more. */
// @ts-ignore: decorator
@inline
function second(rows: i32, bytes: usize): usize {
  return rows == 2 && Tiles.size == 1 ? 0 : bytes;
}

/** Stores the first `lanes` (1 to 7) of two vectors. */
function storePart(to: usize, v0: v128, v1: v128, lanes: i32): void {
  storeLanes(to, v0, lanes);
  if (lanes > 4) storeLanes(to + 16, v1, lanes - 4);
}

// A function for each of them, so that each tiers up while the first convolution still runs.
function tiles2(count: i32, table: usize, panel: usize, out: usize): void {
  adjacentTiles(2, count, table, panel, out);
}
function tiles3(count: i32, table: usize, panel: usize, out: usize): void {
  adjacentTiles(3, count, table, panel, out);
}
function tiles4(count: i32, table: usize, panel: usize, out: usize): void {
  adjacentTiles(4, count, table, panel, out);
}
function tiles5(count: i32, table: usize, panel: usize, out: usize): void {
  adjacentTiles(5, count, table, panel, out);
}
function tiles6(count: i32, table: usize, panel: usize, out: usize): void {
  adjacentTiles(6, count, table, panel, out);
}

/** Tiles of `size` rows: see {@link adjacentTiles}. */
export function tilesOf(size: i32, count: i32, table: usize, panel: usize, out: usize): void {
  Tiles.size = size;
  switch (size) {
    case 1: case 2: tiles2(count, table, panel, out); break;
    case 3: tiles3(count, table, panel, out); break;
    case 4: tiles4(count, table, panel, out); break;
    case 5: tiles5(count, table, panel, out); break;
    default: tiles6(count, table, panel, out);
  }
}

/** Panels of {@link fourPanels}, a power of two. */
// @ts-ignore: decorator
@inline
export const ABREAST: i32 = 4;

/**
 * One pixel × four panels: the sums of `count` channels, from the bias on, and added to `Tiles.sums` where there are
 * some. One pixel has two dependent chains of sums, so the multiply-add's latency limits it, not memory. Four panels
 * give eight chains.
 *
 * @param a the first channel
 * @param panel the first panel's weights of that channel; the other panels are `panelBytes` apart
 * @param out 32 sums, densely
 */
export function fourPanels(count: i32, a: usize, panel: usize, panelBytes: usize, out: usize): void {
  const bias = Tiles.bias, sums = Tiles.sums;
  let c00 = f32x4.splat(0), c01 = c00, c10 = c00, c11 = c00, c20 = c00, c21 = c00, c30 = c00, c31 = c00;
  if (bias) {
    c00 = v128.load(bias); c01 = v128.load(bias, 16); c10 = v128.load(bias, 32); c11 = v128.load(bias, 48);
    c20 = v128.load(bias, 64); c21 = v128.load(bias, 80); c30 = v128.load(bias, 96); c31 = v128.load(bias, 112);
  }
  for (; count > 0; count--) {
    const x = v128.load32_splat(a);
    let p = panel;
    c00 = madd(c00, x, v128.load(p)); c01 = madd(c01, x, v128.load(p, 16)); p += panelBytes;
    c10 = madd(c10, x, v128.load(p)); c11 = madd(c11, x, v128.load(p, 16)); p += panelBytes;
    c20 = madd(c20, x, v128.load(p)); c21 = madd(c21, x, v128.load(p, 16)); p += panelBytes;
    c30 = madd(c30, x, v128.load(p)); c31 = madd(c31, x, v128.load(p, 16));
    a += 4;
    panel += 32;
  }
  if (sums) {
    c00 = f32x4.add(v128.load(sums), c00); c01 = f32x4.add(v128.load(sums, 16), c01);
    c10 = f32x4.add(v128.load(sums, 32), c10); c11 = f32x4.add(v128.load(sums, 48), c11);
    c20 = f32x4.add(v128.load(sums, 64), c20); c21 = f32x4.add(v128.load(sums, 80), c21);
    c30 = f32x4.add(v128.load(sums, 96), c30); c31 = f32x4.add(v128.load(sums, 112), c31);
  }
  v128.store(out, c00); v128.store(out, c01, 16); v128.store(out, c10, 32); v128.store(out, c11, 48);
  v128.store(out, c20, 64); v128.store(out, c21, 80); v128.store(out, c30, 96); v128.store(out, c31, 112);
}
