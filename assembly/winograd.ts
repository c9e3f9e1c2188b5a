/**
 * Minimal filtering for 3×3 kernels: the transforms of tiles and weights. The products between them are f32_conv2d,
 * with one group for each of the transform's points. A dilated convolution is one on each of its sub-grids.
 *
 * Each transform has a file of its own in winograd/, with its matrices: input Bᵀ·d·B, weight G·g·Gᵀ, output Aᵀ·m·A. The
 * kernels here know a transform by its side, the number of its points along one: src/ops/conv2d/transforms.ts.
 *
 * A weight's two sides are one function. An input's and an output's are written out, for columns and then for rows. The
 * reason is measured: one inlined function for both sides of an output takes up to 60 bytes more to ship, and a
 * function that is called takes up to 1.8 times as long. An input's sides differ in more. Columns are read by the
 * pixels' addresses, and with the constants that stay in registers a function would have more than five parameters.
 */

import { activatePixels } from "./activation";
import { activate, Epilogue } from "./epilogue";
import { HARDSWISH, TILE_PLACE_BYTES } from "./layout";
import { madd } from "./simd";
import { input2, output2, weights2 } from "./winograd/f2";
import { input3, output3, weights3 } from "./winograd/f3";
import { input4, output4, weights4 } from "./winograd/f4";
import { inputStrided, outputStrided, weightsStrided } from "./winograd/strided";
import { inputToeplitz, outputToeplitz, weightsToeplitz } from "./winograd/toeplitz";

/** The side of each transform. */
// @ts-ignore: decorator
@inline
const TOEPLITZ: i32 = 3, F2: i32 = 4, F3: i32 = 5, F4: i32 = 6, STRIDED: i32 = 7;

/**
 * Transforms a 3×3 convolution's weight, in panels as f32_pack_conv2d leaves it, for f32_conv2d:
 * [point][panel][channel][8].
 *
 * @param side of the transform. With stride 2 the last three points along it have one weight, so five are written
 * @param channels a multiple of 4
 * @param panels panels of the whole weight: a point has so many in `out`
 * @param count panels to transform, from `weight` on
 * @param weight the first of them: [9][channels][8]
 * @param scratch WINOGRAD_WEIGHT_BYTES
 * @param out where the first of them goes in the first point
 */
export function f32_winograd_weights(
  side: i32, channels: i32, panels: i32, count: i32, weight: usize, scratch: usize, out: usize,
): void {
  assert((channels & 3) == 0, "channels come in fours");
  const weightSide = side == STRIDED ? 5 : side;
  const tap = <usize>channels << 5, plane = <usize>(panels * channels) << 5;
  // Four input channels × eight output channels of a point take 128 bytes, and three such points of a row 384.
  for (let p = 0; p < count; p++) {
    let g = weight + <usize>p * 9 * tap, to = out + (<usize>(p * channels) << 5);
    for (let c = 0; c < channels; c += 4) {
      for (let j: usize = 0; j < 3; j++) {
        let column = g + j * tap;
        for (let q = scratch + (j << 7), end = q + 128; q < end; q += 16) {
          pointsOfThree(side, column, 3 * tap, q, 384);
          column += 16;
        }
      }
      // Row by row, so that few lines are written at a time.
      let row = scratch, at = to;
      for (let j = 0; j < weightSide; j++) {
        for (let i: usize = 0; i < 128; i += 16) pointsOfThree(side, row + i, 128, at + i, plane);
        row += 384;
        at += <usize>weightSide * plane;
      }
      g += 128;
      to += 128;
    }
  }
}

/** G by three vectors of weights, `step` bytes apart. Points are written `stride` bytes apart. */
function pointsOfThree(side: i32, from: usize, step: usize, to: usize, stride: usize): void {
  const g0 = v128.load(from), g1 = v128.load(from + step), g2 = v128.load(from + 2 * step);
  if (side == F4) weights4(g0, g1, g2, to, stride);
  else if (side == F3) weights3(g0, g1, g2, to, stride);
  else if (side == TOEPLITZ) weightsToeplitz(g0, g1, g2, to, stride);
  else if (side == STRIDED) weightsStrided(g0, g1, g2, to, stride);
  else weights2(g0, g1, g2, to, stride);
}

/**
 * Transforms `count` input tiles: out[tile][point][channel].
 *
 * @param side of the transform
 * @param height, width of the input
 * @param top, left a tile's first input pixel is at row · stride − top and column · stride − left, for the row and
 *   column of its first output pixel: the padding, less one dilation for the Toeplitz transform
 * @param tiles where each tile is: its image, and the row and column of its first output pixel, as integers of 4 bytes
 * @param x the first image's first pixel; whole vectors are read: ceil4(channels) floats of a pixel
 * @param zeros ceil4(channels) zeros, read in the padding
 * @param scratch WINOGRAD_INPUT_BYTES
 * @param out `tileBytes` from tile to tile, of each side² · ceil4(channels) floats are written
 */
