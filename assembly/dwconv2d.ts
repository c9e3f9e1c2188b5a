/**
 * Depthwise convolution, one filter for each channel, on channels-last images that already carry their padding.
 */

import { activate } from "./epilogue";
import { madd } from "./simd";

/**
 * Depthwise convolution: out = act((bias + Σ x·w)·scale + shift + residual), four pixels × four channels at a time.
 *
 * The last block of a row overlaps the one before it, so rows need no tail; rows of fewer than four pixels go one by one.
 *
 * @param channels all; vectors of four are read and written, so a pixel holds ceil4(channels) floats in `x` and `out`
 * @param x images of height × width pixels, padding included
 * @param weights from f32_pack_dwconv2d: [tap][ceil4(channels)]
 * @param bias, scale, shift ceil4(channels) floats; bias and scale 0 for none
 */
export function f32_dwconv2d(
  images: i32, channels: i32, height: i32, width: i32, outHeight: i32, outWidth: i32,
  kernelHeight: i32, kernelWidth: i32, strideHeight: i32, strideWidth: i32, dilationHeight: i32, dilationWidth: i32,
  x: usize, pixelBytes: usize, weights: usize, out: usize, outBytes: usize,
  bias: usize, scale: usize, shift: usize, residual: usize, residualBytes: usize, activation: i32, lo: f32, hi: f32,
): void {
  assert((pixelBytes & 15) == 0 && (outBytes & 15) == 0, "pixels are whole vectors");
  const l = f32x4.splat(lo), h = f32x4.splat(hi);
  const channelBytes = <usize>((channels + 3) & ~3) << 2;
  const rowBytes = <usize>width * pixelBytes;
  const step = <usize>strideWidth * pixelBytes;
  const tapX = <usize>dilationWidth * pixelBytes, tapY = <usize>dilationHeight * rowBytes;
  for (let n = 0; n < images; n++) {
    for (let oy = 0; oy < outHeight; oy++) {
      const row = x + <usize>(n * height + oy * strideHeight) * rowBytes;
      const pixel = <usize>((n * outHeight + oy) * outWidth);
      if (outWidth < 4) {
        for (let ox = 0; ox < outWidth; ox++) {
          const o = out + (pixel + ox) * outBytes;
          for (let c: usize = 0; c < channelBytes; c += 16) {
            let sum = f32x4.splat(0);
            if (bias) sum = v128.load(bias + c);
            let w = weights + c;
            for (let ky = 0; ky < kernelHeight; ky++) {
              let a = row + <usize>ox * step + <usize>ky * tapY + c;
              for (let kx = 0; kx < kernelWidth; kx++) {
                sum = madd(sum, v128.load(a), v128.load(w));
                a += tapX;
                w += channelBytes;
              }
            }
            if (scale) sum = madd(v128.load(shift + c), sum, v128.load(scale + c));
            if (residual) sum = f32x4.add(sum, v128.load(residual + (pixel + ox) * residualBytes + c));
            v128.store(o + c, activate(sum, activation, l, h));
          }
        }
        continue;
      }
      for (let block = 0; block < outWidth; block += 4) {
        const ox = min(block, outWidth - 4);
        const o = out + (pixel + ox) * outBytes;
        const first = row + <usize>ox * step;
        for (let c: usize = 0; c < channelBytes; c += 16) {
          let b = f32x4.splat(0);
          if (bias) b = v128.load(bias + c);
          let c0 = b, c1 = b, c2 = b, c3 = b;
          let w = weights + c;
          for (let ky = 0; ky < kernelHeight; ky++) {
            let a = first + <usize>ky * tapY + c;
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
          if (scale) {
            const s = v128.load(scale + c), t = v128.load(shift + c);
            c0 = madd(t, c0, s); c1 = madd(t, c1, s); c2 = madd(t, c2, s); c3 = madd(t, c3, s);
          }
          if (residual) {
            const r = residual + (pixel + ox) * residualBytes + c;
            c0 = f32x4.add(c0, v128.load(r)); c1 = f32x4.add(c1, v128.load(r + residualBytes));
            c2 = f32x4.add(c2, v128.load(r + 2 * residualBytes)); c3 = f32x4.add(c3, v128.load(r + 3 * residualBytes));
          }
          v128.store(o + c, activate(c0, activation, l, h));
          v128.store(o + c + outBytes, activate(c1, activation, l, h));
          v128.store(o + c + 2 * outBytes, activate(c2, activation, l, h));
          v128.store(o + c + 3 * outBytes, activate(c3, activation, l, h));
        }
      }
    }
  }
}
