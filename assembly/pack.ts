/**
 * Numbers in another order, or as binary16s. Weights are packed once, before the first run. Inputs, taps and images
 * that get a border are copied in every run.
 */

import { widenHalves } from "./simd";

/**
 * Packs one group of a convolution's weight [channelsOut, channelsIn, taps] for f32_conv2d.
 *
 *     out  ┌ panel 0: channels 0…7 ───────────────────────────────┬ panel 1: channels 8…15 ┐
 *          │ tap 0: [in 0: 8 floats][in 1: 8 floats]… │ tap 1: …  │ …                      │
 *          └──────────────────────────────────────────┴───────────┴────────────────────────┘
 *
 * Channels beyond the last are zero. Writes ceil8(channelsOut) · channelsIn · taps floats. A linear layer has one tap.
 */
export function f32_pack_conv2d(channelsOut: i32, channelsIn: i32, taps: i32, weight: usize, out: usize): void {
  const outStep = <usize>(channelsIn * taps) << 2;
  for (let n = 0; n < channelsOut; n += 8) {
    const lanes = min(8, channelsOut - n);
    for (let t = 0; t < taps; t++) {
      for (let c = 0; c < channelsIn; c++) {
        let from = weight + <usize>n * outStep + (<usize>(c * taps + t) << 2);
        for (let j = 0; j < 8; j++) {
          store<f32>(out, j < lanes ? load<f32>(from) : 0);
          from += outStep;
          out += 4;
        }
      }
    }
  }
}

/**
 * Widens `count` binary16s, a multiple of eight, at `x` to float32: exact for all 65536 of them, a NaN keeping its
 * bits.
 */
export function f32_from_f16(count: i32, x: usize, out: usize): void {
  assert((count & 7) == 0, "a multiple of eight");
  widenHalves(count, x, out);
}

/**
 * Rounds `count` floats to binary16, to nearest, ties to even; what is too large becomes infinite, a NaN the quiet one.
 * Returns 1 where a finite one became infinite, else 0.
 */
export function f32_to_f16(count: i32, x: usize, out: usize): i32 {
  let overflow = false;
  for (let i = 0; i < count; i++) {
    const word = load<u32>(x + (<usize>i << 2));
    store<u16>(out + (<usize>i << 1), half(word));
    overflow |= (word & 0x7fffffff) - 0x477ff000 < 0x7f800000 - 0x477ff000;
  }
  return overflow;
}

/** The bits of the binary16 nearest to a float32 of these bits. */
// @ts-ignore: decorator
@inline
function half(word: u32): u16 {
  const sign = (word >> 16) & 0x8000, magnitude = word & 0x7fffffff;
  if (magnitude - 0x38800000 < 0x477ff000 - 0x38800000) {
    return <u16>(sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >> 13) & 1)) >> 13));
  }
  if (magnitude > 0x7f800000) return <u16>(sign | 0x7e00);
  if (magnitude >= 0x477ff000) return <u16>(sign | 0x7c00);
  // Below 2⁻¹⁴: adding 1/2 rounds to units of 2⁻²⁴, which end up in the lowest bits.
  const units = reinterpret<u32>(reinterpret<f32>(magnitude) + 0.5) - 0x3f000000;
  return <u16>(sign | units);
}

/**
 * Copies one image from planes to channels-last.
 *
 * @param channels planes of `pixels` floats each
 * @param out `pixelBytes` from pixel to pixel; exactly `channels` floats are written in each
 */
export function f32_nchw_to_nhwc(channels: i32, pixels: i32, x: usize, out: usize, pixelBytes: usize): void {
  const plane = <usize>pixels << 2;
  let c = 0;
  for (; c + 4 <= channels; c += 4) {
    let from = x + <usize>c * plane, to = out + (<usize>c << 2);
    for (let i = 0; i < pixels; i++) {
      let v = v128.load32_zero(from);
      v = v128.load32_lane(from + plane, v, 1);
      v = v128.load32_lane(from + 2 * plane, v, 2);
      v = v128.load32_lane(from + 3 * plane, v, 3);
      v128.store(to, v);
      from += 4;
      to += pixelBytes;
    }
  }
  for (; c < channels; c++) {
    let from = x + <usize>c * plane, to = out + (<usize>c << 2);
    for (let i = 0; i < pixels; i++) {
      store<f32>(to, load<f32>(from));
      from += 4;
      to += pixelBytes;
    }
  }
}

/**
 * Copies one image from channels-last to planes.
 *
 * @param x `pixelBytes` from pixel to pixel
 * @param out exactly channels · pixels floats
 */
export function f32_nhwc_to_nchw(channels: i32, pixels: i32, x: usize, pixelBytes: usize, out: usize): void {
  const plane = <usize>pixels << 2;
  let c = 0;
  for (; c + 4 <= channels; c += 4) {
    let from = x + (<usize>c << 2), to = out + <usize>c * plane;
    for (let i = 0; i < pixels; i++) {
      const v = v128.load(from);
      v128.store32_lane(to, v, 0);
      v128.store32_lane(to + plane, v, 1);
      v128.store32_lane(to + 2 * plane, v, 2);
      v128.store32_lane(to + 3 * plane, v, 3);
      from += pixelBytes;
      to += 4;
    }
  }
  for (; c < channels; c++) {
    let from = x + (<usize>c << 2), to = out + <usize>c * plane;
    for (let i = 0; i < pixels; i++) {
      store<f32>(to, load<f32>(from));
      from += pixelBytes;
      to += 4;
    }
  }
}

/**
 * Copies images into larger ones whose border is zero.
 *
 * @param channels floats of a pixel, all copied
 * @param x `pixelBytes` from pixel to pixel, rows and images dense; whole vectors are read: ceil4(channels) floats of a
 *   pixel
 * @param out exactly images · outHeight · outWidth · channels floats
 */
export function f32_pad2d(
  images: i32, channels: i32, height: i32, width: i32, outHeight: i32, outWidth: i32, top: i32, left: i32,
  x: usize, pixelBytes: usize, out: usize,
): void {
  const channelBytes = <usize>channels << 2;
  for (let n = 0; n < images; n++) {
    for (let oy = 0; oy < outHeight; oy++) {
      const end = out + <usize>outWidth * channelBytes;
      const iy = oy - top;
      if (iy >= 0 && iy < height) {
        out = zero(out, out + <usize>left * channelBytes);
        const last = out + <usize>width * channelBytes;
        let from = x + <usize>((n * height + iy) * width) * pixelBytes;
        if (channelBytes <= 16) {
          // Whole vectors, of which the next pixels overwrite what is too much.
          for (; out + 16 <= last; out += channelBytes) {
            v128.store(out, v128.load(from));
            from += pixelBytes;
          }
        }
        while (out < last) {
          for (let c: usize = 0; c < channelBytes; c += 4) store<f32>(out + c, load<f32>(from + c));
          from += pixelBytes;
          out += channelBytes;
        }
      }
      out = zero(out, end);
    }
  }
}

/** Writes zeros up to `end`, and returns it. */
function zero(out: usize, end: usize): usize {
  for (; out < end; out += 4) store<f32>(out, 0);
  return end;
}