export function f32_winograd_input(
  side: i32, channels: i32, height: i32, width: i32, top: i32, left: i32, dilation: i32, count: i32, tiles: usize,
  x: usize, pixelBytes: usize, zeros: usize, scratch: usize, out: usize, tileBytes: usize,
): void {
  assert((pixelBytes & 15) == 0 && (tileBytes & 15) == 0, "pixels are whole vectors");
  const edge = side == TOEPLITZ ? 2 : side, stride = side == STRIDED ? 2 : 1;
  // A 1 that V8 can't know: see variable.
  const one = i32(side > 0);
  const channelBytes = <usize>((channels + 3) & ~3) << 2;
  for (let t = 0; t < count; t++) {
    const line = load<i32>(tiles) * height;
    const y0 = load<i32>(tiles, 4) * stride - top, x0 = load<i32>(tiles, 8) * stride - left;
    tiles += TILE_PLACE_BYTES;
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
    if (side == F4) input4(scratch, channelBytes, out, one);
    else if (side == F3) input3(scratch, channelBytes, out, one);
    else if (side == TOEPLITZ) inputToeplitz(scratch, channelBytes, out);
    else if (side == STRIDED) inputStrided(scratch, channelBytes, out);
    else input2(scratch, channelBytes, out);
    out += tileBytes;
  }
}

/**
 * Transforms products back to output pixels: out = epilogue(bias + Aᵀ·m·A).
 *
 * Pixels beyond the image aren't written. A tile without its last row or column has nothing computed at
 * its transform's `lastPoints`, so whatever lay there before is loaded, and goes into no pixel that is written. The
 * Toeplitz transform alone doesn't load these points, since they would go into its first row or column, too.
 *
 * @param side of the transform
 * @param tile output pixels along a side of a tile
 * @param outHeight, outWidth of the output
 * @param tiles as for {@link f32_winograd_input}
 * @param m [tile][point][channel], `tileBytes` from tile to tile
 * @param scratch WINOGRAD_OUTPUT_BYTES
 * @param out the first image's first pixel; ceil4(channels) floats of each pixel are written
 * @param bias ceil4(channels) floats, or 0 for none
 * @param epilogue an {@link Epilogue} whose vectors have ceil4(channels) floats; its residual is laid out as `out`
 */
export function f32_winograd_output(
  side: i32, tile: i32, channels: i32, outHeight: i32, outWidth: i32, dilation: i32, count: i32, tiles: usize,
  m: usize, tileBytes: usize, scratch: usize, out: usize, outBytes: usize, bias: usize, epilogue: Epilogue,
): void {
  assert((outBytes & 15) == 0 && (tileBytes & 15) == 0, "pixels are whole vectors");
  const channelBytes = <usize>((channels + 3) & ~3) << 2;
  const scale = epilogue.scale, shift = epilogue.shift;
  const residual = epilogue.residual, residualBytes = epilogue.residualBytes;
  const activation = epilogue.activation, lo = f32x4.splat(epilogue.lo), hi = f32x4.splat(epilogue.hi);
  for (let t = 0; t < count; t++) {
    const y0 = load<i32>(tiles, 4), x0 = load<i32>(tiles, 8);
    const rows = min(tile, (outHeight - y0 + dilation - 1) / dilation);
    const columns = min(tile, (outWidth - x0 + dilation - 1) / dilation);
    const pixel = <usize>((load<i32>(tiles) * outHeight + y0) * outWidth + x0);
    tiles += TILE_PLACE_BYTES;
    for (let c: usize = 0; c < channelBytes; c += 16) {
      if (side == F4) output4(m + c, channelBytes, scratch, rows);
      else if (side == F3) output3(m + c, channelBytes, scratch, rows);
      else if (side == TOEPLITZ) outputToeplitz(m + c, channelBytes, scratch, rows, columns);
      else if (side == STRIDED) outputStrided(m + c, channelBytes, scratch, rows);
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
          v128.store(out + at * outBytes + c, activate(v, activation, lo, hi));
          q += 16;
          at += dilation;
        }
      }
    }
    if (activation > HARDSWISH) {
      for (let i = 0; i < rows; i++) {
        const at = pixel + <usize>(i * dilation * outWidth);
        const to = out + at * outBytes;
        activatePixels(columns, i32(channelBytes) >> 2, to, <usize>dilation * outBytes, activation);
      }
    }
    m += tileBytes;
  }
}
