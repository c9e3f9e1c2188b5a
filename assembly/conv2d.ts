/**
 * Convolution as an indirect GEMM on channels-last rows (the scheme of XNNPACK's IGEMM, arXiv:1907.02129): a table of
 * addresses names, for each output pixel and filter tap, where its input channels begin, so that padding, stride and
 * dilation cost nothing here. Linear layers are the case of one tap. Depthwise convolution is in dwconv2d.ts.
 */

import { activatePixels, clamp, hardswish } from "./epilogue";
import { madd, storeLanes, widenHalves } from "./simd";

/** Tiles that one call computes at most, and more of few channels: a running call isn't replaced by faster code. */
const CALL_TILES = 16, CALL_CHANNELS = 1024;

/** Rows of the largest tile. Without fused multiply-adds, products take registers of their own. */
// @ts-ignore: decorator
@inline
const MAX_TILE_ROWS: i32 = ASC_FEATURE_RELAXED_SIMD ? 6 : 5;

/** Bytes of panels that are asked for at once: fewer end before memory is up to speed, more drive each other out of the first-level cache. */
// @ts-ignore: decorator
@inline
const ASKED_BYTES: usize = 32768;

/**
 * Tiles that follow each other: each is `rows` (1 to 6, a constant) output pixels × 8 output channels, some taps, then `sums` where there are
 * some, then the epilogue. A tile's addresses are `tableBytes` from the next one's, of which those of `tapBytes` are used.
 *
 * The loop over channels takes rows in descending order, in two steps with a way out between them: other forms spill registers on V8
 * before 13, which gathers the loads of what isn't cut into blocks; and one step has so many instructions around its products that
 * decoding them takes longer. `o1`…`o5` are distances from row 0, so that one pointer moves.
 */
