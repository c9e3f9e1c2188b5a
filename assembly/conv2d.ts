/**
 * Convolution as an indirect GEMM on channels-last rows (the scheme of XNNPACK's IGEMM, arXiv:1907.02129). A table of
 * addresses names, for each output pixel and filter tap, where its input channels begin. So padding, stride and
 * dilation cost nothing here. Linear layers are the case of one tap. Depthwise convolution is in dwconv2d.ts.
 *
 *     table    ┌ tile 0 ─────────────────────────────────────┬ tile 1 ┐
 *              │ tap 0: an address for each row │ tap 1: …   │ …      │
 *     weights  ┌ panel 0: output channels 0…7 ───────────────┬ panel 1 ┐
 *              │ tap 0: [channel 0: 8][channel 1: 8]… │ tap 1│ …       │
 */

import { activatePixels } from "./activation";
import { ABREAST, fourPanels, Tiles, tilesOf } from "./conv2d/tiles";
import { Cut, Runs } from "./conv2d/cut";
import { Epilogue } from "./epilogue";
import { CALL_TILES, CLAMP, HARDSWISH, MAX_TILE_ROWS, PANEL } from "./layout";
import { widenHalves } from "./simd";

/**
 * A call of {@link tilesOf} takes more than CALL_TILES tiles where channels are few: tiles times channels are up to
 * this. The reason is that a call costs the same however few products it has.
 */
const CALL_CHANNELS = 1024;

/**
 * Bytes of panels that are prefetched at once. Fewer bytes are there before memory is up to speed. More bytes evict
 * each other from the level-1 cache.
 */
// @ts-ignore: decorator
@inline
const PREFETCH_BYTES: usize = 32768;

/**
 * Convolution of `rows` output pixels: out = epilogue(bias + Σ x·w).
 *
 * Rows are cut into ceil(rows / tileRows) tiles whose sizes differ by at most one, and the channels of each group into
 * panels of eight. A call computes some tiles of some panels, so that threads can share the work. Tiles are taken in
 * blocks of `blockTiles`, all panels for each block, so that a block of the input stays in the cache.
 *
 * Each sum runs over taps, then channels, in ascending order, whatever the tile. It goes in runs of at most `run`
 * products. A run starts from zero (the first from the bias), and is then added to what the runs before it gave. A run
 * is as many whole taps as fit, or a part of one tap's channels. So of K products there are at most 2K / run + 1 runs.
 * With an error of 2⁻²⁴·Σ|x·w| for each product of the longest run and for each run, a sum is within (run + 2K / run +
 * 3)·2⁻²⁴·(|bias| + Σ|x·w|) of the exact one.
 *
 * @param rows output pixels of all images
 * @param channelsIn, channelsOut of one group
 * @param taps entries of the table for one pixel: kernel height × width, or kernel height where `channelsIn` is a
 *   filter row
 * @param tileRows 1 to MAX_TILE_ROWS
 * @param firstTile, lastTile the tiles to compute, the last excluded
 * @param firstPanel, lastPanel the panels to compute, the last excluded; those of all groups are numbered as one
 * @param run products that are added up one after the other, at most
 * @param adds 1 to add to what `out` holds
 * @param table from {@link f32_conv2d_table}: [tile][tap][tileRows] addresses; a tile whose first is 0 is left as it
 *   is, and gets no epilogue. Such a table is for calls without one whose `out` holds sums already
 * @param weights from f32_pack_conv2d: [group][panel][tap][channelsIn][8], `panelBytes` from panel to panel
 * @param wide 0; or, where weights are binary16s in the same order, taps · channelsIn · 8 floats that each panel is
 *   widened into before a block of tiles reads it
 * @param partial 0; or, where a sum has more than one run, PARTIAL_BYTES for the runs before the last
 * @param out the first pixel's first channel; `outBytes` from pixel to pixel; exactly groups·channelsOut floats are
 *   written in each, and with `adds` 28 bytes beyond a pixel's last channel may be read
 * @param bias ceil8(channelsOut) floats for each group, in the group's own panels; 0 for none
 * @param epilogue an {@link Epilogue} whose vectors are laid out as `bias`; its residual may be read 28 bytes beyond a
 *   pixel's last channel; 0 for none
 */
