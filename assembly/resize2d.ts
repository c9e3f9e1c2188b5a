/**
 * Resizing of channels-last feature maps, with PyTorch's coordinates. Images' antialiased resizing isn't here: it works
 * on bytes, in src/image.
 */

import { madd } from "./simd";

/**
 * Bilinear resizing. With `alignCorners` the source of i is i·scale, else max(0, (i + ½)·scale − ½). As in PyTorch, the
 * scale is an f32 and the source an f64, whose fraction becomes an f32. Along an axis whose size stays, the source of i
 * is i, whatever the scale; its own pixel takes the neighbour's place there, so that no NaN comes from beside.
 *
 * @param scaleHeight, scaleWidth input over output size, or (input − 1) / (output − 1) with `alignCorners`
 * @param channels whole vectors are read and written: ceil4(channels) floats of a pixel
 */
export function f32_resize2d_bilinear(
  images: i32, channels: i32, height: i32, width: i32, outHeight: i32, outWidth: i32,
  scaleHeight: f32, scaleWidth: f32, alignCorners: i32,
  x: usize, pixelBytes: usize, out: usize, outBytes: usize,
): void {
  assert((pixelBytes & 15) == 0 && (outBytes & 15) == 0, "pixels are whole vectors");
  const channelBytes = <usize>((channels + 3) & ~3) << 2;
  const rowBytes = <usize>width * pixelBytes;
  const keepsRows = outHeight == height, keepsColumns = outWidth == width;
  for (let n = 0; n < images; n++) {
    const image = x + <usize>(n * height) * rowBytes;
    for (let oy = 0; oy < outHeight; oy++) {
      const sy = source(oy, scaleHeight, alignCorners);
      const y0 = keepsRows ? oy : min(<i32>sy, height - 1), y1 = keepsRows ? oy : min(y0 + 1, height - 1);
      const wy = keepsRows ? <f32>0 : <f32>(sy - <f64>y0);
      const wy1 = f32x4.splat(wy), wy0 = f32x4.splat(1 - wy);
      const top = image + <usize>y0 * rowBytes, bottom = image + <usize>y1 * rowBytes;
      for (let ox = 0; ox < outWidth; ox++) {
        const sx = source(ox, scaleWidth, alignCorners);
        const x0 = keepsColumns ? ox : min(<i32>sx, width - 1), x1 = keepsColumns ? ox : min(x0 + 1, width - 1);
        const wx = keepsColumns ? <f32>0 : <f32>(sx - <f64>x0);
        const wx1 = f32x4.splat(wx), wx0 = f32x4.splat(1 - wx);
        const a = <usize>x0 * pixelBytes, b = <usize>x1 * pixelBytes;
        for (let c: usize = 0; c < channelBytes; c += 16) {
          const t = madd(f32x4.mul(wx0, v128.load(top + a + c)), wx1, v128.load(top + b + c));
          const u = madd(f32x4.mul(wx0, v128.load(bottom + a + c)), wx1, v128.load(bottom + b + c));
          v128.store(out + c, madd(f32x4.mul(wy0, t), wy1, u));
        }
        out += outBytes;
      }
    }
  }
}

/**
 * Nearest resizing: the source of i is min(floor(i·scale), size − 1), in f32 as in PyTorch's mode "nearest", but exact
 * for the scales 1 and ½ where an f32 has no room for i.
 */
export function f32_resize2d_nearest(
  images: i32, channels: i32, height: i32, width: i32, outHeight: i32, outWidth: i32,
  scaleHeight: f32, scaleWidth: f32,
  x: usize, pixelBytes: usize, out: usize, outBytes: usize,
): void {
  assert((pixelBytes & 15) == 0 && (outBytes & 15) == 0, "pixels are whole vectors");
  const channelBytes = <usize>((channels + 3) & ~3) << 2;
  for (let n = 0; n < images; n++) {
    for (let oy = 0; oy < outHeight; oy++) {
      const iy = nearest(oy, height, scaleHeight);
      for (let ox = 0; ox < outWidth; ox++) {
        const ix = nearest(ox, width, scaleWidth);
        const from = x + <usize>((n * height + iy) * width + ix) * pixelBytes;
        for (let c: usize = 0; c < channelBytes; c += 16) v128.store(out + c, v128.load(from + c));
        out += outBytes;
      }
    }
  }
}

// @ts-ignore: decorator
@inline
function source(i: i32, scale: f32, alignCorners: i32): f64 {
  return alignCorners ? <f64>i * scale : max<f64>(0, (<f64>i + 0.5) * scale - 0.5);
}

// @ts-ignore: decorator
@inline
function nearest(i: i32, size: i32, scale: f32): i32 {
  return min(scale == 1 ? i : scale == 0.5 ? i >> 1 : <i32>(<f32>i * scale), size - 1);
}