// @ts-ignore: decorator
@inline
function adjacentTiles(
  rows: i32, count: i32, table: usize, tableBytes: usize, tapBytes: usize, tableStep: usize, panelStep: usize, group: usize, panel: usize,
  out: usize, outBytes: usize, lanes: i32,
  sums: usize, sumsBytes: usize, bias: usize, scale: usize, shift: usize, residual: usize, residualBytes: usize, activation: i32, lo: f32, hi: f32,
): void {
  do {
    const next = table + tableBytes, tableEnd = table + tapBytes;
    if (load<usize>(table)) {
      let bias0 = f32x4.splat(0), bias1 = f32x4.splat(0);
      if (bias) { bias0 = v128.load(bias); bias1 = v128.load(bias, 16); }
      let c00 = bias0, c01 = bias1, c10 = bias0, c11 = bias1, c20 = bias0, c21 = bias1;
      let c30 = bias0, c31 = bias1, c40 = bias0, c41 = bias1, c50 = bias0, c51 = bias1;
      let weights = panel;
      do {
        let a = load<usize>(table);
        let o1: usize = 0, o2: usize = 0, o3: usize = 0, o4: usize = 0, o5: usize = 0;
        if (rows > 1) o1 = load<usize>(table, 4) - a;
        if (rows > 2) o2 = load<usize>(table, 8) - a;
        if (rows > 3) o3 = load<usize>(table, 12) - a;
        if (rows > 4) o4 = load<usize>(table, 16) - a;
        if (rows > 5) o5 = load<usize>(table, 20) - a;
        a += group;
        const end = weights + panelStep;
        do {
          {
            const b0 = v128.load(weights), b1 = v128.load(weights, 16);
            if (rows > 5) { const x = v128.load32_splat(a + o5); c50 = madd(c50, x, b0); c51 = madd(c51, x, b1); }
            if (rows > 4) { const x = v128.load32_splat(a + o4); c40 = madd(c40, x, b0); c41 = madd(c41, x, b1); }
            if (rows > 3) { const x = v128.load32_splat(a + o3); c30 = madd(c30, x, b0); c31 = madd(c31, x, b1); }
            if (rows > 2) { const x = v128.load32_splat(a + o2); c20 = madd(c20, x, b0); c21 = madd(c21, x, b1); }
            if (rows > 1) { const x = v128.load32_splat(a + o1); c10 = madd(c10, x, b0); c11 = madd(c11, x, b1); }
            const x = v128.load32_splat(a); c00 = madd(c00, x, b0); c01 = madd(c01, x, b1);
          }
          if (weights + 32 >= end) break;
          {
            const b0 = v128.load(weights, 32), b1 = v128.load(weights, 48);
            if (rows > 5) { const x = v128.load32_splat(a + o5, 4); c50 = madd(c50, x, b0); c51 = madd(c51, x, b1); }
            if (rows > 4) { const x = v128.load32_splat(a + o4, 4); c40 = madd(c40, x, b0); c41 = madd(c41, x, b1); }
            if (rows > 3) { const x = v128.load32_splat(a + o3, 4); c30 = madd(c30, x, b0); c31 = madd(c31, x, b1); }
            if (rows > 2) { const x = v128.load32_splat(a + o2, 4); c20 = madd(c20, x, b0); c21 = madd(c21, x, b1); }
            if (rows > 1) { const x = v128.load32_splat(a + o1, 4); c10 = madd(c10, x, b0); c11 = madd(c11, x, b1); }
            const x = v128.load32_splat(a, 4); c00 = madd(c00, x, b0); c01 = madd(c01, x, b1);
          }
          a += 8;
          weights += 64;
        } while (weights < end);
        weights = end;
        table += tableStep;
      } while (table < tableEnd);
      if (sums) {
        let s = sums;
        c00 = f32x4.add(v128.load(s), c00); c01 = f32x4.add(v128.load(s, 16), c01);
        if (rows > 1) { s += sumsBytes; c10 = f32x4.add(v128.load(s), c10); c11 = f32x4.add(v128.load(s, 16), c11); }
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
        if (rows > 1) { r += residualBytes; c10 = f32x4.add(c10, v128.load(r)); c11 = f32x4.add(c11, v128.load(r, 16)); }
        if (rows > 2) { r += residualBytes; c20 = f32x4.add(c20, v128.load(r)); c21 = f32x4.add(c21, v128.load(r, 16)); }
        if (rows > 3) { r += residualBytes; c30 = f32x4.add(c30, v128.load(r)); c31 = f32x4.add(c31, v128.load(r, 16)); }
        if (rows > 4) { r += residualBytes; c40 = f32x4.add(c40, v128.load(r)); c41 = f32x4.add(c41, v128.load(r, 16)); }
        if (rows > 5) { r += residualBytes; c50 = f32x4.add(c50, v128.load(r)); c51 = f32x4.add(c51, v128.load(r, 16)); }
      }
      if (activation == 1) {
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
      if (lanes == 8) {
        v128.store(o, c00); v128.store(o, c01, 16);
        if (rows > 1) { o += outBytes; v128.store(o, c10); v128.store(o, c11, 16); }
        if (rows > 2) { o += outBytes; v128.store(o, c20); v128.store(o, c21, 16); }
        if (rows > 3) { o += outBytes; v128.store(o, c30); v128.store(o, c31, 16); }
        if (rows > 4) { o += outBytes; v128.store(o, c40); v128.store(o, c41, 16); }
        if (rows > 5) { o += outBytes; v128.store(o, c50); v128.store(o, c51, 16); }
      } else {
        storePart(o, c00, c01, lanes);
        if (rows > 1) { o += outBytes; storePart(o, c10, c11, lanes); }
        if (rows > 2) { o += outBytes; storePart(o, c20, c21, lanes); }
        if (rows > 3) { o += outBytes; storePart(o, c30, c31, lanes); }
        if (rows > 4) { o += outBytes; storePart(o, c40, c41, lanes); }
        if (rows > 5) { o += outBytes; storePart(o, c50, c51, lanes); }
      }
      if (activation > 1) activatePixels(rows, lanes, out, outBytes, activation);
    }
    table = next;
    out += <usize>rows * outBytes;
    if (sums) sums += <usize>rows * sumsBytes;
    if (residual) residual += <usize>rows * residualBytes;
  } while (--count);
}

/** Panels of {@link fourPanels}, a power of two. */
// @ts-ignore: decorator
@inline
const ABREAST: i32 = 4;

/**
 * One pixel × four panels: the sums of `count` channels, from the bias on, and added to `sums` where there are some. A tile of one pixel by
 * itself waits for each of its sums, by fused multiply-adds longer than memory takes.
 */
function fourPanels(count: i32, a: usize, panel: usize, panelBytes: usize, out: usize, sums: usize, bias: usize): void {
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

/** Stores the first `lanes` (1 to 7) of two vectors. */
function storePart(to: usize, v0: v128, v1: v128, lanes: i32): void {
  storeLanes(to, v0, lanes);
  if (lanes > 4) storeLanes(to + 16, v1, lanes - 4);
}

// Functions of their own, so that each tiers up while the first convolution still runs.
function tiles1(count: i32, table: usize, tableBytes: usize, tapBytes: usize, tableStep: usize, panelStep: usize, group: usize, panel: usize, out: usize, outBytes: usize, lanes: i32, sums: usize, sumsBytes: usize, bias: usize, scale: usize, shift: usize, residual: usize, residualBytes: usize, activation: i32, lo: f32, hi: f32): void {
  adjacentTiles(1, count, table, tableBytes, tapBytes, tableStep, panelStep, group, panel, out, outBytes, lanes, sums, sumsBytes, bias, scale, shift, residual, residualBytes, activation, lo, hi);
}
function tiles2(count: i32, table: usize, tableBytes: usize, tapBytes: usize, tableStep: usize, panelStep: usize, group: usize, panel: usize, out: usize, outBytes: usize, lanes: i32, sums: usize, sumsBytes: usize, bias: usize, scale: usize, shift: usize, residual: usize, residualBytes: usize, activation: i32, lo: f32, hi: f32): void {
  adjacentTiles(2, count, table, tableBytes, tapBytes, tableStep, panelStep, group, panel, out, outBytes, lanes, sums, sumsBytes, bias, scale, shift, residual, residualBytes, activation, lo, hi);
}
function tiles3(count: i32, table: usize, tableBytes: usize, tapBytes: usize, tableStep: usize, panelStep: usize, group: usize, panel: usize, out: usize, outBytes: usize, lanes: i32, sums: usize, sumsBytes: usize, bias: usize, scale: usize, shift: usize, residual: usize, residualBytes: usize, activation: i32, lo: f32, hi: f32): void {
  adjacentTiles(3, count, table, tableBytes, tapBytes, tableStep, panelStep, group, panel, out, outBytes, lanes, sums, sumsBytes, bias, scale, shift, residual, residualBytes, activation, lo, hi);
}
function tiles4(count: i32, table: usize, tableBytes: usize, tapBytes: usize, tableStep: usize, panelStep: usize, group: usize, panel: usize, out: usize, outBytes: usize, lanes: i32, sums: usize, sumsBytes: usize, bias: usize, scale: usize, shift: usize, residual: usize, residualBytes: usize, activation: i32, lo: f32, hi: f32): void {
  adjacentTiles(4, count, table, tableBytes, tapBytes, tableStep, panelStep, group, panel, out, outBytes, lanes, sums, sumsBytes, bias, scale, shift, residual, residualBytes, activation, lo, hi);
}
function tiles5(count: i32, table: usize, tableBytes: usize, tapBytes: usize, tableStep: usize, panelStep: usize, group: usize, panel: usize, out: usize, outBytes: usize, lanes: i32, sums: usize, sumsBytes: usize, bias: usize, scale: usize, shift: usize, residual: usize, residualBytes: usize, activation: i32, lo: f32, hi: f32): void {
  adjacentTiles(5, count, table, tableBytes, tapBytes, tableStep, panelStep, group, panel, out, outBytes, lanes, sums, sumsBytes, bias, scale, shift, residual, residualBytes, activation, lo, hi);
}
function tiles6(count: i32, table: usize, tableBytes: usize, tapBytes: usize, tableStep: usize, panelStep: usize, group: usize, panel: usize, out: usize, outBytes: usize, lanes: i32, sums: usize, sumsBytes: usize, bias: usize, scale: usize, shift: usize, residual: usize, residualBytes: usize, activation: i32, lo: f32, hi: f32): void {
  adjacentTiles(6, count, table, tableBytes, tapBytes, tableStep, panelStep, group, panel, out, outBytes, lanes, sums, sumsBytes, bias, scale, shift, residual, residualBytes, activation, lo, hi);
}

/**
 * Convolution of `rows` output pixels: out = act((bias + Σ x·w)·scale + shift + residual), act being an activation of epilogue.ts.
 *
 * Rows are cut into ceil(rows / tileRows) tiles whose sizes differ by at most one, and the channels of each group into panels of
 * eight. A call computes some tiles of some panels, so that threads can share the work. Tiles are taken in blocks of `blockTiles`, all
 * panels for each block, so that a block of the input stays in the cache.
 *
 * Each sum runs over taps, then channels, in ascending order, whatever the tile: in runs of at most `run` products, each of which starts from
 * zero (the first from the bias) and is then added to what the runs before it gave. A run is as many whole taps as fit, or a part of one
 * tap's channels. So of K products there are at most 2K / run + 1 runs, and with an error of 2⁻²⁴·Σ|x·w| for each product of the longest run
 * and for each run, a sum is within (run + 2K / run + 3)·2⁻²⁴·(|bias| + Σ|x·w|) of the exact one.
 *
 * @param rows output pixels of all images
 * @param channelsIn, channelsOut of one group
 * @param taps entries of the table for one pixel: kernel height × width, or kernel height where `channelsIn` is a filter row
 * @param tileRows 1 to 6; to 5 in the simd binary
 * @param firstTile, lastTile the tiles to compute, the last excluded
 * @param firstPanel, lastPanel the panels to compute, the last excluded; those of all groups are numbered as one
 * @param run products that are added up one after the other, at most
 * @param sums 1 to add to the sums in `out`
 * @param table from {@link f32_conv2d_table}: [tile][tap][tileRows] addresses; a tile whose first is 0 is left as it is
 * @param weights from f32_pack_conv2d: [group][panel][tap][channelsIn][8], `panelBytes` from panel to panel
 * @param wide 0; or, where weights are binary16s in the same order, taps · channelsIn · 8 floats that each panel is widened into before
 *   a block of tiles reads it
 * @param partial 0; or, where a sum has more than one run, 3072 bytes for the runs before the last
 * @param out the first pixel's first channel; `outBytes` from pixel to pixel; exactly groups·channelsOut floats are written in each,
 *   and with `sums` 28 bytes beyond a pixel's last channel may be read
 * @param bias, scale, shift groups × ceil8(channelsOut) floats, each group's in its own panels; bias and scale 0 for none
 * @param residual 0 for none; laid out as `out`; may be read 28 bytes beyond a pixel's last channel
 */
export function f32_conv2d(
  rows: i32, channelsIn: i32, channelsOut: i32, taps: i32,
  tileRows: i32, blockTiles: i32, firstTile: i32, lastTile: i32, firstPanel: i32, lastPanel: i32, run: i32, sums: i32,
  table: usize, weights: usize, panelBytes: usize, wide: usize, partial: usize, out: usize, outBytes: usize,
  bias: usize, scale: usize, shift: usize, residual: usize, residualBytes: usize, activation: i32, lo: f32, hi: f32,
): void {
  assert(rows > 0 && channelsIn > 0 && channelsOut > 0 && taps > 0, "sizes are positive");
  assert(tileRows >= 1 && tileRows <= MAX_TILE_ROWS && blockTiles > 0 && run > 0, "the schedule is in range");
  const tiles = (rows + tileRows - 1) / tileRows;
  const base = rows / tiles;
  const larger = rows - base * tiles;
  assert(firstTile >= 0 && lastTile <= tiles && firstPanel >= 0, "tiles and panels are there");
  const panels = (channelsOut + 7) >> 3;
  // Runs: of several taps, or each of the same part of a tap's channels.
  const parts = (channelsIn + run - 1) / run;
  const runChannels = (channelsIn + parts - 1) / parts;
  const runTaps = parts > 1 ? 1 : min(taps, run / channelsIn);
  const isOneRun = parts == 1 && runTaps == taps;
  assert(isOneRun || partial != 0, "runs before the last have a place");
  const callTiles = isOneRun ? max(CALL_TILES, CALL_CHANNELS / channelsIn) : CALL_TILES;
  const panelStep = <usize>channelsIn << 5;
  const tableStep = <usize>tileRows << 2;
  const tileTable = tableStep * <usize>taps;
  const isPixel = ASC_FEATURE_RELAXED_SIMD && rows == 1 && taps == 1 && !wide && !sums && !residual && lastPanel <= panels;
  const abreastEnd = firstPanel + ((min(lastPanel, channelsOut >> 3) - firstPanel) & -ABREAST);
  // No panel is asked for beyond what is read of the last one.
  const weightsEnd = weights + <usize>(lastPanel - 1) * panelBytes + <usize>taps * panelStep;
  for (let first = firstTile; first < lastTile; first += blockTiles) {
    const last = min(first + blockTiles, lastTile);
    const row = <usize>(first * base + min(first, larger));
    let asked: usize = 0;
    for (let panel = firstPanel; panel < lastPanel; panel++) {
      const g = panel / panels, p = panel - g * panels;
      const groupIn = <usize>(g * channelsIn) << 2;
      const lanes = min(8, channelsOut - (p << 3));
      const channel = <usize>(g * channelsOut + (p << 3)) << 2;
      let w = weights + <usize>panel * panelBytes;
      if (wide) {
        widenHalves((channelsIn * taps) << 3, w, wide);
        w = wide;
      } else if (last - first > 1 && w >= asked) {
        // Panels come from afar: lines asked for at once arrive sooner than one by one under the first tile.
        asked = min(w + max(panelBytes, ASKED_BYTES), weightsEnd);
        for (let at = w; at < asked; at += 64) load<u32>(at);
      }
      let b = bias ? bias + (<usize>panel << 5) : 0;
      const s = scale ? scale + (<usize>panel << 5) : 0;
      const h = shift + (<usize>panel << 5);
      let o = out + channel + row * outBytes;
      let r = residual ? residual + channel + row * residualBytes : 0;
      let t = table + <usize>first * tileTable;
      let a = groupIn, channels = channelsIn, before: usize = 0;
      if (isPixel && panel < abreastEnd) {
        const lastRun = (parts - 1) * runChannels, ofFour = (panel - firstPanel) & (ABREAST - 1);
        if (ofFour == 0) {
          const x = load<usize>(t);
          for (let c = 0; c <= lastRun; c += runChannels) {
            const isLast = c == lastRun;
            fourPanels(
              isLast ? channelsIn - 1 - c : runChannels, x + (<usize>c << 2), w + (<usize>c << 5), panelBytes,
              isLast ? o : partial, c > 0 && !isLast ? partial : 0, c > 0 ? 0 : b,
            );
          }
        }
        // What is left is the last channel, from what is in `out` on as from a bias.
        a = <usize>(channelsIn - 1) << 2;
        w += panelStep - 32;
        channels = 1;
        b = o;
        if (lastRun > 0) before = partial + (<usize>ofFour << 5);
      }
      for (let i = first; i < last;) {
        const size = base + i32(i < larger);
        const ofSize = (i < larger ? min(last, larger) : last) - i;
        const count = min(ofSize, callTiles);
        tilesOf(size, count, t, taps, tableStep, channels, runTaps, runChannels, a, w, o, outBytes, lanes, sums ? o : before, partial, b, s, h, r, residualBytes, activation, lo, hi);
        i += count;
        t += <usize>count * tileTable;
        o += <usize>(count * size) * outBytes;
        if (r) r += <usize>(count * size) * residualBytes;
      }
    }
  }
}

/**
 * Tiles, run by run: `partial` holds their sums, densely, until the last run takes them to the epilogue.
 *
 * @param sums what the first run is added to; 0 for none
 */
function tilesOf(
  size: i32, count: i32, table: usize, taps: i32, tableStep: usize, channelsIn: i32, runTaps: i32, runChannels: i32, group: usize, panel: usize,
  out: usize, outBytes: usize, lanes: i32, sums: usize, partial: usize,
  bias: usize, scale: usize, shift: usize, residual: usize, residualBytes: usize, activation: i32, lo: f32, hi: f32,
): void {
  const tableBytes = tableStep * <usize>taps;
  let sumsBytes = outBytes;
  for (let tap = 0; tap < taps; tap += runTaps) {
    const tapBytes = tableStep * <usize>min(runTaps, taps - tap);
    for (let c = 0; c < channelsIn; c += runChannels) {
      const isLast = tap + runTaps >= taps && c + runChannels >= channelsIn;
      const panelStep = <usize>min(runChannels, channelsIn - c) << 5;
      const a = group + (<usize>c << 2);
      const o = isLast ? out : partial, bytes = isLast ? outBytes : 32, stored = isLast ? lanes : 8;
      const s = isLast ? scale : 0, r = isLast ? residual : 0, act = isLast ? activation : 0;
      const l = isLast ? lo : f32(-Infinity), h = isLast ? hi : f32(Infinity);
      switch (size) {
        case 1: tiles1(count, table, tableBytes, tapBytes, tableStep, panelStep, a, panel, o, bytes, stored, sums, sumsBytes, bias, s, shift, r, residualBytes, act, l, h); break;
        case 2: tiles2(count, table, tableBytes, tapBytes, tableStep, panelStep, a, panel, o, bytes, stored, sums, sumsBytes, bias, s, shift, r, residualBytes, act, l, h); break;
        case 3: tiles3(count, table, tableBytes, tapBytes, tableStep, panelStep, a, panel, o, bytes, stored, sums, sumsBytes, bias, s, shift, r, residualBytes, act, l, h); break;
        case 4: tiles4(count, table, tableBytes, tapBytes, tableStep, panelStep, a, panel, o, bytes, stored, sums, sumsBytes, bias, s, shift, r, residualBytes, act, l, h); break;
        default:
          if (MAX_TILE_ROWS < 6 || size == 5) tiles5(count, table, tableBytes, tapBytes, tableStep, panelStep, a, panel, o, bytes, stored, sums, sumsBytes, bias, s, shift, r, residualBytes, act, l, h);
          else tiles6(count, table, tableBytes, tapBytes, tableStep, panelStep, a, panel, o, bytes, stored, sums, sumsBytes, bias, s, shift, r, residualBytes, act, l, h);
      }
      // Of several taps' run, the panel's next part begins where all of them end.
      panel += panelStep * <usize>min(runTaps, taps - tap);
      sums = partial;
      sumsBytes = 32;
      bias = 0;
    }
    table += tapBytes;
  }
}

/**
 * Writes the table that {@link f32_conv2d} reads: for each tile, tap and row of the tile, the address of the tap's pixel,
 * or `zeros` where the tap lies in the padding.
 *
 * @param skips 1 to begin a tile that lies in the padding altogether with 0, so that f32_conv2d leaves it out
 *
 * @param images, height, width of the input; outHeight, outWidth of the output
 * @param x the first pixel; `pixelBytes` from pixel to pixel, rows and images dense
 * @param zeros as many zero bytes as one pixel has
 * @param table ceil(rows / tileRows) · kernelHeight · kernelWidth · tileRows addresses of 4 bytes
 */
export function f32_conv2d_table(
  images: i32, height: i32, width: i32, outHeight: i32, outWidth: i32,
  kernelHeight: i32, kernelWidth: i32, strideHeight: i32, strideWidth: i32, top: i32, left: i32,
  dilationHeight: i32, dilationWidth: i32, tileRows: i32, skips: i32,
  x: usize, pixelBytes: usize, zeros: usize, table: usize,
): void {
  const area = outHeight * outWidth;
  const rows = images * area;
  const tiles = (rows + tileRows - 1) / tileRows;
  const base = rows / tiles;
  const larger = rows - base * tiles;
  const tapStep = <usize>tileRows << 2;
  let row = 0, image = 0, oy = 0, ox = 0;
  for (let t = 0; t < tiles; t++) {
    const size = base + i32(t < larger);
    let reached = !skips;
    for (let i = 0; i < size; i++) {
      let at = table + (<usize>i << 2);
      const y0 = oy * strideHeight - top, x0 = ox * strideWidth - left;
      for (let ky = 0; ky < kernelHeight; ky++) {
        const iy = y0 + ky * dilationHeight;
        const rowAt = x + <usize>((image * height + iy) * width) * pixelBytes;
        for (let kx = 0; kx < kernelWidth; kx++) {
          const ix = x0 + kx * dilationWidth;
          const inside = iy >= 0 && iy < height && ix >= 0 && ix < width;
          reached = reached || inside;
          store<usize>(at, inside ? rowAt + <usize>ix * pixelBytes : zeros);
          at += tapStep;
        }
      }
      row++;
      if (++ox == outWidth) {
        ox = 0;
        if (++oy == outHeight) { oy = 0; image++; }
      }
    }
    if (!reached) store<usize>(table, 0);
    table += tapStep * <usize>(kernelHeight * kernelWidth);
  }
}