export function f32_conv2d(
  rows: i32, channelsIn: i32, channelsOut: i32, taps: i32,
  tileRows: i32, blockTiles: i32, firstTile: i32, lastTile: i32, firstPanel: i32, lastPanel: i32, run: i32, adds: i32,
  table: usize, weights: usize, panelBytes: usize, wide: usize, partial: usize, out: usize, outBytes: usize,
  bias: usize, epilogue: usize,
): void {
  assert(rows > 0 && channelsIn > 0 && channelsOut > 0 && taps > 0, "sizes are positive");
  assert(tileRows >= 1 && tileRows <= MAX_TILE_ROWS && blockTiles > 0 && run > 0, "the schedule is in range");
  const tiles = Cut.into(rows, tileRows);
  assert(firstTile >= 0 && lastTile <= tiles && firstPanel >= 0, "tiles and panels are there");
  const panels = (channelsOut + 7) >> 3;
  const isOneRun = Runs.into(taps, channelsIn, run);
  Runs.partial = partial;
  assert(isOneRun || partial != 0, "runs before the last have a place");
  // Sums of several runs lie in `partial`, which has room for CALL_TILES.
  const callTiles = isOneRun ? max(CALL_TILES, CALL_CHANNELS / channelsIn) : CALL_TILES;
  const panelStep = <usize>channelsIn << 5;
  const tileBytes = (<usize>tileRows << 2) * <usize>taps;
  const residual = epilogue ? changetype<Epilogue>(epilogue).residual : 0;
  const residualBytes = epilogue ? changetype<Epilogue>(epilogue).residualBytes : 0;
  // One pixel goes by four panels abreast: see onePixel. Its sums lie in `out` before the epilogue. So `out` may hold
  // nothing that is still to be read: no terms to add to, and no residual, which may lie in `out`. The panels have to
  // lie there as float32, since `wide` has room for one of them. They have to be of one group, since each group has
  // input channels of its own.
  const isPixel = rows == 1 && taps == 1 && !wide && !adds && !residual && lastPanel <= panels;
  // Panels before this one go in fours, of which each stores all eight channels.
  const abreastEnd = firstPanel + ((min(lastPanel, channelsOut >> 3) - firstPanel) & -ABREAST);
  // Where the last panel that is read ends: nothing is prefetched beyond.
  const weightsEnd = weights + <usize>(lastPanel - 1) * panelBytes + <usize>taps * panelStep;
  Tiles.tileBytes = tileBytes;
  Tiles.tapBytes = <usize>tileRows << 2;
  Tiles.residualBytes = residualBytes;
  for (let first = firstTile; first < lastTile; first += blockTiles) {
    const last = min(first + blockTiles, lastTile);
    const row = <usize>Cut.rowOf(first);
    let prefetched: usize = 0;
    for (let panel = firstPanel; panel < lastPanel; panel++) {
      const group = panel / panels, panelOfGroup = panel - group * panels;
      const outOffset = <usize>(group * channelsOut + panelOfGroup * PANEL) << 2;
      let w = weights + <usize>panel * panelBytes;
      if (wide) {
        widenHalves((channelsIn * taps) << 3, w, wide);
        w = wide;
      } else if (last - first > 1 && w >= prefetched) {
        // A prefetch: WASM has no instruction for it, so one word of each cache line is loaded and dropped. Lines that
        // are loaded at once arrive sooner than one by one under the first tile. A lone tile has nothing to gain by it.
        prefetched = min(w + max(panelBytes, PREFETCH_BYTES), weightsEnd);
        for (let at = w; at < prefetched; at += 64) load<u32>(at);
      }
      setPanel(min(PANEL, channelsOut - panelOfGroup * PANEL), panel, bias, epilogue);
      // onePixel and manyRuns change these. manyRuns restores the rest of what it changes.
      Tiles.inOffset = <usize>(group * channelsIn) << 2;
      Tiles.panelStep = panelStep;
      Tiles.runBytes = tileBytes;
      Tiles.outBytes = outBytes;
      let o = out + outOffset + row * outBytes;
      let r = residual + outOffset + row * residualBytes;
      let t = table + <usize>first * tileBytes;
      if (isPixel && panel < abreastEnd) {
        onePixel(t, w, panelBytes, o, (panel - firstPanel) & (ABREAST - 1));
        continue;
      }
      for (let i = first; i < last;) {
        const size = Cut.sizeOf(i);
        // A call takes tiles of one size.
        const end = i < Cut.larger ? min(last, Cut.larger) : last;
        const count = min(end - i, callTiles);
        Tiles.sums = adds ? o : 0;
        Tiles.sumsBytes = outBytes;
        Tiles.residual = residual ? r : 0;
        if (isOneRun) tilesOf(size, count, t, w, o);
        else manyRuns(size, count, t, w, o);
        activateTiles(count * size, o);
        i += count;
        t += <usize>count * tileBytes;
        o += <usize>(count * size) * outBytes;
        r += <usize>(count * size) * residualBytes;
      }
    }
  }
}

/**
 * Tells the tiles of a panel's bias and epilogue, but for the residual.
 *
 * @param stored how many of the panel's channels there are
 */
function setPanel(stored: i32, panel: i32, bias: usize, epilogue: usize): void {
  const at = <usize>panel << 5;
  Tiles.stored = stored;
  Tiles.bias = bias ? bias + at : 0;
  if (epilogue) {
    const record = changetype<Epilogue>(epilogue);
    Tiles.scale = record.scale ? record.scale + at : 0;
    Tiles.shift = record.shift + at;
    Tiles.activation = record.activation;
    Tiles.lo = record.lo;
    Tiles.hi = record.hi;
  } else noEpilogue();
}

/**
 * Applies an activation that tiles don't have in registers to `rows` pixels of a panel. It takes all pixels of a call
 * of {@link tilesOf} at once, since making an activation's numbers ready takes as long as activating a tile.
 */
function activateTiles(rows: i32, out: usize): void {
  const activation = Tiles.activation;
  if (activation > HARDSWISH) activatePixels(rows, Tiles.stored, out, Tiles.outBytes, activation);
}

/** Tells the tiles to store their sums as they are. */
function noEpilogue(): void {
  Tiles.scale = 0;
  Tiles.residual = 0;
  Tiles.activation = CLAMP;
  Tiles.lo = -Infinity;
  Tiles.hi = Infinity;
}

/**
 * One panel of one pixel. The first of four panels adds up all four, without the last input channel. {@link fourPanels}
 * has no epilogue, and a tile has one. So the last channel goes through a tile of one row, whose bias is the sums so
 * far.
 *
 * @param ofFour which of the four panels it is
 */
function onePixel(table: usize, weights: usize, panelBytes: usize, out: usize, ofFour: i32): void {
  const channels = Runs.channels, channelsOfRun = Runs.channelsOfRun, partial = Runs.partial;
  const lastRunStart = (channels - 1) / channelsOfRun * channelsOfRun;
  if (ofFour == 0) {
    const x = load<usize>(table);
    Tiles.sums = 0;
    for (let c = 0; c < lastRunStart; c += channelsOfRun) {
      fourPanels(channelsOfRun, x + (<usize>c << 2), weights + (<usize>c << 5), panelBytes, partial);
      Tiles.sums = partial;
      Tiles.bias = 0;
    }
    Tiles.sums = 0;
    const start = <usize>lastRunStart;
    fourPanels(channels - 1 - lastRunStart, x + (start << 2), weights + (start << 5), panelBytes, out);
  }
  // The last channel goes on from the sums in `out` as from a bias.
  Tiles.bias = out;
  Tiles.sums = lastRunStart > 0 ? partial + (<usize>ofFour << 5) : 0;
  Tiles.sumsBytes = 0;
  Tiles.residual = 0;
  Tiles.inOffset = <usize>(channels - 1) << 2;
  Tiles.panelStep = 32;
  tilesOf(1, 1, table, weights + (<usize>(channels - 1) << 5), out);
  activateTiles(1, out);
}

/**
 * Tiles whose sums have several runs. `Runs.partial` holds the sums, densely, until the last run takes them to the
 * epilogue.
 */
function manyRuns(size: i32, count: i32, table: usize, weights: usize, out: usize): void {
  const taps = Runs.taps, channels = Runs.channels, partial = Runs.partial;
  const tapsOfRun = Runs.tapsOfRun, channelsOfRun = Runs.channelsOfRun;
  const firstOffset = Tiles.inOffset, outBytes = Tiles.outBytes, stored = Tiles.stored, bias = Tiles.bias;
  const scale = Tiles.scale, residual = Tiles.residual, activation = Tiles.activation, lo = Tiles.lo, hi = Tiles.hi;
  Tiles.outBytes = 32;
  Tiles.stored = PANEL;
  noEpilogue();
  for (let tap = 0; tap < taps; tap += tapsOfRun) {
    Tiles.runBytes = Tiles.tapBytes * <usize>min(tapsOfRun, taps - tap);
    const t = table + <usize>tap * Tiles.tapBytes;
    for (let c = 0; c < channels; c += channelsOfRun) {
      Tiles.inOffset = firstOffset + (<usize>c << 2);
      Tiles.panelStep = <usize>min(channelsOfRun, channels - c) << 5;
      const w = weights + (<usize>(tap * channels + c) << 5);
      if (tap + tapsOfRun >= taps && c + channelsOfRun >= channels) {
        Tiles.outBytes = outBytes;
        Tiles.stored = stored;
        Tiles.scale = scale;
        Tiles.residual = residual;
        Tiles.activation = activation;
        Tiles.lo = lo;
        Tiles.hi = hi;
        tilesOf(size, count, t, w, out);
      } else tilesOf(size, count, t, w, partial);
      Tiles.sums = partial;
      Tiles.sumsBytes = 32;
      Tiles.bias = 0;
    }
  }
  Tiles.inOffset = firstOffset;
  Tiles.bias = bias;
}

/**
 * Writes the table that {@link f32_conv2d} reads: for each tile, tap and row of the tile, the address of the tap's
 * pixel, or `zeros` where the tap lies in the padding.
 *
 * @param images, height, width of the input; outHeight, outWidth of the output
 * @param skipsPadding 1 to begin a tile that lies in the padding altogether with 0, so that f32_conv2d leaves it out
 * @param x the first pixel; `pixelBytes` from pixel to pixel, rows and images dense
 * @param zeros as many zero bytes as one pixel has
 * @param table ceil(rows / tileRows) · kernelHeight · kernelWidth · tileRows addresses of 4 bytes
 */
export function f32_conv2d_table(
  images: i32, height: i32, width: i32, outHeight: i32, outWidth: i32,
  kernelHeight: i32, kernelWidth: i32, strideHeight: i32, strideWidth: i32, top: i32, left: i32,
  dilationHeight: i32, dilationWidth: i32, tileRows: i32, skipsPadding: i32,
  x: usize, pixelBytes: usize, zeros: usize, table: usize,
): void {
  const area = outHeight * outWidth;
  const rows = images * area;
  const tiles = Cut.into(rows, tileRows);
  const tapStep = <usize>tileRows << 2;
  let image = 0, oy = 0, ox = 0;
  for (let t = 0; t < tiles; t++) {
    const size = Cut.sizeOf(t);
    let reached = !skipsPadding;
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
      if (++ox == outWidth) {
        ox = 0;
        if (++oy == outHeight) { oy = 0; image++; }
      }
    }
    if (!reached) store<usize>(table, 0);
    table += tapStep * <usize>(kernelHeight * kernelWidth);
  }
}
